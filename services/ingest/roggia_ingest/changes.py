"""The rules of `doc.changed`, field by field. What passes can be processed; what does not names the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import Message
from typing import NamedTuple

from roggia_schemas.errors import InvalidNameError
from roggia_schemas.events import ContentRef, DocChanged, Operation
from roggia_schemas.names import check_revision, check_slug, parse_document_key

from roggia_ingest.catalogue.judge import LAST_MILLISECOND
from roggia_ingest.catalogue.state import DocKey
from roggia_ingest.errors import InvalidChangeError, OversizeError
from roggia_ingest.extract import MEDIA_TYPES

MAX_GROUPS = 1_000
MAX_GROUP_BYTES = 256
MAX_LABELS = 32
MAX_LABEL_BYTES = 1_024
MAX_SOURCE_BYTES = 4_096

_LANGUAGE = re.compile(r"[a-z]{2}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class MediaType(NamedTuple):
    """A media type without its parameters, and its charset."""

    name: str
    charset: str | None


def document_of(key: bytes | None) -> DocKey:
    """The document that a record's key names. Raises `InvalidChangeError`."""
    try:
        return DocKey(*parse_document_key(key))
    except InvalidNameError as error:
        raise InvalidChangeError("key" if error.field == "key" else f"key.{error.field}", _remedy(error)) from None


def check(event: DocChanged, key: DocKey, max_content_bytes: int) -> None:
    """Raise `InvalidChangeError` or `OversizeError` for the first rule that `event`, under `key`, breaks."""
    _names(event, key)
    _times(event)
    if event.operation is Operation.UPSERT:
        _upsert(event, max_content_bytes)
    elif event.operation is Operation.DELETE:
        _delete(event)
    else:
        raise InvalidChangeError("operation", f"{event.operation.value} is refused; publish UPSERT or DELETE")


def media_type(content_type: str | None) -> MediaType:
    """Parse and check `content_type`. Raises `InvalidChangeError`."""
    if not content_type or len(content_type) > 200:
        raise InvalidChangeError("content_type", "missing or too long; UPSERT needs a media type such as text/markdown")
    name = content_type.partition(";")[0].strip().lower()
    if name not in MEDIA_TYPES:
        raise InvalidChangeError(
            "content_type", f"{name!r} cannot be read; use one of {', '.join(sorted(MEDIA_TYPES))}"
        )
    return MediaType(name, _charset(content_type))


def _charset(content_type: str) -> str | None:
    if ";" not in content_type:
        return None
    message = Message()
    message["content-type"] = _CONTROL.sub(" ", content_type)
    charset = message.get_param("charset")
    return charset if isinstance(charset, str) and charset else None


def _names(event: DocChanged, key: DocKey) -> None:
    _named(lambda: check_slug("tenant_id", event.tenant_id))
    _named(lambda: check_slug("domain", event.domain))
    _named(lambda: check_revision(event.revision))
    if (event.tenant_id, event.doc_id) != key:
        ours = f"{event.tenant_id}/{event.doc_id}"[:200]
        raise InvalidChangeError(
            "key", f"{'/'.join(key)[:200]!r} is not the event's {ours!r}; set it to tenant_id/doc_id"
        )


def _named(rule: Callable[[], object]) -> None:
    try:
        rule()
    except InvalidNameError as error:
        raise InvalidChangeError(error.field, _remedy(error)) from None


def _remedy(error: InvalidNameError) -> str:
    return f"{error.value[:128]!r} is not valid; {error.remedy}"


def _times(event: DocChanged) -> None:
    for field in ("occurred_at", "created_at", "expires_at"):
        moment = getattr(event, field)
        if moment is not None and not 0 <= moment <= LAST_MILLISECOND:
            raise InvalidChangeError(
                field, f"{moment} is not in the years 1970 to 9999; use milliseconds since the epoch"
            )


def _delete(event: DocChanged) -> None:
    if event.content is not None or event.content_ref is not None:
        raise InvalidChangeError("content", "present in a DELETE; publish UPSERT, or leave it out")


def _upsert(event: DocChanged, max_content_bytes: int) -> None:
    media_type(event.content_type)
    if (event.content is None) == (event.content_ref is None):
        found = "neither" if event.content is None else "both"
        raise InvalidChangeError("content", f"{found} of content and content_ref set; UPSERT needs exactly one")
    if event.content_ref is not None:
        _reference(event.content_ref, max_content_bytes)
    _access(event.acl)
    _labels(event)


def _reference(ref: ContentRef, max_content_bytes: int) -> None:
    if not _SHA256.match(ref.sha256):
        raise InvalidChangeError("content_ref.sha256", f"{ref.sha256[:80]!r} is not 64 lower-case hexadecimal digits")
    if ref.size < 0:
        raise InvalidChangeError("content_ref.size", f"{ref.size} is negative; give the content's bytes")
    if ref.size > max_content_bytes:
        raise OversizeError(
            "content_ref.size", f"{ref.size} bytes are more than max_content_bytes ({max_content_bytes})"
        )


def _access(acl: tuple[str, ...]) -> None:
    if not acl:
        raise InvalidChangeError(
            "acl", 'empty; name the groups that may see the document, or ["*"] for the whole tenant'
        )
    if len(acl) > MAX_GROUPS:
        raise InvalidChangeError("acl", f"{len(acl)} groups; at most {MAX_GROUPS}")
    for group in acl:
        if not group.strip() or len(group.encode()) > MAX_GROUP_BYTES or _CONTROL.search(group):
            raise InvalidChangeError(
                "acl", f"{group[:80]!r} is not a group; use 1 to {MAX_GROUP_BYTES} bytes without control characters"
            )


def _labels(event: DocChanged) -> None:
    if event.language is not None and not _LANGUAGE.match(event.language):
        raise InvalidChangeError("language", f"{event.language[:40]!r} is not an ISO 639-1 code such as en")
    if event.source is not None and len(event.source.encode()) > MAX_SOURCE_BYTES:
        raise InvalidChangeError("source", f"{len(event.source.encode())} bytes; at most {MAX_SOURCE_BYTES}")
    if len(event.metadata) > MAX_LABELS:
        raise InvalidChangeError("metadata", f"{len(event.metadata)} entries; at most {MAX_LABELS}")
    for name, text in event.metadata.items():
        if not name or len(name.encode()) + len(text.encode()) > MAX_LABEL_BYTES:
            raise InvalidChangeError(
                "metadata", f"entry {name[:80]!r}: name and value need 1 to {MAX_LABEL_BYTES} bytes"
            )
