"""One suite for every catalogue: what ingest relies on, whatever the database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from roggia_ingest.adapters.postgres import PostgresCatalogue
from roggia_ingest.adapters.sqlite import SqliteCatalogue
from roggia_ingest.catalogue import DocKey, DocState, Entry
from roggia_ingest.errors import CatalogueError, CatalogueUnavailableError, FullError
from roggia_ingest.ports import Catalogue
from roggia_runtime.errors import LostPartitionError
from roggia_runtime.records import Ownership, Partition

from tests.support.ingesting import ID, MemoryCatalogue

SOURCE = Partition("doc.changed", 3)
A, B, C = (DocKey("acme", name) for name in "abc")


def state(revision: int = 1, **fields: object) -> DocState:
    """A living document at (revision, 0)."""
    values = {"epoch": 0, "deleted": False, "domain": "docs", "event_id": ID.format(revision)}
    place = {"topic": SOURCE.topic, "partition": SOURCE.number, "offset": revision}
    return DocState(revision=revision, **{**values, **place, **fields})  # type: ignore[arg-type]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Catalogue]:
    """Every implementation of the port, empty."""
    made: Catalogue
    if request.param == "memory":
        made = MemoryCatalogue()
    elif request.param == "sqlite":
        made = SqliteCatalogue(tmp_path / "folder" / "catalogue.sqlite3")
    else:
        made = PostgresCatalogue(request.getfixturevalue("postgres_dsn"))
    await made.start()
    yield made
    await made.stop()


async def test_what_is_saved_is_loaded_and_the_rest_is_missing(catalogue: Catalogue) -> None:
    """Every field survives: versions, former domains, expiry, older states and the None that ends them."""
    entry = Entry(state(2**53 - 1, left_domains=("wiki",), expires_at=5, epoch=7), (state(1), None))
    await catalogue.save({A: entry, B: Entry(state(), (None,))})
    assert await catalogue.load([A, C]) == {A: entry}
    assert await catalogue.load([]) == {}


async def test_saving_again_replaces_and_an_entry_without_state_is_removed(catalogue: Catalogue) -> None:
    """Replace and remove in one call."""
    await catalogue.save({A: Entry(state(1), (None,)), B: Entry(state(1), (None,))})
    await catalogue.save({A: Entry(state(2), (state(1),)), B: Entry(None), C: Entry(None)})
    assert await catalogue.load([A, B, C]) == {A: Entry(state(2), (state(1),))}


async def test_keys_are_exact(catalogue: Catalogue) -> None:
    """Case, accents, quotes and slashes make different documents; nothing is trimmed or folded."""
    names = ["a", "A", "ä", "a ", "a'", 'a"', "a/b", "a%", "日本", "😀"]
    keys = [DocKey("acme", name) for name in names] + [DocKey("other", "a")]
    await catalogue.save({key: Entry(state(number), (None,)) for number, key in enumerate(keys)})
    found = await catalogue.load(keys)
    assert [entry.current.revision for key in keys if (entry := found[key]).current] == list(range(len(keys)))


async def test_many_keys_at_once(catalogue: Catalogue) -> None:
    """A batch is larger than a database's limit of parameters."""
    entries = {DocKey("acme", str(number)): Entry(state(number), (None,)) for number in range(2_000)}
    await catalogue.save(entries)
    assert await catalogue.load(list(entries)) == entries


async def test_a_tenants_domains_are_known_and_its_rows_can_be_forgotten(catalogue: Catalogue) -> None:
    """Domains of living, deleted and moved documents count; forgetting one tenant leaves the others alone."""
    other = DocKey("acme-2", "a")
    await catalogue.save(
        {
            A: Entry(state(domain="docs", left_domains=("old", "wiki")), (None,)),
            B: Entry(state(domain="gone", deleted=True), (None,)),
            other: Entry(state(domain="theirs"), (None,)),
        }
    )
    assert await catalogue.domains("acme") == {"docs", "old", "wiki", "gone"}
    assert await catalogue.domains("nobody") == set()
    assert (await catalogue.forget("acme"), await catalogue.forget("acme")) == (2, 0)
    assert set(await catalogue.load([A, B, other])) == {other}


async def test_living_documents_are_counted_per_tenant(catalogue: Catalogue) -> None:
    """Deletions do not count, nor do other tenants' documents; what comes back counts again."""
    await catalogue.save({A: Entry(state(), (None,)), B: Entry(state(), (None,)), DocKey("other", "a"): Entry(state())})
    await catalogue.save({B: Entry(state(2, deleted=True), (state(),)), C: Entry(state(deleted=True), (None,))})
    assert [await catalogue.living(name) for name in ("acme", "other", "nobody")] == [1, 1, 0]
    await catalogue.save({B: Entry(state(3), (None,))})
    assert await catalogue.living("acme") == 2


async def test_a_write_over_a_tenants_limit_writes_nothing(catalogue: Catalogue) -> None:
    """Neither its rows nor its claims, and every tenant that is over is named; at the limit all is written."""
    other = DocKey("other", "a")
    await catalogue.save({A: Entry(state(), (None,))}, {SOURCE: Ownership(7, 4)})
    rows = {key: Entry(state(), (None,)) for key in (B, C, other)}
    with pytest.raises(FullError) as full:
        await catalogue.save(rows, {SOURCE: Ownership(7, 5)}, {"acme": 2, "nobody": 1, "other": 0})
    assert full.value.tenants == ("acme", "other")
    assert set(await catalogue.load([A, B, C, other])) == {A}
    await catalogue.save(rows | {A: Entry(state(2, deleted=True))}, {SOURCE: Ownership(7, 4)}, {"acme": 2, "other": 9})
    assert await catalogue.living("acme") == 2


