"""How an entry lies in a table: columns for people and queries, the states themselves as JSON."""

from __future__ import annotations

import msgspec

from roggia_ingest.catalogue import DocKey, DocState, Entry
from roggia_ingest.errors import CatalogueError

SCHEMA_VERSION = 1
COLUMNS = (
    "tenant_id",
    "doc_id",
    "revision",
    "epoch",
    "deleted",
    "domain",
    "expires_at",
    "topic",
    "partition",
    '"offset"',
    "current",
    "base",
)

Row = tuple[str, str, int, int, int, str, int | None, str, int, int, str, str | None]


def to_row(item: tuple[DocKey, Entry]) -> Row | None:
    """Values in the order of `COLUMNS`; None for an entry without a current state."""
    key, (now, base) = item
    if now is None:
        return None
    place = (now.topic, now.partition, now.offset)
    return (
        *key,
        now.revision,
        now.epoch,
        int(now.deleted),
        now.domain,
        now.expires_at,
        *place,
        _json(now),
        _json(base) if base else None,
    )


def from_row(row: tuple[str, str, str, str | None]) -> tuple[DocKey, Entry]:
    """The entry in (tenant_id, doc_id, current, base). Raises `CatalogueError` when it does not read."""
    tenant_id, doc_id, now, base = row
    try:
        return DocKey(tenant_id, doc_id), Entry(_state(now), _state(base) if base else None)
    except msgspec.DecodeError as error:
        raise CatalogueError(f"catalogue row {tenant_id}/{doc_id}: {error}") from error


def _json(state: DocState) -> str:
    return msgspec.json.encode(state).decode()


def _state(text: str) -> DocState:
    return msgspec.json.decode(text, type=DocState)
