"""Letters, groups and jobs as JSON can hold them: for `--json`, and for whoever shows them."""

from __future__ import annotations

from typing import Any

from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Record
from roggia_schemas import topics

from roggia_operator.dlq.groups import Group
from roggia_operator.dlq.jobs import began_ms, task_of
from roggia_operator.dlq.ledger import Ledger
from roggia_operator.dlq.letters import Letter, letter
from roggia_operator.dlq.remedies import remedy
from roggia_operator.errors import JobError
from roggia_operator.jobs.table import Job
from roggia_operator.reading.records import MAX_BYTES_SHOWN, decoded

_HEX_SHOWN = 256


def group_row(group: Group) -> dict[str, Any]:
    """A group with its example's place."""
    return {
        "stage": group.stage,
        "kind": group.kind,
        "field": group.example.field,
        "fingerprint": group.fingerprint,
        "status": group.status,
        "letters": group.letters,
        "open": group.open,
        "came_back": group.came_back,
        **{fate.value: group.fates[fate] for fate in sorted(group.fates, key=lambda fate: fate.value)},
        "first_seen_ms": group.first_ms,
        "last_seen_ms": group.last_ms,
        "topics": dict(group.topics),
        "example": letter_row(group.example),
        "reasons": [
            {
                "message": reason.example.message,
                "letters": reason.count,
                "alike": reason.alike,
                **_where(reason.example),
            }
            for reason in sorted(group.reasons.values(), key=lambda reason: -reason.count)
        ],
    }


def letter_row(one: Letter) -> dict[str, Any]:
    """One letter without its value."""
    return {
        **_where(one),
        "timestamp_ms": one.timestamp_ms,
        "key": None if one.key is None else one.key.decode(errors="replace"),
        "stage": one.stage,
        "kind": one.kind,
        "field": one.field,
        "fingerprint": one.fingerprint,
        "message": one.message,
        "group": one.group,
        "source": None if one.source is None else str(one.source),
        "origin": None if one.origin is None else str(one.origin),
        "redrives": one.redrives,
        "job": one.job,
    }


async def letter_in_full(record: Record, codec: EventCodec, ledger: Ledger) -> dict[str, Any]:
    """One letter with what became of it, what to do about it, its headers, and its value as far as it can be read."""
    one = letter(record)
    known = ledger.fate(one.place)
    content = await decoded(record, codec)
    if "bytes" in content and record.value is not None:
        content |= {"hex": record.value[:_HEX_SHOWN].hex(" ", 4), "size": len(record.value)}
        content["truncated"] = len(record.value) > MAX_BYTES_SHOWN
    return {
        **letter_row(one),
        "status": known[0].value if known else "open",
        "closed_by": known[1] if known else "",
        "remedy": remedy(one.kind),
        "event": topics.spec(one.base).event if _known(one.base) else "?",
        "headers": content["headers"],
        **{name: content[name] for name in ("value", "error", "bytes", "hex", "size", "truncated") if name in content},
    }


def job_row(job: Job) -> dict[str, Any]:
    """One redrive or drop. `action` is `?` for a specification of another version."""
    wanted, state = job.wanted, job.state
    return {
        "job": job.job_id,
        "action": _action(job),
        "status": job.status.value,
        "wish": job.wish.value,
        "message": state.message if state else "",
        "requested_by": wanted.requested_by if wanted else "",
        "reason": wanted.reason if wanted else "",
        "began_ms": began_ms(job),
        "ended_ms": state.ended_at if state else None,
        "counts": dict(state.counts) if state else {},
    }


def _action(job: Job) -> str:
    try:
        return task_of(job.wanted).action if job.wanted else "?"
    except JobError:
        return "?"


def _where(one: Letter) -> dict[str, str]:
    return {"topic": one.place.topic, "place": f"{one.place.partition}:{one.place.offset}"}


def _known(topic: str) -> bool:
    return any(file.matches(topic) for file in topics.files())
