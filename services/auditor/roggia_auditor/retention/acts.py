"""Acts: what was done to the audit log itself, each a leaf of a log of its own. Pure.

An act is judged from the acts before it and holds only if it is the next one (compare and set on the log's head): so
whoever drops or erases knows every hold. Acts are never sealed away and never dropped. Their time is this machine's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from roggia_runtime.ids import derived

from roggia_auditor.errors import LedgerError
from roggia_auditor.leaf import Leaf, Status
from roggia_auditor.ledger.judging import Before
from roggia_auditor.ledger.model import ACTS, Draft, Row, row_of


class Kind(StrEnum):
    """What was done; the names are written."""

    HOLD_PLACED = "hold.placed"
    HOLD_LIFTED = "hold.lifted"
    SEGMENT_SEALED = "segment.sealed"
    RECORDS_DROPPED = "records.dropped"
    SUBJECT_ERASED = "subject.erased"


@dataclass(frozen=True, slots=True)
class Act:
    """One act. `at` is in milliseconds since 1970.

    `tenant` is whose export shows it; an empty one is the operator's alone, as every hold is. `about` is what the kind
    needs, texts alone: integers are written in decimal.
    """

    kind: Kind
    at: int
    by: str
    reason: str
    tenant: str = ""
    about: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The value that the leaf holds the hash of."""
        said = {"act": self.kind.value, "at": str(self.at), "by": self.by, "reason": self.reason}
        return json.dumps({**self.about, **said}, ensure_ascii=False, sort_keys=True).encode()


def decoded(row: Row) -> Act:
    """The act in a record. Raises `LedgerError` for one that this version does not know."""
    try:
        said = json.loads(row.value)
        kind, at, by, reason = Kind(said.pop("act")), int(said.pop("at")), said.pop("by"), said.pop("reason")
    except (ValueError, KeyError, AttributeError) as error:
        raise LedgerError(f"act {row.index} cannot be read ({error!r}): upgrade the auditor") from error
    return Act(kind, at, by, reason, row.leaf.tenant, said)


def drafted(before: Before, acts: Sequence[Act]) -> Draft:
    """The acts behind those that are there."""
    made = Draft(ACTS, before.head, before.head)
    size = before.head.frontier.size
    for index, act in enumerate(acts, size):
        made.rows.append(_row(index, act, made.number(act.tenant, before.sequences)))
    made.close(size + len(acts), {})
    return made


def _row(index: int, act: Act, number: int) -> Row:
    value = act.encoded()
    leaf = Leaf(
        topic_id=ACTS.topic_id,
        partition=ACTS.partition,
        offset=index,
        appended_at=act.at,
        event_id=derived(str(index), "act", hashlib.sha256(value).hexdigest()),
        tenant=act.tenant,
        tenant_seq=number,
        status=Status.ACT,
        reason=act.kind.value,
        period="",
        booked="",
        cost_pico=None,
        price_version="",
        value_sha256=hashlib.sha256(value).digest(),
    )
    return row_of(leaf, index, act.at, "", {}, value)
