"""Signatures of webhooks, as the Standard Webhooks specification 1.0 says (its symmetric kind, `v1`). Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
"""Headers of a delivery."""
PREFIX = "whsec_"
LEAST, MOST = 24, 64
"""Bytes of a secret, by the specification."""


def secrets_of(text: str) -> tuple[bytes, ...]:
    """Keys in a setting: one or, while one is being replaced, several, separated by spaces. Raises `ValueError`."""
    found = tuple(_secret(part) for part in text.split())
    if not found:
        raise ValueError(f"it is empty; write {PREFIX} and {LEAST} to {MOST} bytes in base64")
    return found


def headers(secrets: Sequence[bytes], delivery_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Headers of a delivery that is sent at a Unix time: one signature for each secret, separated by spaces."""
    signed = f"{delivery_id}.{at_s}.".encode() + body
    made = (base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode() for secret in secrets)
    return {ID: delivery_id, TIMESTAMP: str(at_s), SIGNATURE: " ".join(f"v1,{one}" for one in made)}


def _secret(text: str) -> bytes:
    """The value itself is in no message: it is a secret even where it is wrong."""
    try:
        found = base64.b64decode(text.removeprefix(PREFIX), validate=True) if text.startswith(PREFIX) else b""
    except binascii.Error:
        found = b""
    if not LEAST <= len(found) <= MOST:
        raise ValueError(f"a secret is {PREFIX} and {LEAST} to {MOST} bytes in base64")
    return found
