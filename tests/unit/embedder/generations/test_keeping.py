"""Aliases follow the record; what is retired goes, by its own name, when nobody is pointed at it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.errors import StoreUnavailableError
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.keeping import CacheRetirement, Keeper, Retirement
from roggia_embedder.generations.pointing import Aliases
from roggia_embedder.ports import CacheUse, CollectionSpec, IndexBinding
from roggia_embedder.stores import OWN, Stores
from roggia_schemas.events import GenerationModel, GenerationState, IndexGeneration
from roggia_schemas.names import Version

from tests.support.embedding import MemoryCache
from tests.support.generations import row
from tests.support.index import vector

LIVE, RETIRED, ROLLED_BACK = GenerationState.LIVE, GenerationState.RETIRED, GenerationState.ROLLED_BACK
LAW = {"selection": ("acme/law",)}


class CountingCatalogue(MemoryCatalogue):
    """Keeps every switch."""

    def __init__(self) -> None:
        super().__init__()
        self.switches: list[dict[str, str]] = []

    async def switch(self, bindings: list[IndexBinding]) -> None:  # type: ignore[override]
        """Note, then switch."""
        self.switches.append({one.alias: one.collection for one in bindings})
        await super().switch(bindings)


def spec(name: str, generation: int) -> CollectionSpec:
    """A collection."""
    return CollectionSpec(name, generation, f"m{generation}", 8)


class Ground:
    """A store, a catalogue and rows."""

    def __init__(self) -> None:
        self.store, self.catalogue = MemoryStore(), CountingCatalogue()
        self.rows: dict[int, IndexGeneration] = {}
        self.view = View(self.rows.values, Hosted(1, GenerationModel(uri="", fingerprint="m1")))
        self.stores = Stores.alone(self.store, self.catalogue)
        self.aliases = Aliases(self.stores.of(OWN), self.stores, self.view)
        self.hosted: set[int] = set()

    async def make(self, *names: str) -> None:
        """Collections, named domain and generation (docs2)."""
        for name in names:
            await self.store.ensure_collection(spec(f"kb_acme_{name[:-1]}__g{name[-1]}", int(name[-1])))

    def write(self, number: int, state: GenerationState, **facts: object) -> None:
        """One row."""
        self.rows[number] = row(number, state, **facts)

    async def pointed(self) -> dict[str, str]:
        """Generation by domain."""
        return {one.alias.split("_")[2]: one.collection[-2:] for one in await self.catalogue.bindings()}

    def retirement(self, grace_s: float = 0.0) -> Retirement:
        """What drops."""
        return Retirement(self.stores, self.view, self.hosted.__contains__, grace_s)

    async def names(self) -> list[str]:
        """Collections that there are."""
        return [one.name for one in await self.store.collections()]


async def test_aliases_follow_the_record_in_one_step_each() -> None:
    """A cutover moves every alias that it concerns at once; one without a collection of it stays; a repetition, as
    after a restart, moves nothing; rolling back moves them back."""
    ground = Ground()
    await ground.make("docs1", "faq1", "law1", "docs2", "faq2")
    await ground.store.ensure_collection(spec("kb_acme_docs__trial", 2))
    await ground.aliases.once()
    assert await ground.pointed() == {"docs": "g1", "faq": "g1", "law": "g1"}
    ground.write(2, LIVE, cutover=1)
    await ground.aliases.once()
    await ground.aliases.once()
    assert ground.catalogue.switches[1:] == [{"kb_acme_docs": "kb_acme_docs__g2", "kb_acme_faq": "kb_acme_faq__g2"}]
    assert await ground.pointed() == {"docs": "g2", "faq": "g2", "law": "g1"}
    await ground.make("law2")
    await ground.aliases.once()
    assert (await ground.pointed())["law"] == "g2"
    ground.write(2, ROLLED_BACK, cutover=1)
    await ground.aliases.once()
    assert await ground.pointed() == {"docs": "g1", "faq": "g1", "law": "g1"}


async def test_a_selection_moves_alone() -> None:
    """A knowledge base outside the selection keeps its generation."""
    ground = Ground()
    await ground.make("docs1", "law1", "docs2", "law2")
    ground.write(2, LIVE, cutover=1, **LAW)
    await ground.aliases.once()
    assert await ground.pointed() == {"docs": "g1", "law": "g2"}


async def test_readers_are_not_sent_to_a_model_that_is_not_loaded() -> None:
    """An alias in use waits for the model, and is moved as soon as that is there; one that nobody has yet does not."""
    ground, loaded = Ground(), {"m1"}
    aliases = Aliases(ground.stores.of(OWN), ground.stores, ground.view, loaded.__contains__)
    await ground.make("docs1", "docs2", "law2")
    assert not await aliases.once()
    ground.write(2, LIVE, cutover=1)
    assert await aliases.once()
    assert await ground.pointed() == {"docs": "g1", "law": "g2"}
    loaded.add("m2")
    assert not await aliases.once()
    assert await ground.pointed() == {"docs": "g2", "law": "g2"}


async def test_a_switched_alias_says_what_the_collection_says() -> None:
    """Model and dimension of the binding are those of the collection itself."""
    ground = Ground()
    await ground.make("docs2")
    ground.write(2, LIVE, cutover=1)
    await ground.aliases.once()
    assert await ground.catalogue.bindings() == [IndexBinding("kb_acme_docs", "kb_acme_docs__g2", 2, "m2", 8)]


async def test_retired_collections_go_when_no_alias_points_at_them() -> None:
    """Not while a reader is sent there, not while this process still writes there, not before the grace is over; side
    collections and other generations stay."""
    ground = Ground()
    await ground.make("docs1", "docs2", "law2")
    await ground.store.ensure_collection(spec("kb_acme_docs__trial", 2))
    ground.write(2, LIVE, cutover=1)
    await ground.aliases.once()
    ground.write(2, RETIRED)
    ground.hosted.add(2)
    assert await ground.retirement().once()
    assert len(await ground.names()) == 4
    ground.hosted.clear()
    await ground.retirement().once()
    everything = ["kb_acme_docs__g1", "kb_acme_docs__g2", "kb_acme_docs__trial", "kb_acme_law__g2"]
    assert await ground.names() == everything, "aliases still point there"
    await ground.catalogue.unbind("kb_acme_law")
    await ground.aliases.once()
    slow = ground.retirement(60.0)
    assert await slow.once()
    assert await ground.names() == everything
    assert not await ground.retirement().once()
    assert await ground.names() == ["kb_acme_docs__g1", "kb_acme_docs__trial"]


async def _cached(ground: Ground, loaded: Mapping[int, str]) -> set[str]:
    cache = MemoryCache()
    for model in ("m1", "m2"):
        await cache.put("acme", model, {"aa": vector("x")}, [CacheUse("d", frozenset({"aa"}), Version(1))])
    await CacheRetirement(cache, ground.view, loaded, ground.hosted.__contains__).once()
    return {model for _, model, _ in cache.vectors}


async def test_cached_vectors_of_a_retired_model_are_erased_unless_somebody_uses_it() -> None:
    """The model counts, not the number: another generation of the same model keeps them, and so does one whose model is
    not known yet."""
    ground = Ground()
    ground.write(2, RETIRED, fingerprint="m2")
    assert await _cached(ground, {}) == {"m1"}
    ground.write(3, LIVE, fingerprint="m2")
    assert await _cached(ground, {}) == {"m1", "m2"}
    ground.write(3, LIVE)
    assert await _cached(ground, {}) == {"m1", "m2"}
    assert await _cached(ground, {3: "m3"}) == {"m1"}
    ground.hosted.add(2)
    assert await _cached(ground, {3: "m3"}) == {"m1", "m2"}


async def test_a_keeper_tries_again_what_was_unavailable() -> None:
    """It says so meanwhile, looks at once when it is told to, and nothing waits for it."""
    tries = 0

    async def once() -> bool:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise StoreUnavailableError("store is away")
        return False

    keeper = Keeper(once, "aliases", again_s=60)
    task = asyncio.create_task(keeper.run())
    await asyncio.sleep(0.01)
    assert (keeper.notes(), keeper.health()) == (["aliases: store is away"], [])
    keeper.changed()
    await asyncio.sleep(0.01)
    assert (tries, keeper.notes()) == (2, [])
    keeper.stop()
    await asyncio.wait_for(task, 1)
