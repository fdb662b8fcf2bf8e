"""PostgreSQL's own promises: durability, several processes at once, migrations, space. On `pgserver`'s binaries."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
from roggia_embedder.adapters.pgvector import PgvectorCatalogue, PgvectorStore
from roggia_embedder.adapters.pgvector.schema import MIGRATIONS, SCHEMA
from roggia_embedder.errors import StoreUnavailableError, StoreUnusableError, UnknownCollectionError
from roggia_embedder.indexing.writer import Delivery, IndexWriter
from roggia_embedder.ports import Attributes, CollectionSpec, Filters, IndexBinding, Passage, SearchRequest
from roggia_embedder.tuning import IndexTuning
from roggia_schemas.names import Version

from tests.support.index import (
    COLLECTION,
    SPEC,
    Content,
    contents,
    deliveries,
    document,
    expected,
    passage,
    vector,
)
from tests.support.postgres import Postgres

DOC = document("a")
CHUNK = "00000000-0000-4000-8000-00000000000"
TRIES = 30


@pytest.fixture
async def stores(pgvector_dsn: str) -> AsyncIterator[tuple[PgvectorStore, PgvectorStore]]:
    """Two processes' stores of one database, as far as the database can tell."""
    pair = (PgvectorStore.connect(pgvector_dsn), PgvectorStore.connect(pgvector_dsn))
    await asyncio.gather(*(store.ensure_collection(SPEC) for store in pair))
    yield pair
    for store in pair:
        await store.close()


async def test_acknowledged_writes_survive_a_crash_of_the_server(pgvector: Postgres, pgvector_dsn: str) -> None:
    """A server that ends right after its last answer has lost nothing, also where its default is not to wait for the
    log (this one's is); the store connects again by itself."""
    store = PgvectorStore.connect(pgvector_dsn)
    await store.ensure_collection(SPEC)
    catalogue, writer = PgvectorCatalogue(store.database), IndexWriter(store, lambda: 7)
    binding = IndexBinding("kb_acme_docs", COLLECTION, 1, SPEC.model, SPEC.dimension)
    await catalogue.bind(binding)
    for number in range(40):
        await writer.write(COLLECTION, deliveries(document(f"d{number}"), Version(1), Content(("one", "two"))))
        await writer.write(COLLECTION, deliveries(document(f"d{number}"), Version(2), Content(("two", "three"))))
    await asyncio.to_thread(pgvector.crash)
    heads, rows = await _patiently(store)
    assert rows == expected({document(f"d{n}"): {Version(2): Content(("two", "three"))} for n in range(40)})
    assert len(heads) == 40
    assert await catalogue.resolve("acme", "docs") == binding
    await store.close()


async def test_a_collection_that_another_process_made_anew_is_looked_up_again(stores: tuple) -> None:
    """What a collection holds is remembered until somebody asks to look again, or finds its tables gone."""
    store, other = stores
    assert await store.spec(COLLECTION) == SPEC
    for number in (2, 3):
        anew = replace(SPEC, model=f"fake-{number}")
        await other.drop_collection(COLLECTION)
        await other.ensure_collection(anew)
        assert await store.spec(COLLECTION) != anew
        if number == 2:
            assert await store.spec(COLLECTION, fresh=True) == anew
        else:
            with pytest.raises(UnknownCollectionError):
                await store.point_count(COLLECTION)
            assert await store.spec(COLLECTION) == anew
    await other.drop_collection(COLLECTION)
    assert await store.spec(COLLECTION, fresh=True) is None


async def _patiently(store: PgvectorStore) -> tuple:
    """Connections of before the crash are refused once, as unavailable, each."""
    for _ in range(TRIES):
        try:
            return await contents(store)
        except StoreUnavailableError:
            await asyncio.sleep(0.1)
    raise AssertionError("the store never came back")


async def _until_done(work: object) -> None:
    """What the consumer loop does: a store that says "not now" is asked again."""
    for _ in range(TRIES):
        try:
            return await work()
        except StoreUnavailableError:
            await asyncio.sleep(0.01)
    raise AssertionError("never done")


