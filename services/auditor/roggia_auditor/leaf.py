"""The entry of the tree that stands for one record: written and read byte by byte, so that any language can do it.

Everything in it comes from the log: places and times are the broker's, prices those of the price log. Whoever reads
the log again makes the same bytes.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from roggia_auditor.errors import ProofError

SCHEMA = 1
_HEAD = struct.Struct(">B16sIQQ16sQBB")
_AMOUNT = struct.Struct(">Bq")
_TEXT = struct.Struct(">H")
_HASH = 32


class Status(IntEnum):
    """What became of a record; the numbers are written."""

    RATED = 1
    UNPRICED = 2
    PARKED = 3
    UNREADABLE = 4
    ACT = 5
    """Something that was done to the audit log itself, not a record of Kafka: see `roggia_auditor.retention.acts`."""
    ACCESS = 6
    """Not of Kafka: somebody read the audit log."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One record of the log. Big-endian, in this order; texts are UTF-8 behind their length in two bytes.

    `topic_id` and `event_id` are UUIDs (`event_id` all zeros where a record could not be read), `period` is the month
    of the event and `booked` the one that counts it, `value_sha256` is the hash of the Kafka value as received.
    """

    topic_id: str
    partition: int
    offset: int
    appended_at: int
    event_id: str
    tenant: str
    tenant_seq: int
    status: Status
    reason: str
    period: str
    booked: str
    cost_pico: int | None
    price_version: str
    value_sha256: bytes

    def encoded(self) -> bytes:
        """The entry."""
        head = _HEAD.pack(
            SCHEMA,
            _topic(self.topic_id),
            self.partition,
            self.offset,
            self.appended_at,
            _uuid(self.event_id),
            self.tenant_seq,
            self.status,
            0,
        )
        amount = _AMOUNT.pack(self.cost_pico is not None, self.cost_pico or 0)
        months = _text(self.period) + _text(self.booked)
        return b"".join(
            (head, amount, _text(self.tenant), _text(self.reason), months, _text(self.price_version), self.value_sha256)
        )


def decoded(entry: bytes) -> Leaf:
    """The leaf in an entry. Raises `ProofError` for bytes that are none, or of a later schema."""
    try:
        schema, topic_id, partition, offset, appended_at, event_id, seq, status, zero = _HEAD.unpack_from(entry)
        if schema != SCHEMA or zero:
            raise ProofError(f"an entry of schema {schema}: this version reads {SCHEMA}")
        has_cost, cost = _AMOUNT.unpack_from(entry, _HEAD.size)
        texts, at = _texts(entry, _HEAD.size + _AMOUNT.size)
        found = Leaf(
            topic_id=str(uuid.UUID(bytes=topic_id)),
            partition=partition,
            offset=offset,
            appended_at=appended_at,
            event_id=str(uuid.UUID(bytes=event_id)),
            tenant=texts[0],
            tenant_seq=seq,
            status=Status(status),
            reason=texts[1],
            period=texts[2],
            booked=texts[3],
            cost_pico=cost if has_cost else None,
            price_version=texts[4],
            value_sha256=entry[at:],
        )
    except (struct.error, ValueError, IndexError) as error:
        raise ProofError(f"no entry of the audit log: {error}") from error
    if len(found.value_sha256) != _HASH or found.encoded() != entry:
        raise ProofError("no entry of the audit log: it is not written as entries are")
    return found


def _uuid(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


_topic = lru_cache(maxsize=1024)(_uuid)
"""A ledger has a few topics and many records of each."""


@lru_cache(maxsize=4096)  # tenants, months and versions come again with each record
def _text(text: str) -> bytes:
    raw = text.encode()
    return _TEXT.pack(len(raw)) + raw


def _texts(entry: bytes, at: int) -> tuple[list[str], int]:
    found = []
    for _ in range(5):
        (length,) = _TEXT.unpack_from(entry, at)
        at += _TEXT.size
        found.append(entry[at : at + length].decode())
        at += length
    return found, at
