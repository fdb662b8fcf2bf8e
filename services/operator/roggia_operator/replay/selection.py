"""What a replay job sends again: a value, checked once, kept as JSON in the job."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

import msgspec
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.names import check_slug, document_key

from roggia_operator.errors import SelectionError

MAX_DOCUMENTS = 100_000
"""Documents that one selection may name: they travel in the job's record."""
LAST_MS = 253_402_300_799_999
"""End of the year 9999."""
_MAX_BYTES = 8 << 20
_SUFFIX = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")
_GENERATION = re.compile(r"g\d+\Z")


class OffsetRange(msgspec.Struct, frozen=True):
    """Offsets of one partition, from `first` up to, not including, `end`."""

    partition: int
    first: int
    end: int


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which records of `topic` are sent again through its lane, and how. Build it with `selected` or `from_json`.

    Conditions are combined by *and*; an empty one admits everything.
    """

    topic: str
    from_ms: int | None = None
    """Records of this time or later (Kafka's timestamp, milliseconds since the epoch)."""
    to_ms: int | None = None
    """Records before this time."""
    offsets: tuple[OffsetRange, ...] = ()
    """Only these ranges; partitions that are not named are left out."""
    tenant: str = ""
    domain: str = ""
    documents: tuple[str, ...] = ()
    """Only these documents, as keys `tenant/doc_id`."""
    missing: bool = False
    """The documents are those that the index missed when the job was asked for."""
    mode: Literal["same", "renew"] = "same"
    collection: str = ""
    """Suffix of another collection to fill; empty: the documents' own."""

    def as_json(self) -> str:
        """As a job carries it. Raises `SelectionError` when it would be too large for a record."""
        text = msgspec.json.encode(self)
        if len(text) > _MAX_BYTES:
            raise SelectionError(
                f"documents: {len(self.documents):,} ids take {len(text):,} bytes, a job holds {_MAX_BYTES:,}: "
                "split the list, or select by tenant and domain"
            )
        return text.decode()


def from_json(text: str) -> Selection:
    """The selection in a job. Raises `SelectionError`."""
    try:
        return selected(msgspec.json.decode(text, type=Selection))
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise SelectionError(f"spec: {error}") from None


def selected(selection: Selection) -> Selection:
    """The same selection, checked. Raises `SelectionError` naming field, value and remedy."""
    for check in (_topic, _times, _offsets, _owners, _documents, _target):
        check(selection)
    return selection


def documents(lines: list[str], tenant: str) -> tuple[str, ...]:
    """Keys of the documents that `lines` name: ids of `tenant`, or `tenant/doc_id` where none is given.

    Blank lines and repetitions are left out. Raises `SelectionError`.
    """
    names = dict.fromkeys(line.strip() for line in lines if line.strip())
    try:
        return tuple(_key(name, tenant) for name in names)
    except SchemasError as error:
        raise SelectionError(str(error)) from None


def _key(name: str, tenant: str) -> str:
    owner, slash, doc_id = (tenant, "/", name) if tenant else name.partition("/")
    if not slash or not doc_id:
        raise SelectionError(f"documents: {name!r} names no tenant; write tenant/doc_id, or give --tenant")
    return document_key(owner, doc_id).decode()


def _topic(selection: Selection) -> None:
    name = selection.topic
    try:
        known = topics.base(name) == name and any(f.replayed and f.matches(name) for f in topics.files())
    except SchemasError:
        known = False
    if not known:
        lanes = ", ".join(file.topic for file in topics.files() if file.replayed)
        raise SelectionError(f"topic: {name!r} has no replay lane; choose one of {lanes}")


def _times(selection: Selection) -> None:
    first, end = selection.from_ms, selection.to_ms
    for name, value in (("from", first), ("to", end)):
        if value is not None and value < 0:
            raise SelectionError(f"{name}: {value} lies before 1970; give a later time")
        if value is not None and value > LAST_MS:
            raise SelectionError(f"{name}: {value} lies after the year 9999; give milliseconds since 1970")
    if first is not None and end is not None and first >= end:
        raise SelectionError(f"from, to: {_spelled(first)} is not before {_spelled(end)}; swap them")


def _spelled(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _offsets(selection: Selection) -> None:
    seen: set[int] = set()
    for part in selection.offsets:
        if part.partition < 0 or part.first < 0 or part.first >= part.end:
            raise SelectionError(
                f"offsets: {part.partition}:{part.first}-{part.end} is no range; write PARTITION:FIRST-END, FIRST < END"
            )
        if part.partition in seen:
            raise SelectionError(f"offsets: partition {part.partition} is named twice; give one range per partition")
        seen.add(part.partition)


def _owners(selection: Selection) -> None:
    try:
        if selection.tenant:
            check_slug("tenant", selection.tenant)
        if selection.domain:
            check_slug("domain", selection.domain)
    except SchemasError as error:
        raise SelectionError(str(error)) from None
    if selection.domain and not selection.tenant:
        raise SelectionError(f"domain: {selection.domain!r} is a domain of which tenant? name it as well")


def _documents(selection: Selection) -> None:
    if len(selection.documents) > MAX_DOCUMENTS:
        raise SelectionError(
            f"documents: {len(selection.documents):,} are more than {MAX_DOCUMENTS:,}; select by tenant and domain"
        )
    if selection.missing and not selection.documents:
        raise SelectionError("missing: the index misses nothing of that selection; there is nothing to replay")
    strangers = [key for key in selection.documents if selection.tenant and key.partition("/")[0] != selection.tenant]
    if strangers:
        raise SelectionError(
            f"documents: {strangers[0]!r} is not of tenant {selection.tenant!r}; leave one of them out"
        )


def _target(selection: Selection) -> None:
    if not selection.collection:
        return
    if not _SUFFIX.match(selection.collection) or _GENERATION.match(selection.collection):
        raise SelectionError(
            f"collection: {selection.collection!r} is no suffix: 1 to 32 of a-z, 0-9 and -, not g and a number"
        )
    if selection.mode == "renew":
        raise SelectionError("mode: renew has no meaning with another collection, which is written anew; leave it out")
