"""Make `doc.changed` events from files and deletions. Knows the event, not Kafka."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from roggia_runtime.clock import now_ms
from roggia_runtime.ids import uuid7
from roggia_schemas.events import ContentRef, DocChanged, Operation

from roggia.errors import UsageError
from roggia.publishing.files import Candidate

INLINE_BYTES = 256 * 1024
"""Larger files travel by reference: the event names a file:// URI, the size and the SHA-256."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where publications go and who may read them. `acl` is never empty: `("*",)` is the whole tenant."""

    tenant: str
    domain: str
    acl: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What a document is made of. `shown_as` is what citations call its place; it is never fetched."""

    doc_id: str
    content_type: str
    content: bytes
    shown_as: str
    title: str | None = None


def source(file: Candidate) -> Source:
    """Read a file now. Raises `OSError`."""
    shown_as = str(file.path).encode(errors="replace").decode()  # a folder's name need not be valid Unicode
    return Source(file.doc_id, file.content_type, file.path.read_bytes(), shown_as)


def changed(document: Source, target: Target, revision: int, store: ContentStore | None = None) -> DocChanged:
    """The event that replaces a document. Large content goes to `store`.

    Raises `UsageError` when content is large and there is no store to put it in.
    """
    inline = len(document.content) <= INLINE_BYTES
    check_size(document, store)
    return DocChanged(
        event_id=uuid7(),
        occurred_at=now_ms(),
        tenant_id=target.tenant,
        domain=target.domain,
        doc_id=document.doc_id,
        revision=revision,
        operation=Operation.UPSERT,
        content_type=document.content_type,
        content=document.content if inline else None,
        content_ref=None if inline or store is None else store.put(document.content),
        title=document.title,
        source=document.shown_as,
        acl=target.acl,
    )


def check_size(document: Source, store: ContentStore | None) -> None:
    """Raise `UsageError` when content is large and there is no store to put it in."""
    size = len(document.content)
    if size > INLINE_BYTES and store is None:
        raise UsageError(
            f"{document.doc_id}: {size} bytes is above {INLINE_BYTES}; name a folder for ingest with --content-dir"
        )


def deleted(tenant: str, domain: str, doc_id: str, revision: int) -> DocChanged:
    """The event that deletes one document."""
    return DocChanged(
        event_id=uuid7(),
        occurred_at=now_ms(),
        tenant_id=tenant,
        domain=domain,
        doc_id=doc_id,
        revision=revision,
        operation=Operation.DELETE,
    )


class ContentStore:
    """A folder of large contents, named by their SHA-256, that ingest is told to trust.

    The copy is what the event means: the user's file may change or go before ingest reads it, and ingest need not be
    allowed to read anything but this folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def put(self, content: bytes) -> ContentRef:
        """Keep `content` and return its reference. The file appears whole or not at all."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._root / digest[:2] / digest
        if not path.exists() or path.stat().st_size != len(content):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_bytes(content)
            fresh.replace(path)
        return ContentRef(uri=path.as_uri(), sha256=digest, size=len(content))
