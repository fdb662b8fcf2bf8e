"""Going back, over and over: how long until every reader is on the old generation, with what was written meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from roggia_embedder.query import api
from roggia_operator.generations.client import Asked, GenerationClient, Plan
from roggia_runtime.producer import Producer
from roggia_schemas import topics
from roggia_schemas.events import GenerationState, GenerationWish

from tests.support.fleet import apply_topics
from tests.support.migration.ensemble import MODEL, QUERIES, Ensemble
from tests.support.replaying import document

TENANT, DOMAIN, MARK = "acme", "docs", "mark"
DOCUMENTS = 40
_LOOK_S = 0.01
_PATIENCE_S = 200.0
BY = "ops@example"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one reader saw: which generation answered, and which revision of the document that is written all the
    time. `asked` and `answered` in seconds of one clock."""

    asked: float
    answered: float
    generation: int
    revision: int


@dataclass(frozen=True, slots=True)
class RolledBack:
    """`readers_s`: from the command until the last reader had answered by the old generation with the newest write in
    it. `late`: answers by the other generation, or without that write, that were asked for after that."""

    decided_s: float
    readers_s: float
    late: int


class Rehearsal:
    """Cutovers and rollbacks on a few documents, with a reader of each query process that never stops looking."""

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self._codec = ensemble.codec
        self._seen: dict[str, list[Seen]] = {name: [] for name in QUERIES}
        self._revision = 1

    async def run(self, times: int) -> list[RolledBack]:
        """Everything from the first document on."""
        kafka = self._ensemble.kafka
        await apply_topics(kafka)
        await self._ensemble.begin()
        self._producer = Producer(kafka, "publisher")
        await self._producer.start()
        try:
            for number in range(DOCUMENTS):
                await self._publish(f"doc-{number}", 1)
            await self._publish(MARK, self._revision)
            await self._ensemble.settle(_PATIENCE_S)
            return await self._repeated(times)
        finally:
            await self._producer.stop()
            await self._ensemble.end()

    async def _repeated(self, times: int) -> list[RolledBack]:
        async with (
            aiohttp.ClientSession() as http,
            asyncio.timeout(_PATIENCE_S + 30 * times),
            GenerationClient(self._ensemble.kafka, self._codec) as client,
            asyncio.TaskGroup() as tasks,
        ):
            readers = [tasks.create_task(self._read(http, name)) for name in QUERIES]
            await client.plan(Plan(MODEL, by=BY, why="a better model"))
            await self._state(client, GenerationState.SHADOW)
            found = [await self._once(client, number) for number in range(times)]
            for reader in readers:
                reader.cancel()
        return found

    async def _once(self, client: GenerationClient, number: int) -> RolledBack:
        """Over, write until readers see it, and back."""
        report = json.dumps({"verdict": "pass", "generation": 2})
        await client.wish(2, GenerationWish.SERVE, Asked(BY, f"try {number}", report))
        await self._readers(2)
        self._revision += 1
        await self._publish(MARK, self._revision)
        await self._readers(2)
        began = time.monotonic()
        await client.wish(2, GenerationWish.ROLL_BACK, Asked(BY, f"no good, {number}"))
        arrived = await self._readers(1, after=began)
        await self._state(client, GenerationState.ROLLED_BACK)
        await self._more(5)
        state = (await client.get(2)).side
        decided = state.history[-1].at / 1000 - (time.time() - (time.monotonic() - began))
        late = sum(not self._right(one, 1) for seen in self._seen.values() for one in seen if one.asked > arrived)
        return RolledBack(decided, arrived - began, late)

    async def _readers(self, generation: int, after: float = 0.0) -> float:
        """Wait until the newest answer of every reader is right; when the last of them began to be."""
        while not all(seen and self._right(seen[-1], generation) for seen in self._seen.values()):
            await asyncio.sleep(_LOOK_S / 2)
        return max(self._since(seen, generation, after) for seen in self._seen.values())

    def _since(self, seen: Sequence[Seen], generation: int, after: float) -> float:
        """When the newest answers, all of them right, began to come."""
        found = seen[-1].answered
        for one in reversed(seen):
            if one.answered < after or not self._right(one, generation):
                break
            found = one.answered
        return found

    def _right(self, one: Seen, generation: int) -> bool:
        return (one.generation, one.revision) == (generation, self._revision)

    async def _more(self, answers: int) -> None:
        """Wait until every reader has looked so many times more."""
        wanted = {name: len(seen) + answers for name, seen in self._seen.items()}
        while any(len(self._seen[name]) < count for name, count in wanted.items()):
            await asyncio.sleep(_LOOK_S)

    async def _read(self, http: aiohttp.ClientSession, name: str) -> None:
        """Ask for the document that is written all the time. Every answer counts; none may be refused."""
        request = api.encode(api.SearchRequest(tenant=TENANT, domain=DOMAIN, query=MARK, k=1))
        while True:
            asked = time.monotonic()
            async with http.post(self._ensemble.url(name) + api.SEARCH_PATH, data=request) as reply:
                body = await reply.read()
            assert reply.status == 200, body
            found = api.decode(body, api.SearchResponse)
            assert [one.doc_id for one in found.results] == [MARK]
            self._seen[name].append(Seen(asked, time.monotonic(), found.generation, found.results[0].revision))
            await asyncio.sleep(_LOOK_S)

    async def _state(self, client: GenerationClient, state: GenerationState) -> None:
        while (await client.get(2)).status is not state:
            await asyncio.sleep(_LOOK_S)

    async def _publish(self, doc_id: str, revision: int) -> None:
        text = f"{doc_id} at {revision}" if doc_id == MARK else f"river mill {doc_id}"
        event = document(doc_id, revision, tenant=TENANT, domain=DOMAIN, text=text)
        await self._producer.send(self._codec.output(topics.DOC_CHANGED, event))
