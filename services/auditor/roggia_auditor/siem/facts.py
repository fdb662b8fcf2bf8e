"""What both formats say of a record. Pure. Nothing of it is personal: the pseudonym is left out unless asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from roggia_schemas.events import InferenceAttempt, InferenceCompleted, InferenceOutcome, RedactionStatus

from roggia_auditor.errors import UsageError
from roggia_auditor.leaf import Status
from roggia_auditor.ledger.model import Row
from roggia_auditor.pricing.classes import INPUT_PARTS, OUTPUT_PARTS, TokenClass, counted

_INPUT = frozenset({TokenClass.INPUT, *INPUT_PARTS})
_OUTPUT = frozenset({TokenClass.OUTPUT, *OUTPUT_PARTS})
_STOPPED = frozenset({RedactionStatus.BLOCKED, RedactionStatus.FAILED_CLOSED})
_NO_NAME = "unknown"


class Severity(IntEnum):
    """How much a record asks for somebody's attention; the numbers are OCSF's `severity_id`."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3


@dataclass(frozen=True)
class Facts:
    """One record: its log's name, the row, and its event, which is None where the record does not read."""

    log: str
    row: Row
    event: InferenceCompleted | None
    with_subject: bool = False

    @cached_property
    def uid(self) -> str:
        """Names this record for ever: the hash of its leaf, which holds its place in the log."""
        return self.row.leaf_hash.hex()

    @cached_property
    def operation(self) -> str:
        """chat, text_completion, embeddings, or unknown."""
        return _NO_NAME if self.event is None else self.event.operation.value.lower()

    @cached_property
    def outcome(self) -> str:
        """OK, ERROR, ABORTED, REFUSED, LOST, or UNREADABLE."""
        return Status.UNREADABLE.name if self.event is None else self.event.outcome.value

    @cached_property
    def last(self) -> InferenceAttempt | None:
        """The attempt that the request ended with; None for an answer from the cache."""
        return self.event.attempts[-1] if self.event is not None and self.event.attempts else None

    @cached_property
    def reason(self) -> str:
        """Why it ended, or why it is not counted."""
        return self.row.leaf.reason or ("" if self.event is None else self.event.finish_reason)

    @cached_property
    def subject(self) -> str:
        """The pseudonym of who asked, where it is asked for."""
        return self.event.subject if self.event is not None and self.with_subject else ""

    @cached_property
    def tokens(self) -> tuple[int, int] | None:
        """Tokens in and out, over all attempts; None for counts that cannot be."""
        into = out = 0
        try:
            for attempt in () if self.event is None else self.event.attempts:
                counts = counted(attempt.usage)
                into += sum(count for one, count in counts.items() if one in _INPUT)
                out += sum(count for one, count in counts.items() if one in _OUTPUT)
        except UsageError:
            return None
        return into, out

    @cached_property
    def severity(self) -> Severity:
        """MEDIUM: something was stopped, or a record cannot be used. LOW: an inference failed."""
        event = self.event
        if event is None or self.row.leaf.status in {Status.PARKED, Status.UNREADABLE}:
            return Severity.MEDIUM
        if event.outcome is InferenceOutcome.REFUSED or (event.redaction and event.redaction.status in _STOPPED):
            return Severity.MEDIUM
        if event.outcome in {InferenceOutcome.ERROR, InferenceOutcome.LOST}:
            return Severity.LOW
        return Severity.INFORMATIONAL