async def test_instances_that_write_at_once_do_not_pass_a_limit_together(postgres_dsn: str) -> None:
    """Four instances, one place left: each write alone would be within the limit, one of them is."""
    instances = [PostgresCatalogue(postgres_dsn) for _ in range(4)]
    for one in instances:
        await one.start()
    for turn in range(5):
        rows = [{DocKey(f"t{turn}", str(number)): Entry(state(), (None,))} for number in range(4)]
        writes = [one.save(row, None, {f"t{turn}": 1}) for one, row in zip(instances, rows, strict=True)]
        found = await asyncio.gather(*writes, return_exceptions=True)
        assert sorted(isinstance(one, FullError) for one in found) == [False, True, True, True]
        assert await instances[0].living(f"t{turn}") == 1
    for one in instances:
        await one.stop()


async def test_due_are_the_living_documents_of_one_source_oldest_first(catalogue: Catalogue) -> None:
    """Not those of another partition, deleted, without expiry, or later; no more than the limit."""
    entries = {
        "late": state(expires_at=200),
        "first": state(expires_at=50),
        "second": state(expires_at=100),
        "deleted": state(expires_at=50, deleted=True),
        "forever": state(),
        "elsewhere": state(expires_at=50, partition=4),
        "lane": state(expires_at=50, topic="doc.changed.replay"),
    }
    await catalogue.save({DocKey("acme", name): Entry(one, (None,)) for name, one in entries.items()})
    assert [key.doc_id for key in await catalogue.due(SOURCE, 100, 10)] == ["first", "second"]
    assert [key.doc_id for key in await catalogue.due(SOURCE, 100, 1)] == ["first"]


async def test_rows_survive_closing(tmp_path: Path, postgres_dsn: str) -> None:
    """Another process, later, finds what was saved."""
    for make in (lambda: SqliteCatalogue(tmp_path / "c.sqlite3"), lambda: PostgresCatalogue(postgres_dsn)):
        first, second = make(), make()
        await first.start()
        await first.save({A: Entry(state(), (None,))})
        await first.stop()
        await second.start()
        assert await second.load([A]) == {A: Entry(state(), (None,))}
        await second.stop()


async def test_a_newer_sqlite_file_is_refused(tmp_path: Path) -> None:
    """A file of a later version is left alone, and the message says what to do."""
    path = tmp_path / "c.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(CatalogueError, match=r"version 99.*upgrade"):
        await SqliteCatalogue(path).start()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Not overwritten: named."""
    path = tmp_path / "c.sqlite3"
    path.write_bytes(b"not a database at all, but long enough to be read as a header" * 20)
    with pytest.raises(CatalogueError, match="not a database"):
        await SqliteCatalogue(path).start()


async def test_newer_postgres_tables_are_refused(postgres_dsn: str) -> None:
    """As for the file."""
    catalogue = PostgresCatalogue(postgres_dsn)
    await catalogue.start()
    await catalogue.stop()
    connection = await asyncpg.connect(postgres_dsn)
    await connection.execute("INSERT INTO roggia_ingest_schema VALUES (99)")
    await connection.close()
    with pytest.raises(CatalogueError, match="version 99"):
        await PostgresCatalogue(postgres_dsn).start()


async def test_a_locked_file_or_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    """Transient: the loop waits instead of stopping."""
    path = tmp_path / "c.sqlite3"
    catalogue = SqliteCatalogue(path, busy_s=0.05)
    await catalogue.start()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(CatalogueUnavailableError, match="locked"):
        await catalogue.save({A: Entry(state(), (None,))})
    other.execute("ROLLBACK")
    other.close()
    await catalogue.save({A: Entry(state(), (None,))})
    await catalogue.stop()
    with pytest.raises(CatalogueUnavailableError):
        await PostgresCatalogue("postgresql://nobody@127.0.0.1:1/none").start()


@pytest.mark.parametrize("rest", ["s3cr#t@host/db", "s3cr/et@host/db", "secret@host:x/db", "secret@host/?sslmode=x"])
async def test_a_dsn_that_cannot_be_read_says_so_without_the_password(rest: str) -> None:
    """It will never work, so it is no matter of waiting; what is wrong is said in words that hold nothing of it."""
    with pytest.raises(CatalogueError, match="percent-encode") as raised:
        await PostgresCatalogue(f"postgresql://user:{rest}").start()
    assert "cr" not in str(raised.value).replace("percent-encode", "")
    assert raised.value.__suppress_context__


async def test_a_former_owner_writes_nothing_once_a_later_one_has_claimed(catalogue: Catalogue) -> None:
    """A partition's owner may come again; one that is older than the newest writes neither rows nor its claim."""
    lane = Partition("doc.changed.replay", SOURCE.number)
    old, new, other = Ownership(7, 4), Ownership(7, 5), Ownership(8, 0)
    await catalogue.save({A: Entry(state(1), (None,))}, {SOURCE: old, lane: old})
    await catalogue.save({}, {SOURCE: new})
    with pytest.raises(LostPartitionError, match=r"doc\.changed/3"):
        await catalogue.save({A: Entry(state(2), (None,)), B: Entry(state(2), (None,))}, {lane: old, SOURCE: old})
    assert await catalogue.load([A, B]) == {A: Entry(state(1), (None,))}
    await catalogue.save({B: Entry(state(3), (None,))}, {SOURCE: new, lane: old})
    await catalogue.save({}, {SOURCE: other})
    with pytest.raises(LostPartitionError):
        await catalogue.save({A: Entry(None)}, {SOURCE: new})
    assert await catalogue.load([A, B]) == {A: Entry(state(1), (None,)), B: Entry(state(3), (None,))}
