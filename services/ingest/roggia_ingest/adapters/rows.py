"""How an entry lies in a table: columns for people and queries, the states themselves as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable

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
    "older",
)

Row = tuple[str, str, int, int, int, str, int | None, str, int, int, str, str]


def to_row(item: tuple[DocKey, Entry]) -> Row | None:
    """Values in the order of `COLUMNS`; None for an entry without a current state."""
    key, (now, older) = item
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
        msgspec.json.encode(now).decode(),
        msgspec.json.encode(older).decode(),
    )


def from_row(row: tuple[str, str, str, str]) -> tuple[DocKey, Entry]:
    """The entry in (tenant_id, doc_id, current, older). Raises `CatalogueError` when it does not read."""
    tenant_id, doc_id, now, older = row
    try:
        states = msgspec.json.decode(older, type=tuple[DocState | None, ...])
        return DocKey(tenant_id, doc_id), Entry(msgspec.json.decode(now, type=DocState), states)
    except msgspec.DecodeError as error:
        raise CatalogueError(f"catalogue row {tenant_id}/{doc_id}: {error}") from error


def domains_of(rows: Iterable[tuple[str, str | None]]) -> set[str]:
    """Domains in rows of (domain, JSON list of domains that were left)."""
    found: set[str] = set()
    for domain, left in rows:
        found |= {domain, *(json.loads(left) if left else ())}
    return found
