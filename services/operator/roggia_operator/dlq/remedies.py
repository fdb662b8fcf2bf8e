"""What to do about a kind of dead letter, in general; the letter's own message says what to do about this one."""

from __future__ import annotations

_REMEDIES = {
    "schema": "The value is no event that this topic's schemas can read. Register the writer's schema "
    "(`roggia schemas register`), or deploy a version that knows it, then redrive; bytes that are no Avro can only be "
    "published anew, and these dropped.",
    "invalid": "A field breaks the event's rules. Mend the publisher and publish the document again under a higher "
    "revision: that overtakes this letter.",
    "oversize": "Something is larger than its limit. Raise the limit that the message names, restart the service, "
    "then redrive; or publish less.",
    "content": "The content cannot be fetched or read. Put it where its reference says, or allow its place, then "
    "redrive; a file that is broken must be published anew.",
    "policy": "A setting or a tenant's configuration forbids it. Change that if it should be allowed, then redrive; "
    "else drop it, with the reason.",
    "limit": "The tenant has as much as it may. Raise the limit with `roggia tenants apply`, which holds at once, or "
    "delete what it no longer needs; then redrive.",
    "gap": "Offsets were removed before they were read. Publish again what they held; there is nothing to redrive, so "
    "drop the letter once that is done.",
}
KINDS = tuple(_REMEDIES)
"""Kinds of letters that our services write."""
_OTHER = "Look at the message; once its cause is mended, redrive."


def remedy(kind: str) -> str:
    """One or two sentences for an operator."""
    return _REMEDIES.get(kind, _OTHER)
