"""A generation in another store: aliases move with the record, whatever stands still on the way."""

from __future__ import annotations

import pytest
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.errors import StoreUnavailableError, UnknownCollectionError, UnknownStoreError
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.keeping import Retirement
from roggia_embedder.generations.routing import RoutedCatalogue, RoutedStore
from roggia_embedder.ports import CollectionSpec, IndexBinding
from roggia_embedder.query.collections import collections
from roggia_embedder.stores import OWN, OpenStore, Stores
from roggia_schemas.events import GenerationModel, GenerationState, IndexGeneration
from roggia_schemas.names import collection_name

from tests.support.generations import pointed, row

LIVE, RETIRED, ROLLED_BACK = GenerationState.LIVE, GenerationState.RETIRED, GenerationState.ROLLED_BACK


class Store(MemoryStore):
    """May be away."""

    away = False
    gone = False
    """Dropped by somebody else between two questions."""

    async def point_count(self, collection: str) -> int:
        """Points, unless the collection is gone."""
        if self.gone:
            raise UnknownCollectionError(f"collection {collection} does not exist")
        return await super().point_count(collection)

    async def collections(self) -> list[CollectionSpec]:
        """Every collection, unless it is away."""
        if self.away:
            raise StoreUnavailableError("the database is away")
        return list(await super().collections())


class Catalogue(MemoryCatalogue):
    """Away with its store."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        """One alias, unless it is away."""
        if self._store.away:
            raise StoreUnavailableError("the database is away")
        return await super().resolve(tenant_id, domain)


class Ground:
    """The settings' own store, one called `pg`, and the record. Generation 2 and higher are in `pg`."""

    def __init__(self) -> None:
        self.own, self.pg = Store(), Store()
        self.own_aliases, self.pg_aliases = Catalogue(self.own), Catalogue(self.pg)
        self.rows: dict[int, IndexGeneration] = {}
        self.view = View(self.rows.values, Hosted(1, GenerationModel(uri="")))
        self.named = {OWN: OpenStore(self.own, self.own_aliases), "pg": OpenStore(self.pg, self.pg_aliases)}
        self.stores = Stores(self.named)
        self.readers = RoutedCatalogue(self.stores, self.view)

    async def make(self, at: MemoryStore, *numbers: int, domain: str = "docs") -> None:
        """Collections of generations."""
        for number in numbers:
            name = collection_name("acme", domain, number)
            await at.ensure_collection(CollectionSpec(name, number, f"m{number}", 8))

    def write(self, number: int, state: GenerationState, **facts: object) -> None:
        """One row."""
        self.rows[number] = row(number, state, **{"store": "pg" if number > 1 else OWN} | facts)

    async def read(self, domain: str = "docs") -> int | None:
        """The generation that readers get."""
        found = await self.readers.resolve("acme", domain)
        return found and found.generation

    async def carry_out(self) -> None:
        """What the keepers of aliases do."""
        await pointed(self.stores, self.view)

    async def pointed(self) -> list[list[int]]:
        """Generations that aliases point at, of the own store and of `pg`."""
        both = (self.own_aliases, self.pg_aliases)
        return [[one.generation for one in await catalogue.bindings()] for catalogue in both]

    async def live(self) -> None:
        """Generation 1 in the own store, generation 2 in `pg`, which serves."""
        await self.make(self.own, 1)
        await self.make(self.pg, 2)
        await self.carry_out()
        self.write(2, LIVE, cutover=1)
        await self.carry_out()


async def test_readers_move_from_store_to_store_and_back() -> None:
    """One alias at a time is left; until it has moved readers stay where they are; a knowledge base that the serving
    generation does not hold stays too."""
    ground = Ground()
    await ground.make(ground.own, 1)
    await ground.make(ground.own, 1, domain="law")
    await ground.make(ground.pg, 2)
    await ground.carry_out()
    assert await ground.pointed() == [[1, 1], []]
    ground.write(2, LIVE, cutover=1)
    assert await ground.read() == 1
    await ground.carry_out()
    assert (await ground.pointed(), await ground.read(), await ground.read("law")) == ([[1], [2]], 2, 1)
    ground.write(2, ROLLED_BACK, cutover=1)
    assert await ground.read() == 2
    await ground.carry_out()
    assert (await ground.pointed(), await ground.read()) == ([[1, 1], []], 1)


