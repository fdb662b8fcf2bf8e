"""Identifiers of events: time-ordered for new facts, derived for what follows from another event."""

from __future__ import annotations

import random
import time
import uuid

_NAMESPACE = uuid.UUID("6f1c4f5e-0c0b-5d7a-9b57-3b1d8f0a7c21")
"""Namespace of derived event ids. Part of the contract: changing it changes every derived id."""

_random = random.SystemRandom()
_NANOSECONDS_PER_MS = 1_000_000


def uuid7() -> str:
    """Return a new UUIDv7 (RFC 9562, method 3: twelve bits of sub-millisecond time, then 62 random bits)."""
    ms, rest = divmod(time.time_ns(), _NANOSECONDS_PER_MS)
    fraction = rest * 4096 // _NANOSECONDS_PER_MS
    value = (ms & (1 << 48) - 1) << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | _random.getrandbits(62)
    return str(uuid.UUID(int=value))


def derived(parent_event_id: str, stage: str, fingerprint: str) -> str:
    """Return the UUIDv5 of an event that `stage` derives from a parent: the same input gives the same id.

    `fingerprint` names what else decides the output (versions, model), so that a new version gives a new id.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{parent_event_id}\0{stage}\0{fingerprint}"))
