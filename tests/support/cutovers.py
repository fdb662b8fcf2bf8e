"""Queries against a knowledge base whose generations are cut over, rolled back and replaced all the time.

Every model has the same dimension, so that nothing but the fingerprint tells vectors apart, and every cache lags: the
catalogue answers with aliases of the past, the store with specs that it remembers, as a client of a server may.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.adapters.models.stub import StubModel
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.routing import RoutedCatalogue, RoutedStore
from roggia_embedder.ports import CollectionSpec, Hit, IndexBinding, SearchRequest, model_stamp
from roggia_embedder.query import api
from roggia_embedder.query.errors import IndexUnavailableError, UnknownGenerationError
from roggia_embedder.query.models import Models
from roggia_embedder.query.search import Found, Searcher
from roggia_embedder.stores import OWN, OpenStore, Stores
from roggia_schemas.events import GenerationModel, GenerationState, IndexGeneration
from roggia_schemas.names import Version, collection_name

from tests.support.generations import pointed, row
from tests.support.index import document, passage

DIMENSION = 16
TEXTS = ("gate keeper dawn", "mill wheel water", "meadow sluice stone", "market bridge night")
DOMAINS = ("docs", "law")
NUMBERS = (1, 2, 3)
LAG = 3
"""How many switches an answer of the catalogue may be behind."""


class LaggingStore(MemoryStore):
    """Remembers specs, and takes its time between a look and an answer. Of a remembered collection that is there again
    with another model it tells the old one, until it is to look again."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance, self._remembered = chance, dict[str, CollectionSpec]()

    async def spec(self, name: str, *, fresh: bool = False) -> CollectionSpec | None:
        """The remembered spec, unless it is to be fresh."""
        await self._pause()
        if fresh or name not in self._remembered:
            found = await super().spec(name)
            if found is None:
                self._remembered.pop(name, None)
                return None
            self._remembered[name] = found
        return self._remembered[name]

    async def search(self, collection: str, request: SearchRequest) -> list[Hit]:
        """Search, some time later."""
        await self._pause()
        return await super().search(collection, request)

    async def _pause(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)


