"""Workers that carry the record out: what is retired is removed. Aliases are `pointing`'s."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import UnavailableError
from roggia_runtime.service import Worker

from roggia_embedder.errors import UnknownCollectionError
from roggia_embedder.generations import aliases
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.looking import failed, looked
from roggia_embedder.ports import VectorCache
from roggia_embedder.stores import OpenStore, Stores

AGAIN_S = 15.0
"""Seconds after which a keeper looks without being told to: what another process created or left behind."""
SOON_S = 1.0
GRACE_S = 30.0
"""Seconds between the last alias leaving a retired collection and its end: the deadline of a query."""
log = structlog.get_logger()


class Following(Worker, Protocol):
    """A worker that is told when the record of generations changes."""

    def changed(self, *_: object) -> None:
        """A row is new: look soon."""
        ...


class Keeper:
    """Does `once` when told that something changed, and every `again_s` seconds (None: not by time); soon when it says
    that more is to come, or when something was unavailable."""

    def __init__(self, once: Callable[[], Awaitable[bool]], what: str, again_s: float | None = AGAIN_S) -> None:
        self._once, self._what, self._again_s = once, what, again_s
        self._stopping, self._changed = asyncio.Event(), asyncio.Event()
        self._trouble = ""

    def changed(self, *_: object) -> None:
        """Look soon."""
        self._changed.set()

    async def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping.is_set():
            self._changed.clear()
            more = await self._try()
            await either(self._stopping, self._changed, timeout_s=SOON_S if more else self._again_s)

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Nothing waits for this."""
        return []

    def notes(self) -> list[str]:
        """Why the record is not carried out."""
        return [f"{self._what}: {self._trouble}"] if self._trouble else []

    async def _try(self) -> bool:
        try:
            more = await self._once()
        except (UnavailableError, UnknownCollectionError) as error:  # one dropped meanwhile is looked for no more
            self._trouble = str(error)
            log.warning("keeper_waits", what=self._what, error=self._trouble)
            return True
        self._trouble = ""
        return more


class Retirement:
    """Drops collections of retired generations, by their physical names, a while after the last alias has left them,
    in whatever store they are. A store that does not answer keeps nothing in another.

    `hosted` says whether this process still writes to a generation.
    """

    def __init__(self, stores: Stores, view: View, hosted: Callable[[int], bool], grace_s: float = GRACE_S) -> None:
        self._stores, self._view, self._hosted, self._grace_s = stores, view, hosted, grace_s
        self._since: dict[tuple[OpenStore, str], float] = {}

    async def once(self) -> bool:
        """Drop what is due; say whether something is still to be dropped. Raises `UnavailableError`."""
        ending = {number for number in self._view.retired() if self._hosted(number)}
        retired = self._view.retired().keys() - ending
        if not retired:
            self._since.clear()
            return bool(ending)
        seen, trouble = await looked(self._stores)
        free = {(one.at, spec.name) for one in seen for spec in aliases.disposable(one.specs, one.bindings, retired)}
        now = time.monotonic()
        self._since = {place: self._since.get(place, now) for place in free}
        due = {place for place, since in self._since.items() if now - since >= self._grace_s}
        for at, name in sorted(due, key=lambda place: place[1]):
            trouble = await failed(self._drop(at, name)) or trouble
        if trouble is not None:
            raise trouble
        return bool(ending or free - due)

    async def _drop(self, at: OpenStore, name: str) -> None:
        await at.store.drop_collection(name)
        log.info("dropped", collection=name, store=self._stores.name(at))


class CacheRetirement:
    """Erases cached vectors of models that only retired generations had. `loaded`: fingerprints that this process knows
    by having loaded the models, by generation. `hosted` says whether one is still written here."""

    def __init__(
        self, cache: VectorCache, view: View, loaded: Mapping[int, str], hosted: Callable[[int], bool]
    ) -> None:
        self._cache, self._view, self._loaded, self._hosted = cache, view, loaded, hosted
        self._done: set[str] = set()

    async def once(self) -> bool:
        """Erase what nobody uses; say whether a retired generation is still ending. Raises `UnavailableError`."""
        followed = {n: self._fingerprint(one) for n, one in self._view.followed().items()}
        retired = {n: self._fingerprint(one) for n, one in self._view.retired().items() if not self._hosted(n)}
        self._done -= set(followed.values())
        for fingerprint in sorted(aliases.unused(followed, retired) - self._done):
            erased = await self._cache.forget_model(fingerprint)
            self._done.add(fingerprint)
            if erased:
                log.info("vectors_erased", model=fingerprint, rows=erased)
        return any(self._hosted(number) for number in self._view.retired())

    def _fingerprint(self, one: Hosted) -> str:
        return one.model.fingerprint or self._loaded.get(one.number, "")
