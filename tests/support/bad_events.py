"""Records of doc.changed that can never be processed, each with what must become of it.

Used at the handler and end to end: both expect the same verdicts. Every record is under a document of its own, but for
those of a revision that is known, which follow `anchor`.
"""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas
from roggia_schemas.codec import Codec
from roggia_schemas.events import ContentRef, DocChanged, Operation

from tests.support.ingesting import change, delete

MIB = 1 << 20
HEAVY_EVERY = 500
ANCHOR_REVISION = 1_000
ALLOWED_HOST = "content.example.org"


@dataclass(frozen=True)
class BadEvent:
    """One record, and its fate: a dead letter of `kind` that names `field`, or a drop for the reason `drop`."""

    name: str
    key: bytes | None
    value: bytes | None
    kind: str = ""
    field: str = ""
    drop: str = ""


def anchor() -> DocChanged:
    """A good event that must come first: stale ones are older than it."""
    return change("anchor", ANCHOR_REVISION)


def generate(count: int, seed: int, content_root: Path) -> Iterator[BadEvent]:
    """`count` bad records. `content_root` must be a folder that ingest may read; a file is put there."""
    maker = _Maker(random.Random(seed), content_root)
    families, heavy = maker.families(), maker.heavy()
    for number in range(count):
        turn, rest = divmod(number, HEAVY_EVERY)
        makers, place = (heavy, turn) if rest == HEAVY_EVERY - 1 else (families, number)
        yield makers[place % len(makers)](f"bad/{number}")


@dataclass(frozen=True)
class _Maker:
    chance: random.Random
    root: Path

    def families(self) -> list[Callable[[str], BadEvent]]:
        """One maker per kind of badness."""
        return [
            self.wrong_magic,
            self.unknown_schema,
            self.truncated,
            self.random_body,
            self.empty_value,
            self.other_tenant_in_key,
            self.no_key,
            self.key_without_slash,
            self.key_not_utf8,
            self.stale,
            self.twice,
            self.unknown_null,
            *(self._invalid(field, fields) for field, fields in _INVALID),
            *(self._content(name, media, body) for name, media, body in _contents()),
            *(self._reference(*case) for case in self._references()),
        ]

    def heavy(self) -> list[Callable[[str], BadEvent]]:
        """Makers of records that take megabytes or a second each."""
        wide = b"<main>" + b"<br>" * 310_000
        return [self.large, self._content("wide HTML", "text/html", wide)]

    def wrong_magic(self, doc: str) -> BadEvent:
        value = bytes([self.chance.randrange(1, 256)]) + _good(doc)[1:]
        return BadEvent("wrong magic", _key(doc), value, "schema")

    def unknown_schema(self, doc: str) -> BadEvent:
        schema_id = self.chance.randrange(2_000_000, 3_000_000)
        return BadEvent("unknown schema id", _key(doc), b"\0" + schema_id.to_bytes(4, "big") + _good(doc)[5:], "schema")

    def truncated(self, doc: str) -> BadEvent:
        value = _good(doc)
        return BadEvent("truncated", _key(doc), value[: self.chance.randrange(5, len(value) - 1)], "schema")

    def random_body(self, doc: str) -> BadEvent:
        body = self.chance.randbytes(self.chance.randrange(20))
        return BadEvent("random body", _key(doc), _good(doc)[:5] + body, "schema")

    def empty_value(self, doc: str) -> BadEvent:
        return BadEvent("empty value", _key(doc), b"", "schema")

    def other_tenant_in_key(self, doc: str) -> BadEvent:
        return BadEvent("other tenant in key", f"evil/{doc}".encode(), _good(doc), "invalid", "key")

    def no_key(self, doc: str) -> BadEvent:
        return BadEvent("no key", None, _good(doc), "invalid", "key")

    def key_without_slash(self, doc: str) -> BadEvent:
        return BadEvent("key without slash", doc.replace("/", "-").encode(), _good(doc), "invalid", "key")

    def key_not_utf8(self, doc: str) -> BadEvent:
        return BadEvent("key not UTF-8", b"acme/\xff" + doc.encode(), _good(doc), "invalid", "key")

    def stale(self, doc: str) -> BadEvent:
        event = change("anchor", self.chance.randrange(ANCHOR_REVISION))
        return BadEvent("revision going back", _key("anchor"), _encode(event), drop="stale")

    def twice(self, doc: str) -> BadEvent:
        event = change("anchor", ANCHOR_REVISION, content=f"As {doc} has it.".encode())
        return BadEvent("other content under a known revision", _key("anchor"), _encode(event), "invalid", "revision")

    def unknown_null(self, doc: str) -> BadEvent:
        return BadEvent("null of an unknown document", _key(doc), None, drop="unknown")

    def large(self, doc: str) -> BadEvent:
        return BadEvent("9 MiB", _key(doc), _nine_mib(), "oversize", "value")

    def _invalid(self, field: str, fields: dict[str, Any]) -> Callable[[str], BadEvent]:
        def make(doc: str) -> BadEvent:
            fresh = delete if fields.get("operation") is Operation.DELETE else change
            kind = "oversize" if field == "content_ref.size" and fields["content_ref"].size > 0 else "invalid"
            return BadEvent(f"invalid {field}", _key(doc), _encode(fresh(**{"doc_id": doc} | fields)), kind, field)

        return make

    def _content(self, name: str, media: str, body: bytes) -> Callable[[str], BadEvent]:
        field = "content_type" if name == "unknown charset" else "content"
        return lambda doc: BadEvent(
            name, _key(doc), _encode(change(doc, 1, content_type=media, content=body)), "content", field
        )

    def _references(self) -> list[tuple[str, str, str, ContentRef]]:
        body = b"# By reference\n\nText.\n"
        path = self.root / "reference.md"
        path.write_bytes(body)
        good, size = hashlib.sha256(body).hexdigest(), len(body)
        wrong, uri, away = "0" * 64, path.as_uri(), f"https://{ALLOWED_HOST}"
        return [
            ("hash mismatch", "content", "content_ref.sha256", ContentRef(uri=uri, sha256=wrong, size=size)),
            ("smaller than told", "content", "content_ref.size", ContentRef(uri=uri, sha256=good, size=size + 1)),
            ("larger than told", "content", "content_ref.size", ContentRef(uri=uri, sha256=good, size=size - 1)),
            *(
                (f"refused {bad}", kind, "content_ref.uri", ContentRef(uri=bad, sha256=good, size=size))
                for kind, bad in [
                    ("content", f"{uri}.missing"),
                    ("content", self.root.as_uri()),
                    ("policy", "ftp://content.example.org/a"),
                    ("policy", "gopher://127.0.0.1:6379/_FLUSHALL"),
                    ("policy", "https://evil.example.org/a"),
                    ("policy", f"{away}:8443/a"),
                    ("policy", f"https://user:secret@{ALLOWED_HOST}/a"),
                    ("policy", "https://127.0.0.1/a"),
                    ("policy", "https://169.254.169.254/latest/meta-data/"),
                    ("policy", "https://[::1]/a"),
                    ("policy", "file:///etc/passwd"),
                    ("policy", f"{self.root.as_uri()}/../../../../../../../etc/passwd"),
                    ("policy", "file://elsewhere/etc/passwd"),
                    ("policy", ""),
                    ("content", "https://[broken/a"),
                ]
            ),
        ]

    def _reference(self, name: str, kind: str, field: str, ref: ContentRef) -> Callable[[str], BadEvent]:
        return lambda doc: BadEvent(
            name, _key(doc), _encode(change(doc, 1, content=None, content_ref=ref)), kind, field
        )


