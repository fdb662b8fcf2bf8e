"""What an event says of its document, as one digest: two events of one revision must say the same."""

from __future__ import annotations

from hashlib import sha256

import msgspec
from roggia_schemas.events import DocChanged, Operation


def digest(event: DocChanged) -> str:
    """SHA-256 over what the publisher says of the document, in hexadecimal.

    Not over what tells one sending from another (`event_id`, `occurred_at`), nor over where content lies: by reference
    or inline, the same bytes are the same. Take the event as it was published, before a tenant's configuration adds to
    it.
    """
    if event.operation is Operation.DELETE:
        return sha256(b"DELETE").hexdigest()
    said = {
        "domain": event.domain,
        "content": sha256(event.content or b"").hexdigest() if event.content_ref is None else event.content_ref.sha256,
        "content_type": event.content_type,
        "title": event.title,
        "source": event.source,
        "language": event.language,
        "acl": sorted(set(event.acl)),
        "created_at": event.created_at,
        "expires_at": event.expires_at,
        "metadata": event.metadata,
    }
    # Without empty fields: one that a later schema adds leaves the digests of older events as they are.
    there = {name: value for name, value in said.items() if value not in (None, {}, [])}
    return sha256(msgspec.json.encode(there, order="deterministic")).hexdigest()