async def test_in_between_the_record_decides() -> None:
    """With an alias in both stores, as when a process dies between making one and taking the other away, readers get
    the generation that serves; of two that do not serve (any more), the one that served last."""
    ground = Ground()
    await ground.live()
    await ground.own_aliases.bind(IndexBinding("kb_acme_docs", "kb_acme_docs__g1", 1, "m1", 8))
    assert await ground.read() == 2
    ground.write(2, ROLLED_BACK, cutover=1)
    assert await ground.read() == 1
    ground.write(3, LIVE, cutover=2)
    assert await ground.read() == 1, "g3 has no alias yet, g2 was taken back"
    ground.write(2, LIVE, cutover=1)
    assert await ground.read() == 2
    await ground.carry_out()
    assert await ground.pointed() == [[1], [2]], "g3 has no collection of it: nothing moves"


async def test_no_reader_falls_between_two_stores() -> None:
    """A look at both stores that meets an alias in neither, because it moved in between, finds what serves by its
    name; what nobody has published is not found."""
    ground = Ground()
    await ground.live()
    await ground.pg_aliases.unbind("kb_acme_docs")
    assert await ground.pointed() == [[], []]
    assert await ground.read() == 2
    assert await ground.read("law") is None


async def test_a_store_that_is_away_holds_up_no_other() -> None:
    """A rollback from a store that does not answer gets readers back; what is left there is done when it answers."""
    ground = Ground()
    await ground.live()
    ground.pg.away = True
    with pytest.raises(StoreUnavailableError):
        await ground.read()
    ground.write(2, ROLLED_BACK, cutover=1)
    with pytest.raises(StoreUnavailableError):
        await ground.carry_out()
    assert await ground.read() == 1
    listed = await collections(ground.stores, ground.view)
    assert [(one.name, one.serves) for one in listed.collections] == [("kb_acme_docs__g1", True)]
    assert (listed.stores, listed.away) == (("pg",), ("pg",))
    ground.pg.away = False
    await ground.carry_out()
    assert await ground.pointed() == [[1], []]


async def test_a_collection_that_goes_while_they_are_listed_is_left_out() -> None:
    """A generation that is retired meanwhile does not make the list fail: the others are in it."""
    ground = Ground()
    await ground.live()
    ground.pg.gone = True
    listed = await collections(ground.stores, ground.view)
    assert [one.name for one in listed.collections] == ["kb_acme_docs__g1"]


async def test_readers_are_not_sent_to_another_store_before_the_model_is_there() -> None:
    """An alias that readers have in one store waits in the other for the model, and is not taken away meanwhile."""
    ground, loaded = Ground(), {"m1"}
    await ground.make(ground.own, 1)
    await ground.make(ground.pg, 2)
    await pointed(ground.stores, ground.view, loaded.__contains__)
    ground.write(2, LIVE, cutover=1)
    assert await pointed(ground.stores, ground.view, loaded.__contains__)
    assert (await ground.pointed(), await ground.read()) == ([[1], []], 1)
    loaded.add("m2")
    assert not await pointed(ground.stores, ground.view, loaded.__contains__)
    assert (await ground.pointed(), await ground.read()) == ([[], [2]], 2)