class LaggingCatalogue(MemoryCatalogue):
    """Answers with an alias as it was up to `LAG` switches ago."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance, self._past = chance, list[dict[str, IndexBinding]]()

    async def switch(self, bindings: list[IndexBinding]) -> None:  # type: ignore[override]
        """Switch, and remember how it was."""
        await super().switch(bindings)
        self._remember()

    async def unbind(self, alias: str) -> None:
        """Unbind, and remember how it was."""
        await super().unbind(alias)
        self._remember()

    def _remember(self) -> None:
        self._past = [*self._past, dict(self._bindings)][-LAG:]

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        """One of the last states."""
        await asyncio.sleep(0)
        return self._chance.choice(self._past or [{}]).get(f"kb_{tenant_id}_{domain}")


@dataclass(slots=True)
class Seen:
    """What came of the queries."""

    queries: int = 0
    mismatches: int = 0
    refused: int = 0
    generations: Counter[int] = field(default_factory=Counter)


class Rehearsal:
    """`queries` in `at_once` tasks, with `cutovers` moves spread over them. `stores` names the store of a generation;
    those that are not in it are in the store without a name."""

    def __init__(
        self,
        seed: int,
        queries: int,
        cutovers: int,
        at_once: int = 16,
        stores: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        self._chance = random.Random(seed)
        self._queries, self._at_once = queries, at_once
        self._every = max(1, queries // cutovers)
        self._rows: dict[int, IndexGeneration] = {}
        self._seeds = dict.fromkeys(NUMBERS, 0)
        self._cutover = 0
        self.moves = 0
        self.seen = Seen()
        self._where = {number: stores.get(number, OWN) for number in NUMBERS}
        self._stores = Stores(
            {
                name: OpenStore(LaggingStore(self._chance), LaggingCatalogue(self._chance))
                for name in sorted({OWN, *self._where.values()})
            }
        )
        self._view = View(self._rows.values, Hosted(1, GenerationModel(uri="")))
        self._models = Models(())
        self._by_fingerprint: dict[str, StubModel] = {}
        self._searcher = Searcher(
            RoutedCatalogue(self._stores, self._view),
            RoutedStore(self._stores, self._view),
            self._models,
            now_ms=lambda: 0,
            canary=self._view.canary,
        )

    async def run(self) -> Seen:
        """Everything; models are let go of at the end."""
        for number in NUMBERS:
            await self._fill(number)
        await pointed(self._stores, self._view)
        await asyncio.gather(*[self._ask() for _ in range(self._at_once)])
        await self._models.close()
        return self.seen

    async def _ask(self) -> None:
        while self.seen.queries < self._queries:
            self.seen.queries += 1
            if self.seen.queries % self._every == 0:
                await self._move()
            await self._query()

    async def _query(self) -> None:
        pinned = self._chance.choice(NUMBERS) if self._chance.random() < 0.1 else None
        request = api.SearchRequest(
            tenant="acme",
            domain=self._chance.choice(DOMAINS),
            query=f"{self._chance.choice(TEXTS)} {self._chance.randrange(50)}",
            mode=api.Mode.DENSE,
            k=2,
            generation=pinned,
        )
        try:
            found = await self._searcher.search(request)
        except (IndexUnavailableError, UnknownGenerationError):
            self.seen.refused += 1
            return
        self._judge(request, found)

    def _judge(self, request: api.SearchRequest, found: Found) -> None:
        """The passages' texts carry the stamp of their true model; the vector is recomputed by that model."""
        self.seen.generations[found.binding.generation] += 1
        assert found.passages
        assert request.generation in (None, found.binding.generation)
        right = self._by_fingerprint[found.binding.model].encode([request.query], "query")[0]
        made = {hit.text.rpartition(" ")[2] for hit in found.passages}
        asked = found.vector is not None and bool((found.vector == right).all())
        if not asked or made != {model_stamp(found.binding.model)}:
            self.seen.mismatches += 1

    async def _move(self) -> None:
        """Cut over, roll back, start or end a canary, or replace a generation by one with another model."""
        self.moves += 1
        number = self._chance.choice(NUMBERS[1:])
        state = self._rows[number].state if number in self._rows else GenerationState.SHADOW
        if state is GenerationState.LIVE:
            self._tell(number, GenerationState.ROLLED_BACK)
        elif self._chance.random() < 0.25:
            await self._replace(number)
        else:
            self._cutover += 1
            self._tell(number, GenerationState.LIVE, cutover=self._cutover)
        await pointed(self._stores, self._view)

    def _tell(self, number: int, state: GenerationState, **facts: object) -> None:
        canary = self._chance.choice((0.0, 30.0)) if state is GenerationState.SHADOW else 0.0
        self._rows[number] = row(number, state, canary=canary, store=self._where[number], **facts)

    async def _replace(self, number: int) -> None:
        """The worst that may happen to a cache: the same name, another model."""
        self._tell(number, GenerationState.RETIRED)
        await pointed(self._stores, self._view)
        for domain in DOMAINS:
            await self._stores.of(self._where[number]).store.drop_collection(collection_name("acme", domain, number))
        await asyncio.sleep(0)
        self._seeds[number] += 1
        await self._fill(number)
        self._tell(number, GenerationState.SHADOW)

    async def _fill(self, number: int) -> None:
        model = StubModel(DIMENSION, 64, seed=1_000 * number + self._seeds[number])
        self._by_fingerprint[model.fingerprint] = model
        self._models.add(model)
        stamp, store = model_stamp(model.fingerprint), self._stores.of(self._where[number]).store
        for domain in DOMAINS:
            name = collection_name("acme", domain, number)
            await store.ensure_collection(CollectionSpec(name, number, model.fingerprint, DIMENSION))
            held = [passage(document("d", domain=domain), Version(1), f"{text} {stamp}") for text in TEXTS]
            rows = model.encode([one.text for one in held])
            vectors = [replace(one, dense=vector, model=stamp) for one, vector in zip(held, rows, strict=True)]
            await store.upsert(name, vectors)
