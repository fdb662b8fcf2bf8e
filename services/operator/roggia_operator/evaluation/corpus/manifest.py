"""A corpus manifest: which documents, in which versions, with which contents. Golden sets and reports name its id.

JSONL: a header, then one document a line, ordered by tenant and document id. The id is the RFC 6962 tree head of the
document lines, so the same corpus has the same id wherever and whenever it is made, and one line's membership can be
proved without the rest. Topic and offsets say what had been read; they are not part of the id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from roggia_operator.evaluation.corpus import merkle
from roggia_operator.evaluation.corpus.documents import Document
from roggia_operator.evaluation.errors import GoldenSetError
from roggia_operator.evaluation.golden.reading import Complaint, lines, located, parsed

FORMAT = 1


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One document. `chunk_set` is the SHA-256 over its passages' hashes, `acl` over its groups."""

    tenant: str
    doc_id: str
    domain: str
    revision: int
    epoch: int
    content_sha256: str
    chunks: int
    chunk_set: str
    acl: str


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line. `offsets`: of the topic, by partition, up to which was read."""

    manifest: int = FORMAT
    id: str
    topic: str
    offsets: dict[str, int]
    documents: int
    chunks: int
    created: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest in memory."""

    header: Header
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Documents that came, went, or have other passages or groups, from one manifest to another."""

    added: int
    removed: int
    changed: int


def make(documents: Iterable[Document], topic: str, offsets: Mapping[int, int], created: str) -> Manifest:
    """The manifest of a corpus."""
    rows = sorted(map(_row, documents), key=lambda row: (row.tenant, row.doc_id))
    header = Header(
        id=merkle.root(map(msgspec.json.encode, rows)),
        topic=topic,
        offsets={str(partition): offset for partition, offset in sorted(offsets.items())},
        documents=len(rows),
        chunks=sum(row.chunks for row in rows),
        created=created,
    )
    return Manifest(header, tuple(rows))


def write(path: Path, manifest: Manifest) -> None:
    """Write the file whole or not at all."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.writelines(msgspec.json.encode(line) + b"\n" for line in (manifest.header, *manifest.rows))
    new.replace(path)


def read(path: Path) -> Manifest:
    """The manifest in a file. Raises `GoldenSetError` where it is broken, or was changed after it got its id."""
    header: Header | None = None
    rows: list[Row] = []
    for number, line in lines(path):
        with located(path, number):
            if header is None:
                header = _header(line)
            else:
                rows.append(parsed(line, Row))
    if header is None:
        raise GoldenSetError(f"{path}: is empty; make it with `roggia eval manifest`")
    if merkle.root(map(msgspec.json.encode, rows)) != header.id:
        raise GoldenSetError(f"{path}:1: id: is not that of the lines below it; make the manifest anew")
    return Manifest(header, tuple(rows))


def compare(old: Sequence[Row], new: Sequence[Row]) -> Change:
    """What changed between two corpora. A new revision with the same passages and groups is no change."""
    before, after = ({(row.tenant, row.doc_id): _kept(row) for row in rows} for rows in (old, new))
    both = before.keys() & after.keys()
    changed = sum(before[key] != after[key] for key in both)
    return Change(len(after) - len(both), len(before) - len(both), changed)


def _header(line: bytes) -> Header:
    header = parsed(line, Header)
    if header.manifest != FORMAT:
        raise Complaint(f"manifest: {header.manifest} is a form that this version does not read; it reads {FORMAT}")
    return header


def _kept(row: Row) -> tuple[str, str, str]:
    return row.domain, row.chunk_set, row.acl


def _row(document: Document) -> Row:
    return Row(
        tenant=document.tenant,
        doc_id=document.doc_id,
        domain=document.domain,
        revision=document.revision,
        epoch=document.epoch,
        content_sha256=document.content_sha256,
        chunks=len(document.texts),
        chunk_set=_digest(document.texts),
        acl=_digest(sorted(document.acl)),
    )


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in _framed(parts):
        digest.update(part)
    return digest.hexdigest()


def _framed(parts: Iterable[str]) -> Iterator[bytes]:
    """Each part with its length before it: two lists never read alike."""
    for part in parts:
        raw = part.encode()
        yield len(raw).to_bytes(4, "big") + raw
