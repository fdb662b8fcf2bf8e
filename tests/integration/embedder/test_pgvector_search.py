"""Search on PostgreSQL: what the vector indexes may change (how fast) and what they may not (who sees what)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
from roggia_embedder import lexical
from roggia_embedder.adapters.memory import MemoryStore
from roggia_embedder.adapters.pgvector import PgvectorStore
from roggia_embedder.adapters.pgvector.schema import SCHEMA
from roggia_embedder.ports import CollectionSpec, Hit, Passage, SearchRequest
from roggia_embedder.tuning import IndexTuning
from roggia_schemas.names import Version

from tests.support.index import COLLECTION, SPEC, document, passage, vector

POINTS, QUERIES = 1_500, 15
WORDS = ["river", "rivers", "mill", "valley", "stone", "bridge", "old", "oak", "winter", "the", "of", "and"]
DOC = document("a")


@pytest.fixture
async def connect(pgvector_dsn: str) -> AsyncIterator[Callable[..., PgvectorStore]]:
    """Stores of one database, by their tuning. So few points are not worth an index: the planner must be told."""
    connection = await asyncpg.connect(pgvector_dsn)
    await connection.execute(f"ALTER DATABASE {pgvector_dsn.rpartition('/')[2]} SET enable_sort = off")
    await connection.close()
    made: list[PgvectorStore] = []

    def connected(**tuning: object) -> PgvectorStore:
        made.append(PgvectorStore.connect(pgvector_dsn, tuning=IndexTuning.model_validate(tuning)))
        return made[-1]

    yield connected
    for store in made:
        await store.close()


def corpus(count: int, **attributes: object) -> list[Passage]:
    """Texts of few words, so that words have many frequencies."""
    chance = random.Random(5)
    texts = {" ".join(chance.choices(WORDS, k=chance.randint(2, 9))) + f" {n}" for n in range(count)}
    return [passage(DOC, Version(1), text, **attributes) for text in sorted(texts)]


def asked(number: int, **changes: object) -> SearchRequest:
    """A dense query."""
    return SearchRequest(**{"tenant_id": "acme", "groups": ("staff",), "k": 10, "now_ms": 0,
                            "dense": vector(f"query {number}"), **changes})  # fmt: skip


async def index_of(dsn: str) -> str | None:
    """Which method the collection's vector index has, as the database says."""
    connection = await asyncpg.connect(dsn)
    method = await connection.fetchval(
        "SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid "
        "WHERE relname = 'bodies_1_ann' AND indisvalid"
    )
    await connection.close()
    return method


def overlap(found: list[Hit], exact: list[Hit]) -> float:
    """Share of the exact answer that was found."""
    return len({h.chunk_id for h in found} & {h.chunk_id for h in exact}) / len(exact)


