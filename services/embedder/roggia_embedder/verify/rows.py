"""What both sides become before they are compared: small rows without texts, which fit on disk by the million.

A document of the log becomes one `Expected`, a stored point one `Fact`. Texts, heading paths and attributes become
digests of 96 bits: two that differ have the same one by chance once in 2^96.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from functools import cached_property
from typing import Final

import msgspec
from roggia_schemas.events import DocChunked
from roggia_schemas.names import Version

from roggia_embedder.indexing.deliveries import content_digest
from roggia_embedder.ports import Attributes, CollectionSpec, Document, Head, model_stamp
from roggia_embedder.ports.held import Held, HeldHead

_SIZE: Final = 12
_ID: Final = 16
_CHUNK: Final = _ID + 2 * _SIZE
NO_POINT: Final = bytes(_ID)


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """One chunk of a set: its id, and the digests of its heading path and its text."""

    point: bytes
    heading: bytes
    text: bytes


class Expected(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """The newest record of a document on the log, and where it lies. `gone`: a Kafka null, nothing is known now."""

    tenant: str
    doc_id: str
    partition: int
    offset: int
    gone: bool
    domain: str = ""
    left_domains: tuple[str, ...] = ()
    revision: int = 0
    epoch: int = 0
    deleted: bool = False
    digest: str = ""
    acl: tuple[str, ...] = ()
    title: str | None = None
    source: str | None = None
    language: str | None = None
    created_at: int | None = None
    expires_at: int | None = None
    metadata: dict[str, str] = {}
    packed: bytes = b""

    @property
    def version(self) -> Version:
        """The version that the index has to be at."""
        return Version(self.revision, self.epoch)

    @property
    def living(self) -> bool:
        """The document is to be found."""
        return not self.gone and not self.deleted

    @property
    def document(self) -> Document:
        """The document in its own domain."""
        return Document(self.tenant, self.domain, self.doc_id)

    @property
    def total(self) -> int:
        """Chunks of the set."""
        return len(self.packed) // _CHUNK

    @cached_property
    def attributes(self) -> bytes:
        """Digest of what every passage of the document has to say besides text and heading path."""
        return stored_attributes(self)

    def chunks(self) -> Iterator[Chunk]:
        """The set."""
        for at in range(0, len(self.packed), _CHUNK):
            row = self.packed[at : at + _CHUNK]
            yield Chunk(row[:_ID], row[_ID : _ID + _SIZE], row[_ID + _SIZE :])


class Fact(msgspec.Struct, frozen=True, array_like=True):
    """One stored point. `whose` is the document that its payload names; `place` numbers the collection."""

    place: int
    point: bytes
    tenant: str
    domain: str
    doc_id: str
    revision: int
    epoch: int
    head: bool
    good_model: bool = True
    good_vector: bool = True
    well_formed: bool = True
    attributes: bytes = b""
    heading: bytes = b""
    text: bytes = b""
    deleted: bool = False
    indexed: bool = False
    total: int = 0
    digest: str = ""

    @property
    def version(self) -> Version:
        """The version that the point is at."""
        return Version(self.revision, self.epoch)

    @property
    def whose(self) -> Document:
        """The document that the payload names."""
        return Document(self.tenant, self.domain, self.doc_id)


def forgotten(tenant: str, doc_id: str, partition: int, offset: int) -> Expected:
    """The row of a Kafka null, or (offset -1) of a document that the log does not know."""
    return Expected(tenant, doc_id, partition, offset, gone=True)


def expected(event: DocChunked, partition: int, offset: int) -> Expected:
    """The row of an event that lies at this place on the log."""
    return Expected(
        tenant=event.tenant_id,
        doc_id=event.doc_id,
        partition=partition,
        offset=offset,
        gone=False,
        domain=event.domain,
        left_domains=event.left_domains,
        revision=event.revision,
        epoch=event.epoch,
        deleted=event.deleted,
        digest=content_digest(event, [chunk.chunk_id for chunk in event.chunks]),
        acl=event.acl,
        title=event.title,
        source=event.source,
        language=event.language,
        created_at=event.created_at,
        expires_at=event.expires_at,
        metadata=event.metadata,
        packed=b"".join(
            identity(chunk.chunk_id) + _digest(chunk.heading_path) + bytes.fromhex(chunk.text_sha256)[:_SIZE]
            for chunk in event.chunks
        ),
    )


def fact(held: Held, place: int, spec: CollectionSpec) -> Fact:
    """The row of a stored point."""
    if isinstance(held, HeldHead):
        return _head(held.point_id, held.head, place)
    of = held.attributes
    return Fact(
        place,
        identity(held.point_id),
        *of.document,
        *of.version,
        head=False,
        good_model=held.model in ("", model_stamp(spec.model)),
        good_vector=held.dimension == spec.dimension,
        well_formed=held.well_formed,
        attributes=stored_attributes(of),
        heading=_digest(of.heading_path),
        text=hashlib.sha256(held.text.encode(errors="surrogatepass")).digest()[:_SIZE],
    )


def _head(point_id: str, head: Head, place: int) -> Fact:
    return Fact(
        place,
        identity(point_id),
        *head.document,
        *head.version,
        head=True,
        deleted=head.deleted,
        indexed=head.indexed_at is not None,
        total=head.total,
        digest=head.digest,
    )


def stored_attributes(of: Attributes | Expected) -> bytes:
    """Digest of what a passage says, or has to say, besides text and heading path."""
    times = (of.created_at, of.expires_at)
    return _digest((of.document, sorted(of.acl), of.title, of.source, of.language, times, sorted(of.metadata.items())))


def identity(point_id: str) -> bytes:
    """A point's id in 16 bytes."""
    return uuid.UUID(point_id).bytes


def named(point: bytes) -> str:
    """A point's id as text; empty for `NO_POINT`."""
    return "" if point == NO_POINT else str(uuid.UUID(bytes=point))


def _digest(value: object) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(value), digest_size=_SIZE).digest()
