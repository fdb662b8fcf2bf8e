"""Indexes of vectors: built when a collection has grown large enough, while writes go on."""

from __future__ import annotations

from typing import Any, Final

import structlog

from roggia_embedder.adapters.pgvector.database import SELECT, Database, Held, held_from, size
from roggia_embedder.adapters.pgvector.schema import SCHEMA
from roggia_embedder.errors import StoreUnusableError
from roggia_embedder.tuning import IndexTuning

log = structlog.get_logger()

_LOCK: Final = 0x526F676769610003
"""Advisory lock of whoever builds: of several instances one does."""
_BUILD_S: Final = 6 * 3_600.0
_MOST_DIMENSIONS: Final = 2_000
"""pgvector indexes `vector` columns up to here; larger ones are searched exactly."""
_GROWTH: Final = 2.0
"""ivfflat's lists are made from the points that are there: it is built again when there are this many times those."""
_HNSW_M: Final = range(2, 101)
_HNSW_EF: Final = range(4, 1_001)


def check(tuning: IndexTuning) -> None:
    """Raise `StoreUnusableError` for what pgvector cannot do, naming field, value and remedy."""
    if tuning.quantization != "none":
        raise StoreUnusableError(f"tuning.quantization: {tuning.quantization} is not for PostgreSQL; use none")
    if tuning.ann == "hnsw":
        if tuning.m not in _HNSW_M:
            raise StoreUnusableError(f"tuning.m: {tuning.m} is not for PostgreSQL; use 2 to 100")
        if tuning.ef_construct not in _HNSW_EF or tuning.ef_construct < 2 * tuning.m:
            raise StoreUnusableError(
                f"tuning.ef_construct: {tuning.ef_construct} is not for PostgreSQL; use 2 * m ({2 * tuning.m}) to 1000"
            )


async def build(database: Database, tuning: IndexTuning) -> None:
    """Look at every collection; build what is due. Returns at once where another instance is building."""
    async with database.session() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            return
        try:
            for row in await connection.fetch(f"{SELECT} ORDER BY number"):
                await _one(connection, held_from(row), tuning)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _one(connection: Any, at: Held, tuning: IndexTuning) -> None:
    ann, held = await connection.fetchrow(
        f"SELECT ann, ann_points FROM {SCHEMA}.collections WHERE number = $1",
        at.number,
    )
    if at.spec.dimension > _MOST_DIMENSIONS or (ann == tuning.ann == "hnsw"):
        return
    points = await size(connection, at)
    if points < tuning.optimise_from_points or (ann == tuning.ann and points < _GROWTH * held):
        return
    log.info("indexing", collection=at.spec.name, points=points, index=tuning.ann)
    await _replace(connection, at, tuning)
    await connection.execute(
        f"UPDATE {SCHEMA}.collections SET ann = $2, ann_points = $3 WHERE number = $1",
        at.number,
        tuning.ann,
        points,
    )


async def _replace(connection: Any, at: Held, tuning: IndexTuning) -> None:
    """The new index is there before the old one goes. What a crash left half built goes first."""
    fresh, index = f"bodies_{at.number}_fresh", f"bodies_{at.number}_ann"
    options = (
        f"m = {tuning.m}, ef_construction = {tuning.ef_construct}"
        if tuning.ann == "hnsw"
        else f"lists = {tuning.lists}"
    )
    using = f"USING {tuning.ann} (dense vector_cosine_ops) WITH ({options})"
    for statement in (
        f"DROP INDEX CONCURRENTLY IF EXISTS {SCHEMA}.{fresh}",
        f"CREATE INDEX CONCURRENTLY {fresh} ON {at.table('bodies')} {using}",
        f"DROP INDEX CONCURRENTLY IF EXISTS {SCHEMA}.{index}",
        f"ALTER INDEX {SCHEMA}.{fresh} RENAME TO {index}",
    ):
        await connection.execute(statement, timeout=_BUILD_S)
    # Without statistics the planner takes any condition for a rare one, and sorts what it should look up.
    await connection.execute(
        f"ANALYZE {at.table('bodies')}, {at.table('points')}, {at.table('terms')}", timeout=_BUILD_S
    )