@pytest.mark.parametrize("ann", ["hnsw", "ivfflat"])
async def test_the_index_finds_what_an_exact_search_finds(connect: Callable, pgvector_dsn: str, ann: str) -> None:
    """Built by `maintain` past the threshold and used from then on; nine in ten of the exact answer at the least."""
    store = connect(ann=ann, lists=20, probes=8, optimise_from_points=POINTS // 2)
    await store.ensure_collection(SPEC)
    await store.maintain()
    assert await index_of(pgvector_dsn) is None
    await store.upsert(COLLECTION, corpus(POINTS))
    exact = [await store.search(COLLECTION, asked(number)) for number in range(QUERIES)]
    await store.maintain()
    assert await index_of(pgvector_dsn) == ann
    found = [await store.search(COLLECTION, asked(number)) for number in range(QUERIES)]
    assert sum(map(overlap, found, exact)) / QUERIES >= 0.9
    await store.close()
    assert await _scans(pgvector_dsn) >= QUERIES


async def _scans(dsn: str) -> int:
    """Uses of the index. A server process tells them when its client has gone."""
    connection, scans = await asyncpg.connect(dsn), 0
    for _ in range(50):
        scans = await connection.fetchval("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname LIKE '%_ann'")
        if scans >= QUERIES:
            break
        await asyncio.sleep(0.1)
    await connection.close()
    return scans


async def test_an_exact_search_leaves_the_index_aside(connect: Callable, pgvector_dsn: str) -> None:
    """What an index that looks into one of its lists misses, a search that is asked to be exact finds, without it."""
    store = connect(ann="ivfflat", lists=50, probes=1, optimise_from_points=100)
    await store.ensure_collection(SPEC)
    await store.upsert(COLLECTION, corpus(POINTS))
    due = [await store.search(COLLECTION, asked(number)) for number in range(QUERIES)]
    await store.maintain()
    exact = [await store.search(COLLECTION, asked(number, exact=True)) for number in range(QUERIES)]
    assert exact == due
    near = [await store.search(COLLECTION, asked(number)) for number in range(QUERIES)]
    assert sum(map(overlap, near, due)) / QUERIES < 0.9


@pytest.mark.parametrize("ann", ["hnsw", "ivfflat"])
@pytest.mark.parametrize("mode", ["dense", "hybrid"])
async def test_an_index_full_of_what_may_not_be_seen_hides_nothing(connect: Callable, ann: str, mode: str) -> None:
    """Where the nearest points are all somebody else's, the search looks on, exactly: all 12 are found, in order."""
    store, reference = connect(ann=ann, lists=20, probes=2, optimise_from_points=100), MemoryStore()
    hidden = corpus(POINTS, acl=("board",))
    seen = [passage(document("b"), Version(1), f"oak of winter {number}", acl=("staff",)) for number in range(12)]
    words = lexical.encode_query("winter oak", ["en"]) if mode == "hybrid" else None
    for each in (store, reference):
        await each.ensure_collection(SPEC)
        await each.upsert(COLLECTION, hidden + seen)
    await store.maintain()
    for number in range(QUERIES):
        request = asked(number, k=20, lexical=words)
        found, due = await store.search(COLLECTION, request), await reference.search(COLLECTION, request)
        assert [hit.chunk_id for hit in found] == [hit.chunk_id for hit in due]
        assert len(found) == 12


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
async def test_ranks_and_scores_are_the_reference_s(connect: Callable, mode: str) -> None:
    """BM25 with the document frequencies of the whole collection, and their fusion, as brute force computes them:
    also after bumps, replacements and deletions."""
    store, reference = connect(), MemoryStore()
    made = [*corpus(400, language="en"), passage(document("b"), Version(1), "rivers", language="de", acl=("board",))]
    for each in (store, reference):
        await each.ensure_collection(SPEC)
        await each.upsert(COLLECTION, made)
        changed = [passage(DOC, Version(2), p.text, language="de" if n % 2 else "en") for n, p in enumerate(made[:90])]
        await each.upsert(COLLECTION, changed[::2])
        await each.bump(COLLECTION, [p.attributes for p in changed])
        await each.delete_older(COLLECTION, {document("b"): Version(2)})
    for query in ("rivers of winter", "the old mill", "Stones and bridges", "nothing"):
        words = lexical.encode_query(query, ["en"])
        request = asked(1, lexical=words, dense=vector(query) if mode == "hybrid" else None, k=50,
                        candidates=len(made))  # fmt: skip
        found, due = await store.search(COLLECTION, request), await reference.search(COLLECTION, request)
        # Sums in another order differ in their last bit, and what is nearly equal may then change places.
        close = 1e-5 if mode == "lexical" else 0.02
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in due], rel=close)
        # Equal scores at the limit may be cut either way.
        last = due[-1].score * 1.03 if due else 0
        assert {hit.chunk_id for hit in found if hit.score > last} == {hit.chunk_id for hit in due if hit.score > last}


async def test_another_index_is_built_before_the_old_one_goes(connect: Callable, pgvector_dsn: str) -> None:
    """A change of the tuning takes effect at the next `maintain`; what a crash left half built is no obstacle."""
    first = connect(ann="hnsw", optimise_from_points=100)
    await first.ensure_collection(SPEC)
    await first.upsert(COLLECTION, corpus(300))
    await first.maintain()
    connection = await asyncpg.connect(pgvector_dsn)
    await connection.execute(f"CREATE INDEX bodies_1_fresh ON {SCHEMA}.bodies_1 (number)")
    await connection.close()
    await connect(ann="ivfflat", lists=10, optimise_from_points=100).maintain()
    assert await index_of(pgvector_dsn) == "ivfflat"


async def test_ivfflat_is_built_again_when_its_lists_are_old(connect: Callable, pgvector_dsn: str) -> None:
    """Lists are made from the points that are there: at twice as many they are made again, before that they stay."""
    store = connect(ann="ivfflat", lists=10, optimise_from_points=100)
    await store.ensure_collection(SPEC)
    made, built = corpus(420), []
    for upto in (200, 390, 410):
        await store.upsert(COLLECTION, made[:upto])
        await store.maintain()
        connection = await asyncpg.connect(pgvector_dsn)
        built.append(await connection.fetchval(f"SELECT ann_points FROM {SCHEMA}.collections"))
        await connection.close()
    assert built == [200, 200, 410]


async def test_vectors_too_long_for_an_index_are_searched_exactly(connect: Callable, pgvector_dsn: str) -> None:
    """pgvector indexes 2,000 dimensions at most; beyond, `maintain` leaves the collection as it is."""
    store, wide = connect(optimise_from_points=1), CollectionSpec(COLLECTION, 1, "wide", 2_048)
    await store.ensure_collection(wide)
    made = [Passage(p.attributes, p.text, vector(p.text, 2_048)) for p in corpus(5)]
    await store.upsert(COLLECTION, made)
    await store.maintain()
    assert await index_of(pgvector_dsn) is None
    found = await store.search(COLLECTION, asked(0, dense=made[3].dense, k=1))
    assert [hit.text for hit in found] == [made[3].text]