async def test_a_generation_is_only_where_the_record_says() -> None:
    """A collection of its name in another store serves nobody, and goes when the generation is retired."""
    ground = Ground()
    await ground.live()
    await ground.make(ground.own, 2)
    await ground.carry_out()
    assert await ground.pointed() == [[], [2]]
    await ground.own_aliases.bind(IndexBinding("kb_acme_docs", "kb_acme_docs__g2", 2, "m2", 8))
    await ground.carry_out()
    served = [(one.store, one.generation) for one in (await collections(ground.stores, ground.view)).collections
              if one.serves]  # fmt: skip
    assert served == [("pg", 2)]
    await ground.own.drop_collection("kb_acme_docs__g2")
    routed = RoutedStore(ground.stores, ground.view)
    assert (await routed.spec("kb_acme_docs__g2"), await routed.spec("kb_acme_docs__g1")) == (
        CollectionSpec("kb_acme_docs__g2", 2, "m2", 8), CollectionSpec("kb_acme_docs__g1", 1, "m1", 8)
    )  # fmt: skip
    await ground.make(ground.own, 2)
    ground.write(2, RETIRED, cutover=1)
    await ground.own_aliases.unbind("kb_acme_docs")
    await ground.carry_out()
    await Retirement(ground.stores, ground.view, set[int]().__contains__, 0.0).once()
    assert [one.name for one in await ground.own.collections()] == ["kb_acme_docs__g1"]
    assert await ground.pg.collections() == []
    assert await ground.read() == 1


async def test_an_alias_in_the_wrong_store_takes_nothing_over() -> None:
    """It names the generation that serves, but not where that is: the only right alias stays."""
    ground = Ground()
    await ground.make(ground.pg, 2)
    ground.write(2, LIVE, cutover=1)
    ground.write(3, LIVE, cutover=2)
    await ground.pg_aliases.bind(IndexBinding("kb_acme_docs", "kb_acme_docs__g2", 2, "m2", 8))
    await ground.own_aliases.bind(IndexBinding("kb_acme_docs", "kb_acme_docs__g3", 3, "m3", 8))
    await ground.carry_out()
    assert (await ground.pointed())[1] == [2]


async def test_nothing_is_dropped_while_its_alias_stands_and_elsewhere_all_the_same() -> None:
    """A store that is away keeps what it holds, and does not keep another from dropping."""
    ground = Ground()
    await ground.live()
    await ground.make(ground.own, 2)
    ground.write(2, RETIRED, cutover=1)
    ground.pg.away = True
    retirement = Retirement(ground.stores, ground.view, set[int]().__contains__, 0.0)
    with pytest.raises(StoreUnavailableError):
        await retirement.once()
    assert [one.generation for one in await ground.own.collections()] == [1]
    ground.pg.away = False
    await retirement.once()
    assert [one.generation for one in await ground.pg.collections()] == [2], "an alias points there"
    await ground.carry_out()
    await retirement.once()
    assert await ground.pg.collections() == []


async def test_a_store_that_the_settings_do_not_name_is_said() -> None:
    """Readers are told which name is missing where, and never sent to what served before."""
    ground = Ground()
    await ground.live()
    stranger = Stores({OWN: ground.named[OWN]})
    with pytest.raises(UnknownStoreError, match=r"'pg' is none .* ROGGIA_EMBEDDER_STORES"):
        await RoutedCatalogue(stranger, ground.view).resolve("acme", "docs")
    with pytest.raises(UnknownStoreError):
        await RoutedStore(stranger, ground.view).spec("kb_acme_docs__g2")
    await pointed(stranger, ground.view)
    assert await ground.pointed() == [[], [2]]


async def test_two_names_may_mean_one_database() -> None:
    """As when the own store is changed to where everything has moved: the alias is left, the store is swept once; also
    where the two names are not known to be one."""
    for pg in (OpenStore(MemoryStore(), MemoryCatalogue()), None):
        ground = Ground()
        at = pg or ground.named["pg"]
        twin = at if pg else OpenStore(at.store, at.catalogue)
        stores = Stores({OWN: twin, "pg": at})
        assert (stores.several, len(list(stores))) == (False, 1)
        apart = OpenStore(at.store, _Through(at.catalogue))
        for named in (stores, Stores({OWN: apart, "pg": at})):
            await ground.make(at.store, 1, 2)
            ground.rows.clear()
            await pointed(named, ground.view)
            ground.write(2, LIVE, cutover=1)
            await pointed(named, ground.view)
            await pointed(named, ground.view)
            assert [one.generation for one in await at.catalogue.bindings()] == [2]


class _Through:
    """Another object over the same aliases."""

    def __init__(self, catalogue: MemoryCatalogue) -> None:
        self._catalogue = catalogue

    def __getattr__(self, name: str) -> object:
        return getattr(self._catalogue, name)
