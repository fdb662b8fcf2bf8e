"""Which documents of the log are a generation's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from roggia_runtime.generations import holds
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.events import DocChunked
from roggia_schemas.names import parse_document_key

from roggia_embedder.generations.hosted import holds_some

UNSELECTED: Final = "unselected"
"""Reason of the drops, by which they are counted."""


def none_of(selection: Sequence[str], key: bytes | None) -> bool:
    """Whether a record's key alone tells that it is none of the generation's: no knowledge base of that tenant is."""
    if not selection:
        return False
    try:
        tenant_id, _ = parse_document_key(key)
    except InvalidNameError:
        return False
    return not holds_some(selection, tenant_id)


def selected(selection: Sequence[str], event: DocChunked) -> DocChunked | None:
    """What of an event concerns the generation; None: nothing.

    A document inside leaves only domains that are inside too. One outside is a deletion in those that it has left: the
    same version, no chunks.
    """
    if not selection:
        return event
    left = tuple(domain for domain in event.left_domains if holds(selection, event.tenant_id, domain))
    if holds(selection, event.tenant_id, event.domain):
        return event if left == event.left_domains else msgspec.structs.replace(event, left_domains=left)
    if not left:
        return None
    return msgspec.structs.replace(event, domain=left[0], left_domains=left[1:], deleted=True, chunks=(), acl=())