@pytest.mark.parametrize("seed", range(4))
async def test_the_highest_version_wins_any_race(stores: tuple, seed: int) -> None:
    """Upserts of the same points from two processes, in any order and overlap: each point is the highest version's,
    with that version's text, vector and words, and no other's."""
    chance = random.Random(seed)
    numbers = list(range(1, 25))
    chance.shuffle(numbers)

    def made(number: int) -> list[Passage]:
        rows = [_version(place, number) for place in range(6)]
        chance.shuffle(rows)
        return rows

    batches = [(chance.choice(stores), made(number)) for number in numbers]
    await asyncio.gather(*(_until_done(lambda s=s, b=b: s.upsert(COLLECTION, b)) for s, b in batches))
    found = {row.attributes.chunk_id: row async for row in stores[0].scan(COLLECTION)}
    assert len(found) == 6
    for row in found.values():
        assert (row.attributes.version, row.text) == (Version(24), f"word{24} river")
        assert row.dense == pytest.approx(vector("24"), abs=1e-6)
    connection = await asyncpg.connect(stores[0].database._url)
    assert await connection.fetchval(f"SELECT count(*) FROM {SCHEMA}.terms_1") == 12
    assert await connection.fetchval(f"SELECT count(*) FROM {SCHEMA}.bodies_1") == 6
    await connection.close()


def _version(place: int, number: int) -> Passage:
    held = Attributes(f"{CHUNK}{place}", DOC, Version(number), ("*",), language="en")
    return Passage(held, f"word{number} river", vector(str(number)))


@pytest.mark.parametrize("seed", range(6))
async def test_two_writers_that_crash_end_at_the_newest_version(stores: tuple, seed: int) -> None:
    """Two processes write versions of the same documents at once, and are cut off anywhere: when every delivery has
    been written once, the index is what the newest versions say."""
    chance = random.Random(seed)
    corpus = {document(f"d{number}"): _versions(chance) for number in range(8)}
    jobs = [
        delivery
        for owner, held in corpus.items()
        for version, said in held.items()
        for delivery in deliveries(owner, version, said, parts=chance.randint(1, 2) if said.texts else 1)
    ]
    jobs += chance.sample(jobs, 8)
    chance.shuffle(jobs)
    halves = (jobs[::2], jobs[1::2])
    await asyncio.gather(*(_work(chance, store, half) for store, half in zip(stores, halves, strict=True)))
    heads, rows = await contents(stores[1])
    assert rows == expected(corpus)
    assert {owner: head.version for owner, head in heads.items()} == {o: max(held) for o, held in corpus.items()}


async def _work(chance: random.Random, store: PgvectorStore, jobs: list[Delivery]) -> None:
    writer = IndexWriter(store, lambda: 7)
    for job in jobs:
        if chance.random() < 0.3:
            cut = asyncio.create_task(writer.write(COLLECTION, [job]))
            await asyncio.sleep(chance.random() * 0.02)
            cut.cancel()
            await asyncio.gather(cut, return_exceptions=True)
        await _until_done(lambda job=job: writer.write(COLLECTION, [job]))


def _versions(chance: random.Random) -> dict[Version, Content]:
    def said() -> Content:
        if chance.random() < 0.2:
            return Content((), (), deleted=True)
        texts = chance.sample(["alpha", "beta", "gamma", "delta"], chance.randint(0, 3))
        return Content(tuple(texts), chance.choice([("*",), ("staff",)]), chance.choice(["en", "de"]))

    return {Version(number, number % 2): said() for number in chance.sample(range(6), chance.randint(1, 4))}


async def test_dropping_gives_the_space_back(stores: tuple, pgvector_dsn: str) -> None:
    """The database is as small after a drop as it was before the collection was filled; nothing is left to vacuum."""
    connection = await asyncpg.connect(pgvector_dsn)

    async def size() -> int:
        return await connection.fetchval("SELECT pg_database_size(current_database())")

    empty = await size()
    big = CollectionSpec("kb_acme_big__g1", 1, "fake-1", 384)
    await stores[0].ensure_collection(big)
    made = [passage(DOC, Version(1), f"text {number}") for number in range(500)]
    await stores[0].upsert(big.name, [Passage(p.attributes, p.text, vector(p.text, 384)) for p in made])
    assert await size() > empty + 500 * 384 * 4
    await stores[0].drop_collection(big.name)
    assert await size() < empty + 100_000
    await connection.close()


async def test_a_collection_dropped_elsewhere_is_unknown_and_its_successor_is_found(stores: tuple) -> None:
    """A process that knows a collection's tables learns from the next call that they are gone, and of the new ones."""
    here, elsewhere = stores
    await here.upsert(COLLECTION, [passage(DOC, Version(1), "x")])
    await elsewhere.drop_collection(COLLECTION)
    with pytest.raises(UnknownCollectionError):
        await here.point_count(COLLECTION)
    await elsewhere.ensure_collection(SPEC)
    assert await here.point_count(COLLECTION) == 0


