"""What goes to a dead-letter topic, and how much of it before the consumer stops. Pure: knows no Kafka client."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable

from roggia_schemas import topics

from roggia_runtime.clock import now_ms
from roggia_runtime.errors import DlqLimitError
from roggia_runtime.records import DeadLetter, Headers, Output, Record
from roggia_runtime.settings import DlqLimits

MAX_MESSAGE_BYTES = 8 << 10
REDRIVES = "roggia_dlq_redrives"
"""Header that counts how often a record was redriven: kept when it fails again."""
_OURS = ("__dlq.errors.", "roggia_dlq_")


def fingerprint(stage: str, kind: str, field: str) -> str:
    """Short stable name of a cause, to group dead letters by: 12 hex digits over stage, kind and field."""
    return hashlib.sha256(f"{stage}\0{kind}\0{field}".encode()).hexdigest()[:12]


def dead_letter(record: Record, verdict: DeadLetter, *, group: str, stage: str, attempts: int) -> Output:
    """The record for the dead-letter topic: original key, value and headers, plus where and why it failed.

    A record that was in a dead-letter topic before keeps its own headers and its count of redrives; only ours are
    replaced. One without key and value gets an empty value, because the client sends nothing without either.
    """
    ours = {
        "__dlq.errors.topic": record.topic,
        "__dlq.errors.partition": str(record.partition),
        "__dlq.errors.offset": str(record.offset),
        "__dlq.errors.group": group,
        "__dlq.errors.message": verdict.message,
        "roggia_dlq_kind": verdict.kind,
        "roggia_dlq_field": verdict.field,
        "roggia_dlq_fingerprint": fingerprint(stage, verdict.kind, verdict.field),
        "roggia_dlq_stage": stage,
        "roggia_dlq_failed_at": str(now_ms()),
        "roggia_dlq_attempts": str(attempts),
    }
    kept = without(record.headers, REDRIVES)
    added = tuple((name, _short(value)) for name, value in ours.items())
    value = b"" if record.key is None and record.value is None else record.value
    return Output(topic(record.topic), record.key, value, kept + added)


def without(headers: Headers, *but: str) -> Headers:
    """A record's own headers: none that say why it failed, except those named in `but`."""
    return tuple(header for header in headers if header[0] in but or not header[0].startswith(_OURS))


def topic(source: str) -> str:
    """Dead-letter topic of a source topic."""
    return topics.dlq(source)


def _short(value: str) -> bytes:
    cut = value.encode("utf-8", "backslashreplace")[:MAX_MESSAGE_BYTES]
    return cut.decode("utf-8", "ignore").encode()


class DlqLimiter:
    """Counts records and dead letters in a sliding window, and refuses when too many are dead.

    Not shared between loops. A restart begins a new window.
    """

    def __init__(self, limits: DlqLimits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._now = now
        self._window: deque[tuple[float, int, int]] = deque()
        self._records = 0
        self._dead = 0

    def admit(self, records: int, dead: int) -> None:
        """Count a judged batch. Raises `DlqLimitError` when its dead letters must not be produced."""
        self._expire()
        self._window.append((self._now(), records, dead))
        self._records += records
        self._dead += dead
        if dead:
            self._check()

    def _check(self) -> None:
        limits, dead, records = self._limits, self._dead, self._records
        seen = f"{dead} of {records} records in {limits.window_s:g} s would be dead letters"
        if dead > limits.max_records:
            raise DlqLimitError(f"{seen}; at most {limits.max_records} are allowed: find the cause before going on")
        if records >= limits.min_records and dead > limits.max_share * records:
            raise DlqLimitError(f"{seen}; at most {limits.max_share:.0%} are allowed: find the cause before going on")

    def _expire(self) -> None:
        oldest = self._now() - self._limits.window_s
        while self._window and self._window[0][0] < oldest:
            _, records, dead = self._window.popleft()
            self._records -= records
            self._dead -= dead
