"""Catalogue and vector cache on a disk that is really full: they wait, lose nothing, and go on once there is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from roggia_embedder.adapters.sqlite_cache import SqliteVectorCache
from roggia_embedder.errors import CacheUnavailableError
from roggia_embedder.ports import CacheUse
from roggia_ingest.adapters.sqlite import SqliteCatalogue
from roggia_ingest.catalogue import DocKey, DocState, Entry
from roggia_ingest.errors import CatalogueUnavailableError
from roggia_schemas.names import Version

from tests.support.ingesting import ID
from tests.support.storm.disk import SmallDisk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk of this test alone."""
    made = SmallDisk(tmp_path / "disk", mib=8)
    if not made.small:
        pytest.skip("this user may not mount a tmpfs")
    yield made
    made.close()


def entries(count: int, event: str) -> dict[DocKey, Entry]:
    """Rows that take about 1 kB each."""
    state = DocState(
        revision=1, epoch=0, deleted=False, domain="docs", event_id=event, topic="doc.changed", partition=0, offset=1
    )
    return {DocKey("acme", f"{number}" * 60): Entry(state, (state, None)) for number in range(count)}


async def test_the_catalogue_waits_for_room_and_keeps_what_it_had(disk: SmallDisk) -> None:
    """A write on a full disk is unavailable and leaves nothing behind; reads go on, writes once there is room."""
    catalogue = SqliteCatalogue(disk.folder / "catalogue.sqlite3")
    await catalogue.start()
    await catalogue.save(entries(3, ID.format(1)))
    disk.fill()
    with pytest.raises(CatalogueUnavailableError, match="full"):
        while True:
            await catalogue.save(entries(500, ID.format(2)))
    held = await catalogue.load(list(entries(3, "")))
    assert len(held) == 3
    disk.empty()
    await catalogue.save(entries(500, ID.format(3)))
    assert await catalogue.load(list(entries(500, ""))) == entries(500, ID.format(3))
    await catalogue.stop()


async def test_the_vector_cache_waits_for_room(disk: SmallDisk) -> None:
    """The same for vectors: neither a crash nor half of a batch."""
    cache = SqliteVectorCache(disk.folder / "vectors.sqlite3")
    await cache.start()
    await cache.put("acme", "m", {}, [CacheUse("first", frozenset(), Version(1))])
    disk.fill()
    vectors = {f"{number:064x}": np.ones(4_096, dtype=np.float32) for number in range(300)}
    use = CacheUse("d", frozenset(vectors), Version(1))
    with pytest.raises(CacheUnavailableError, match="full"):
        await cache.put("acme", "m", vectors, [use])
    assert await cache.versions("acme", "m", ["d"]) == {}
    disk.empty()
    await cache.put("acme", "m", vectors, [use])
    assert len(await cache.get("acme", "m", list(vectors))) == len(vectors)
    await cache.close()


async def test_neither_crashes_when_it_starts_on_a_full_disk(disk: SmallDisk) -> None:
    """A start is tried again by the service: both say that they are unavailable, then open."""
    catalogue = SqliteCatalogue(disk.folder / "catalogue.sqlite3")
    cache = SqliteVectorCache(disk.folder / "vectors.sqlite3")
    disk.fill()
    with pytest.raises(CatalogueUnavailableError):
        await catalogue.start()
    with pytest.raises(CacheUnavailableError):
        await cache.start()
    disk.empty()
    await catalogue.start()
    await cache.start()
    await catalogue.stop()
    await cache.close()