async def test_a_dropped_collection_takes_its_aliases_along(stores: tuple) -> None:
    """No alias can point at nothing: a reader is told that there is no index, not sent to one that is gone."""
    catalogue = PgvectorCatalogue(stores[0].database)
    await catalogue.bind(IndexBinding("kb_acme_docs", COLLECTION, 1, SPEC.model, SPEC.dimension))
    await stores[1].drop_collection(COLLECTION)
    assert await catalogue.resolve("acme", "docs") is None


async def test_text_that_postgresql_cannot_hold_comes_back_as_written(stores: tuple) -> None:
    """U+0000 in title, metadata or text (PostgreSQL has none), and the character that stands in for it, survive."""
    odd = ["a\0b", "\ue000", "\ue0000", "\0\ue0001\0"]
    made = [
        passage(DOC, Version(1), f"river {text}", title=text, source=text, heading_path=(text,), metadata={text: text})
        for text in odd
    ]
    await stores[0].upsert(COLLECTION, made)
    held = {found.text: found async for found in stores[0].scan(COLLECTION)}
    assert {text: found.attributes for text, found in held.items()} == {p.text: p.attributes for p in made}
    for one in made:
        wanted = Filters(source=one.attributes.source, metadata=one.attributes.metadata)
        request = SearchRequest("acme", (), 10, 0, dense=vector("river"), filters=wanted)
        assert [hit.text for hit in await stores[0].search(COLLECTION, request)] == [one.text]


async def test_tables_of_a_newer_version_are_refused(stores: tuple, pgvector_dsn: str) -> None:
    """An older program does not touch what a newer one has made, and says what to do."""
    connection = await asyncpg.connect(pgvector_dsn)
    assert await connection.fetchval(f"SELECT max(version) FROM {SCHEMA}.migrations") == len(MIGRATIONS)
    await connection.execute(f"INSERT INTO {SCHEMA}.migrations VALUES (99)")
    await connection.close()
    with pytest.raises(StoreUnusableError, match=r"version 99.*upgrade Roggia"):
        await PgvectorStore.connect(pgvector_dsn).collections()


async def test_a_reader_needs_no_right_to_create(stores: tuple, pgvector_dsn: str) -> None:
    """The query role may have an account of its own that reads and nothing more."""
    await stores[0].upsert(COLLECTION, [passage(DOC, Version(1), "x")])
    connection = await asyncpg.connect(pgvector_dsn)
    await connection.execute(
        f"DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA {SCHEMA} TO reader;"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO reader"
    )
    reader = PgvectorStore.connect(pgvector_dsn.replace("roggia@", "reader@"))
    found = await reader.search(COLLECTION, SearchRequest("acme", (), 1, 0, dense=vector("x")))
    assert [hit.text for hit in found] == ["x"]
    await reader.close()
    await connection.execute("DROP OWNED BY reader; DROP ROLE reader")
    await connection.close()


async def test_a_server_without_the_extension_is_refused_in_words(postgres_dsn: str) -> None:
    """The message names what is missing and who can mend it."""
    with pytest.raises(StoreUnusableError, match=r"no extension vector.*CREATE EXTENSION vector"):
        await PgvectorStore.connect(postgres_dsn).collections()


async def test_a_server_that_is_away_is_unavailable() -> None:
    """The consumer loop waits for it instead of ending."""
    with pytest.raises(StoreUnavailableError):
        await PgvectorStore.connect("postgresql://nobody@127.0.0.1:1/none").collections()


@pytest.mark.parametrize("rest", ["geh@eim:x/db", "geheim@host:port/db"])
async def test_an_unreadable_url_is_refused_without_its_password(rest: str) -> None:
    """The message says how to write it, and holds nothing of it."""
    with pytest.raises(StoreUnusableError, match="store_key") as told:
        await PgvectorStore.connect(f"postgresql://user:{rest}").collections()
    assert "geheim" not in str(told.value)


@pytest.mark.parametrize(
    ("tuning", "field"),
    [
        ({"m": 0}, "tuning.m"),
        ({"ef_construct": 4}, "tuning.ef_construct"),
        ({"quantization": "scalar_int8"}, "tuning.quantization"),
    ],
)
def test_a_tuning_that_pgvector_does_not_have_is_refused(tuning: dict, field: str) -> None:
    """Nothing is silently changed to what the engine can do."""
    with pytest.raises(StoreUnusableError, match=field):
        PgvectorStore.connect("postgresql://host/db", tuning=IndexTuning.model_validate(tuning))