_REF = ContentRef(uri=f"https://{ALLOWED_HOST}/a", sha256="0" * 64, size=1)
_INVALID: list[tuple[str, dict[str, Any]]] = [
    ("acl", {"acl": ()}),
    ("acl", {"acl": ("readers", " ")}),
    ("acl", {"acl": ("a\nb",)}),
    ("acl", {"acl": ("g" * 257,)}),
    ("acl", {"acl": tuple(f"g{n}" for n in range(1_001))}),
    ("domain", {"domain": "Docs"}),
    ("domain", {"domain": "a_b"}),
    ("domain", {"domain": ""}),
    ("tenant_id", {"tenant_id": "ACME"}),
    ("key", {"doc_id": "another"}),
    ("revision", {"revision": -1}),
    ("revision", {"revision": 2**53}),
    ("operation", {"operation": Operation.UNKNOWN}),
    ("occurred_at", {"occurred_at": -1}),
    ("created_at", {"created_at": 2**60}),
    ("expires_at", {"expires_at": 2**62}),
    ("content", {"content": None}),
    ("content", {"content_ref": _REF}),
    ("content", {"operation": Operation.DELETE, "content": b"x"}),
    ("content_type", {"content_type": None}),
    ("content_type", {"content_type": "image/png"}),
    ("content_type", {"content_type": "x" * 500}),
    ("content_ref.sha256", {"content": None, "content_ref": ContentRef(uri="https://a/b", sha256="ABC", size=1)}),
    ("content_ref.size", {"content": None, "content_ref": ContentRef(uri="https://a/b", sha256="0" * 64, size=-1)}),
    ("content_ref.size", {"content": None, "content_ref": ContentRef(uri="https://a/b", sha256="0" * 64, size=2**40)}),
    ("language", {"language": "english"}),
    ("source", {"source": "s" * 5_000}),
    ("metadata", {"metadata": {f"k{n}": "v" for n in range(33)}}),
    ("metadata", {"metadata": {"k": "v" * 1_024}}),
    ("metadata", {"metadata": {"": "v"}}),
]


@cache
def _contents() -> list[tuple[str, str, bytes]]:
    return [
        ("bad PDF", "application/pdf", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF"),
        ("no PDF", "application/pdf", b"hello"),
        ("cut PDF", "application/pdf", _pdf()[:400]),
        ("encrypted PDF", "application/pdf", _encrypted_pdf()),
        ("picture PDF", "application/pdf", _empty_pdf()),
        ("deep HTML", "text/html", b"<div>" * 50_000),
        ("deep closed HTML", "text/html", b"<div>" * 500 + b"x" + b"</div>" * 500),
        ("control characters", "text/plain", b"\x00\x01\x02binary\x03\x04" * 20),
        ("not UTF-8", "text/markdown; charset=utf-8", b"caf\xe9 " * 10),
        ("unknown charset", "text/plain; charset=klingon", b"text"),
        ("unknown charset", "text/plain; charset=unicode_escape", b"text"),
        ("open quote", "text/csv", b'a,b\n1,"x\n'),
        ("many columns", "text/csv", b"a," * 2_000),
    ]


@cache
def _nine_mib() -> bytes:
    return _encode(change("large", 1, content=b"x" * (9 * MIB)))


def _pdf() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(100, 700, "A page of text")
    canvas.save()
    return buffer.getvalue()


def _empty_pdf() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.rect(100, 100, 200, 200)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _encrypted_pdf() -> bytes:
    writer, buffer = PdfWriter(clone_from=PdfReader(io.BytesIO(_pdf()))), io.BytesIO()
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(buffer)
    return buffer.getvalue()


_codec = Codec()


def _encode(event: DocChanged) -> bytes:
    return _codec.encode(event)


def _good(doc: str) -> bytes:
    return _encode(change(doc))


def _key(doc: str) -> bytes:
    return f"acme/{doc}".encode()
