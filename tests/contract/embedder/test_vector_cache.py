"""What every vector cache must do."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from roggia_embedder.adapters.sqlite_cache import SqliteVectorCache
from roggia_embedder.ports import Bill, BillBox, CacheUse, VectorCache
from roggia_schemas.names import Version

from tests.support.embedding import MemoryCache, bill

A, B, C = "aa" * 32, "bb" * 32, "cc" * 32
MODEL = "m1"
FIRST = Version(1)


@pytest.fixture(params=["memory", "sqlite"])
async def cache(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorCache]:
    """An empty cache of each kind."""
    made: VectorCache = MemoryCache()
    if request.param == "sqlite":
        made = SqliteVectorCache(tmp_path / "vectors.sqlite3")
        await made.start()
    yield made
    await made.close()


def rows(*hashes: str) -> dict[str, np.ndarray]:
    """A vector for each hash, exact in float32."""
    return {text_hash: np.arange(4, dtype=np.float32) + int(text_hash[:2], 16) for text_hash in hashes}


def use(doc_id: str, *hashes: str, version: Version = FIRST) -> CacheUse:
    """What a document uses."""
    return CacheUse(doc_id, frozenset(hashes), version)


async def held(cache: VectorCache, tenant: str = "acme", model: str = MODEL) -> set[str]:
    """Which of the three hashes are there."""
    return set(await cache.get(tenant, model, [A, B, C]))


async def owed(cache: VectorCache, limit: int = 9) -> list[Bill]:
    """Bills that wait."""
    box: BillBox = cache  # type: ignore[assignment]
    return list(await box.bills(limit))


async def test_bills_wait_beside_the_vectors_until_they_are_settled(cache: VectorCache) -> None:
    """Oldest first, whole, once: one that is brought again stays as it was; also without any vector, and for a tenant
    whose vectors are forgotten."""
    await cache.put("acme", MODEL, rows(A), [use("d", A)], [bill(2), bill(1)])
    await cache.put("acme", MODEL, {}, [], [bill(3), bill(2, tokens=9)])
    assert await owed(cache) == [bill(1), bill(2), bill(3)]
    assert await owed(cache, 2) == [bill(1), bill(2)]
    await cache.forget("acme")
    await cache.settle([bill(1).event_id, bill(3).event_id, "not there"])  # type: ignore[attr-defined]
    assert await owed(cache) == [bill(2)]


async def test_bills_survive_the_process_and_a_put_that_fails_leaves_none(tmp_path: Path) -> None:
    """What costs money is in the same transaction as what it has bought."""
    cache = SqliteVectorCache(tmp_path / "v.sqlite3")
    await cache.start()
    await cache.put("acme", MODEL, rows(A), [use("d", A)], [bill(1)])
    with pytest.raises(ValueError, match="no vector"):
        await cache.put("acme", MODEL, {B: "no vector"}, [use("d", A, B)], [bill(2)])  # type: ignore[dict-item]
    await cache.close()
    again = SqliteVectorCache(tmp_path / "v.sqlite3")
    await again.start()
    assert await owed(again) == [bill(1)]
    await again.close()


async def test_vectors_come_back_bit_for_bit(cache: VectorCache) -> None:
    """What was stored is read unchanged, and only that."""
    await cache.put("acme", MODEL, rows(A, B), [use("d", A, B)])
    found = await cache.get("acme", MODEL, [A, B, C])
    assert set(found) == {A, B}
    np.testing.assert_array_equal(found[A], rows(A)[A])


async def test_a_vector_lives_as_long_as_a_document_uses_it(cache: VectorCache) -> None:
    """Erasing one of two users keeps the vector; erasing the last erases it."""
    await cache.put("acme", MODEL, rows(A), [use("one", A), use("two", A)])
    await cache.put("acme", MODEL, {}, [use("one")])
    assert await held(cache) == {A}
    await cache.put("acme", MODEL, {}, [use("two")])
    assert await held(cache) == set()


async def test_an_edit_erases_what_is_no_longer_used(cache: VectorCache) -> None:
    """A document's new set replaces its old one."""
    await cache.put("acme", MODEL, rows(A, B), [use("d", A, B)])
    await cache.put("acme", MODEL, rows(C), [use("d", B, C)])
    assert await held(cache) == {B, C}


