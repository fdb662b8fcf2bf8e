"""Searches without end against several query processes, as a balancer in front of them sends them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import aiohttp
from roggia_embedder.query import api

from tests.support.workload import DOMAINS, GROUPS, TENANTS

WORDS = ("river", "channel", "mill", "meadow", "sluice", "grain", "winter", "bridge", "market", "night")
_LOOK_S, _PAUSE_S = 0.05, 0.2
_LONGEST_S = 30.0
_NOT_NOW = 503
_AWAY = (aiohttp.ClientError, ConnectionError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Answer:
    """One search that was answered. `phase` is what was going on when it was asked."""

    phase: str
    took_s: float
    generation: int


@dataclass(frozen=True, slots=True)
class Address:
    """A query process: where it answers searches, and where it says whether it is ready."""

    url: str
    ready: str


@dataclass
class Readers:
    """`fingerprints`: the model that each generation must answer with.

    A process that does not answer, or refuses and says that it is not ready, is left out until it says that it is, and
    the search goes to the next one; the time of all tries counts. A balancer would know sooner: it takes a process that
    has just started in when it is ready. Everything else but an answer is an error: it stands in `wrong`.
    """

    addresses: Sequence[Address]
    fingerprints: Mapping[int, str]
    seed: int = 0
    phase: str = "before"
    answers: list[Answer] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    failovers: int = 0
    _down: set[Address] = field(default_factory=set)
    _stopped: bool = False
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _busy: int = 0

    async def run(self, at_once: int = 2) -> None:
        """Search until `stop`."""
        self._flowing.set()
        timeout = aiohttp.ClientTimeout(total=_LONGEST_S)
        async with aiohttp.ClientSession(timeout=timeout) as http, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._heal(http))
            for number in range(at_once):
                tasks.create_task(self._ask(http, random.Random(self.seed + number), cycle(self.addresses)))

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopped = True
        self._flowing.set()

    async def pause(self) -> None:
        """Search no more; nothing is under way when this returns."""
        self._flowing.clear()
        while self._busy:
            await asyncio.sleep(_LOOK_S)

    def resume(self) -> None:
        """Go on."""
        self._flowing.set()

    async def more(self, count: int) -> None:
        """Wait for so many further answers."""
        wanted = len(self.answers) + count
        while len(self.answers) < wanted:
            await asyncio.sleep(_LOOK_S)

    async def on(self, generation: int, patience_s: float) -> float:
        """Wait until every process, once it is ready, answers for every knowledge base by a generation; the seconds."""
        began = time.monotonic()
        async with aiohttp.ClientSession() as http, asyncio.timeout(patience_s):
            for address in self.addresses:
                for request in _everywhere():
                    while await self._generation(http, address, request) != generation:
                        await asyncio.sleep(0.01)
        return time.monotonic() - began

    async def _ask(self, http: aiohttp.ClientSession, rng: random.Random, turns: Iterator[Address]) -> None:
        while not self._stopped:
            phase, began = self.phase, time.monotonic()
            self._busy += 1
            found = await self._answered(http, _drawn(rng), turns)
            self._busy -= 1
            if found is not None:
                self._keep(found, phase, time.monotonic() - began)
            await asyncio.sleep(rng.uniform(0.0, _PAUSE_S))
            await self._flowing.wait()

    async def _answered(
        self, http: aiohttp.ClientSession, request: api.SearchRequest, turns: Iterator[Address]
    ) -> api.SearchResponse | None:
        deadline = time.monotonic() + _LONGEST_S
        while time.monotonic() < deadline:
            address = next(turns)
            if address in self._down:
                await asyncio.sleep(0)
                continue
            try:
                async with http.post(address.url + api.SEARCH_PATH, data=api.encode(request)) as reply:
                    body = await reply.read()
            except _AWAY:
                self._down.add(address)
                self.failovers += 1
                continue
            if reply.status == 200:
                return api.decode(body, api.SearchResponse)
            if reply.status == _NOT_NOW and not await self._ready(http, address):
                self._down.add(address)
                self.failovers += 1
                continue
            self.wrong.append(f"{self.phase}: {reply.status} {body[:200]!r}")
            return None
        self.wrong.append(f"{self.phase}: nobody answered within {_LONGEST_S:g} s")
        return None

    def _keep(self, found: api.SearchResponse, phase: str, took_s: float) -> None:
        own = found.collection.endswith(f"__g{found.generation}") and bool(found.results)
        if not own or found.model != self.fingerprints[found.generation]:
            self.wrong.append(
                f"{phase}: {found.collection}, g{found.generation}, {found.model}: {len(found.results)} results"
            )
        self.answers.append(Answer(phase, took_s, found.generation))

    async def _heal(self, http: aiohttp.ClientSession) -> None:
        """Processes that say that they are ready again are asked again."""
        while not self._stopped:
            for address in list(self._down):
                if await self._ready(http, address):
                    self._down.discard(address)
            await asyncio.sleep(_LOOK_S)

    async def _ready(self, http: aiohttp.ClientSession, address: Address) -> bool:
        try:
            async with http.get(f"{address.ready}/health/ready") as reply:
                return reply.status == 200
        except _AWAY:
            return False

    async def _generation(self, http: aiohttp.ClientSession, address: Address, request: api.SearchRequest) -> int:
        """Which one answers; 0 while the process is away or not ready."""
        try:
            async with http.post(address.url + api.SEARCH_PATH, data=api.encode(request)) as reply:
                body = await reply.read()
        except _AWAY:
            return 0
        return api.decode(body, api.SearchResponse).generation if reply.status == 200 else 0


def p95(values: Sequence[float]) -> float:
    """95th percentile; 0 of nothing."""
    return sorted(values)[min(len(values) - 1, len(values) * 95 // 100)] if values else 0.0


def _everywhere() -> Iterator[api.SearchRequest]:
    for tenant in TENANTS:
        for domain in DOMAINS:
            yield api.SearchRequest(tenant=tenant, domain=domain, query="river mill", groups=GROUPS, k=1)


def _drawn(rng: random.Random) -> api.SearchRequest:
    words = " ".join(rng.sample(WORDS, 3))
    return api.SearchRequest(tenant=rng.choice(TENANTS), domain=rng.choice(DOMAINS), query=words, groups=GROUPS)
