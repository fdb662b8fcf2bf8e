"""Names that appear on the wire: tenants, domains, document keys and the order of versions.

Used by every service and by publishers. A name that breaks the rules is refused here, once, with the field, the value
and the remedy, so that no later stage meets it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from roggia_schemas.errors import InvalidNameError

MAX_REVISION = 2**53 - 1
"""Largest revision: vector engines compare payload numbers as IEEE doubles, exact only up to here."""

MAX_DOC_ID_BYTES = 1024
_FIRST_MILLISECOND, _LAST_MILLISECOND = -62_135_596_800_000, 253_402_300_799_999
"""Years 1 to 9999."""

SLUG = "[a-z0-9][a-z0-9-]{0,62}"
"""The pattern of a tenant or domain name, for schemas."""

_SLUG = re.compile(SLUG + r"\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Version(NamedTuple):
    """Order of a document's states: the publisher's revision first, then ingest's epoch.

    Compares as a tuple. `revision` is 0 to `MAX_REVISION`; `epoch` starts at 0 for every revision.
    """

    revision: int
    epoch: int = 0


def check_slug(field: str, value: str) -> str:
    """Return `value` if it is a tenant or domain name, else raise `InvalidNameError` naming `field`."""
    if not _SLUG.match(value):
        raise InvalidNameError(field, value, "use 1 to 63 of a-z, 0-9 and '-', starting with a letter or digit")
    return value


def check_doc_id(value: str) -> str:
    """Return `value` if it is a document id (1 to 1,024 UTF-8 bytes, no control characters), else raise."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidNameError("doc_id", value, "use valid Unicode") from None
    if not 0 < size <= MAX_DOC_ID_BYTES:
        raise InvalidNameError("doc_id", value, f"use 1 to {MAX_DOC_ID_BYTES} UTF-8 bytes (this one has {size})")
    if _CONTROL.search(value):
        raise InvalidNameError("doc_id", value, "remove the control characters")
    return value


def check_revision(value: int) -> int:
    """Return `value` if 0 <= value < 2^53, else raise: a clock in microseconds fits, nanoseconds do not."""
    if not 0 <= value <= MAX_REVISION:
        raise InvalidNameError("revision", str(value), "use 0 <= revision < 2^53 (a clock in microseconds fits)")
    return value


def check_moment(field: str, value: int) -> int:
    """Return `value` if it is a moment that headers can write (milliseconds, years 1 to 9999), else raise."""
    if not _FIRST_MILLISECOND <= value <= _LAST_MILLISECOND:
        raise InvalidNameError(field, str(value), "use milliseconds since the epoch, within years 1-9999")
    return value


def document_key(tenant_id: str, doc_id: str) -> bytes:
    """Kafka key of every document topic: UTF-8 `tenant_id/doc_id`. Raises `InvalidNameError`."""
    return f"{check_slug('tenant_id', tenant_id)}/{check_doc_id(doc_id)}".encode()


def parse_document_key(key: bytes | None) -> tuple[str, str]:
    """Split a document topic's key into (tenant_id, doc_id). Raises `InvalidNameError` naming `key`."""
    if key is None:
        raise InvalidNameError("key", "null", "set the key to tenant_id/doc_id")
    try:
        tenant, slash, doc_id = key.decode().partition("/")
    except UnicodeDecodeError:
        raise InvalidNameError("key", repr(key[:64]), "encode the key as UTF-8") from None
    if not slash:
        raise InvalidNameError("key", key.decode()[:128], "set the key to tenant_id/doc_id")
    return check_slug("tenant_id", tenant), check_doc_id(doc_id)


def alias_name(tenant_id: str, domain: str) -> str:
    """Alias that readers resolve: `kb_<tenant>_<domain>`; neither name can hold `_`, so it means one thing."""
    return f"kb_{check_slug('tenant_id', tenant_id)}_{check_slug('domain', domain)}"


def collection_name(tenant_id: str, domain: str, generation: int) -> str:
    """Physical collection of one index generation (from 1): `kb_<tenant>_<domain>__g<generation>`."""
    return f"{alias_name(tenant_id, domain)}__g{generation}"