async def test_tenants_and_models_are_apart(cache: VectorCache) -> None:
    """Neither reads nor erases reach over."""
    await cache.put("acme", MODEL, rows(A), [use("d", A)])
    await cache.put("globex", MODEL, rows(A), [use("d", A)])
    await cache.put("acme", "m2", rows(A), [use("d", A)])
    await cache.put("acme", MODEL, {}, [use("d")])
    assert await held(cache) == set()
    assert await held(cache, "globex") == {A}
    assert await held(cache, "acme", "m2") == {A}


async def test_a_tenant_can_be_forgotten_whole(cache: VectorCache) -> None:
    """Vectors, uses and noted versions of every model go; other tenants keep theirs; twice is once."""
    for tenant, model in (("acme", MODEL), ("acme", "m2"), ("globex", MODEL)):
        await cache.put(tenant, model, rows(A), [use("d", A)])
    assert await cache.forget("acme") > 0
    assert await cache.forget("acme") == 0
    assert await held(cache) | await held(cache, model="m2") == set()
    assert await cache.versions("acme", MODEL, ["d"]) == {}
    assert await held(cache, "globex") == {A}


async def test_a_vector_that_nobody_uses_is_not_kept(cache: VectorCache) -> None:
    """An older revision of the same batch leaves nothing behind."""
    await cache.put("acme", MODEL, rows(A, B), [use("d", A), use("d", B)])
    assert await held(cache) == {B}


async def test_an_older_version_changes_nothing(cache: VectorCache) -> None:
    """A replayed old chunk set neither evicts what is used now nor brings back what a deletion erased."""
    await cache.put("acme", MODEL, rows(A), [use("d", A, version=Version(2, 1)), use("gone", version=Version(5))])
    await cache.put("acme", MODEL, rows(B, C), [use("d", B, version=Version(2)), use("gone", C, version=Version(4, 9))])
    assert await held(cache) == {A}
    assert await cache.versions("acme", MODEL, ["d", "gone", "new"]) == {"d": Version(2, 1), "gone": Version(5)}
    await cache.put("acme", MODEL, rows(C), [use("gone", C, version=Version(6))])
    assert await held(cache) == {A, C}


async def test_the_newest_use_of_a_batch_counts(cache: VectorCache) -> None:
    """Whatever their order in the batch."""
    await cache.put("acme", MODEL, rows(A, B), [use("d", A, version=Version(3)), use("d", B, version=Version(2))])
    assert await held(cache) == {A}


async def test_a_file_from_before_versions_goes_on(tmp_path: Path) -> None:
    """Its vectors and uses hold; a document has no version until its next use."""
    path = tmp_path / "v.sqlite3"
    old = SqliteVectorCache(path)
    await old.start()
    await old.put("acme", MODEL, rows(A, B), [use("d", A), use("e", B)])
    await old.close()
    with closing(sqlite3.connect(path)) as file:
        file.execute("DROP TABLE documents")
    new = SqliteVectorCache(path)
    await new.start()
    assert await held(new) == {A, B}
    assert await new.versions("acme", MODEL, ["d"]) == {}
    await new.put("acme", MODEL, rows(C), [use("d", C, version=Version(2))])
    assert await held(new) == {B, C}
    await new.close()


async def test_a_file_that_another_process_wrote_is_read(tmp_path: Path) -> None:
    """Two embed processes of one machine share what they computed."""
    one, two = SqliteVectorCache(tmp_path / "v.sqlite3"), SqliteVectorCache(tmp_path / "v.sqlite3")
    await one.start()
    await two.start()
    await one.put("acme", MODEL, rows(A), [use("d", A)])
    assert await held(two) == {A}
    await one.close()
    await two.close()


async def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """Vectors and uses are one transaction: a hash that is none stops all of it, and the cache works on."""
    cache = SqliteVectorCache(tmp_path / "v.sqlite3")
    await cache.start()
    broken = dict.fromkeys([A], np.array(["no number"]))
    with pytest.raises(ValueError, match="could not convert"):
        await cache.put("acme", MODEL, broken, [use("d", A)])  # type: ignore[arg-type]
    assert await held(cache) == set()
    await cache.put("acme", MODEL, rows(A), [use("d", A)])
    assert await held(cache) == {A}
    await cache.close()
