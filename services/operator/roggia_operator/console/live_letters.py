"""Redrive and drop as plans to confirm. Each is what `roggia dlq` would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import KafkaSettings

from roggia_operator.console.render import number, size
from roggia_operator.console.views import Plan
from roggia_operator.dlq.jobs import Task, request
from roggia_operator.dlq.kafka_log import KafkaLog
from roggia_operator.dlq.planning import Plan as LetterPlan
from roggia_operator.dlq.planning import plan
from roggia_operator.dlq.selection import Selection, place
from roggia_operator.errors import SelectionError
from roggia_operator.jobs.client import JobClient


class LetterActions:
    """Used by `LiveActions` alone."""

    def __init__(self, kafka: KafkaSettings, codec: EventCodec) -> None:
        self._kafka, self._codec = kafka, codec

    async def plan_redrive(self, form: Mapping[str, str]) -> Plan:
        """See `Actions.plan`."""
        return shown(await self._planned("redrive", form))

    async def plan_drop(self, form: Mapping[str, str]) -> Plan:
        """See `Actions.plan`."""
        return shown(await self._planned("drop", form))

    async def start(self, _kind: str, payload: str, *, who: str, reason: str) -> str:
        """See `Actions.start`."""
        wanted, new_id = request(msgspec.json.decode(payload, type=Task), who=who, reason=reason)
        async with JobClient(self._kafka, self._codec) as client:
            return f"/jobs/{await client.submit(wanted, new_id)}"

    async def _planned(self, action: Literal["redrive", "drop"], form: Mapping[str, str]) -> LetterPlan:
        async with KafkaLog(self._kafka) as log:
            return await plan(log, self._codec, Task(action=action, selection=chosen(form)))


def chosen(form: Mapping[str, str]) -> Selection:
    """The letters that a form means: one place, or a cause. Raises `SelectionError` for neither."""
    if form.get("place"):
        return Selection(places=(place(form.get("topic", ""), form["place"]),))
    if form.get("fingerprint"):
        return Selection(fingerprint=form["fingerprint"])
    raise SelectionError("fingerprint: missing; choose a cause from the list of dead letters")


def shown(found: LetterPlan) -> Plan:
    """A plan for people. Refused where it would change nothing."""
    redrive = found.task.action == "redrive"
    count = found.send if redrive else found.letters
    noun = "letter" if count == 1 else "letters"
    verb = f"Send {number(count)} {noun} again" if redrive else f"Drop {number(count)} {noun}"
    done_with = found.overtaken + found.duplicates
    if redrive and not count and done_with:  # nothing is sent, and the list still gets shorter
        verb = f"Close {number(done_with)} without sending"
    payload = msgspec.json.encode(found.task).decode()
    facts = _redrive_facts(found) if redrive else _drop_facts(found)
    refused = "Nothing of this can be sent again." if redrive and not found.send and not done_with else ""
    return Plan(found.task.action, verb, verb, facts, _warnings(found), payload, not redrive, refused)


def _redrive_facts(found: LetterPlan) -> tuple[tuple[str, str], ...]:
    lanes = ", ".join(f"{lane} ({number(count)})" for lane, count in found.lanes.items())
    return (
        ("Letters sent again", number(found.send)),
        ("Overtaken by newer records", f"{number(found.overtaken)}, not sent, closed as such"),
        ("Twice the same record", f"{number(found.duplicates)}, sent once"),
        ("Goes to", lanes or "nowhere"),
        ("Bytes", size(found.bytes)),
        ("Closed before", f"{number(found.closed)}, left alone"),
        ("Stops after", f"{found.task.stop_after} letters of one cause that come back"),
    )


def _drop_facts(found: LetterPlan) -> tuple[tuple[str, str], ...]:
    return (
        ("Letters dropped", number(found.letters)),
        ("Means", "They leave the list. The log keeps them until its retention; the reason is kept with the job."),
    )


def _warnings(found: LetterPlan) -> tuple[str, ...]:
    late = [f"{where}: {why}" for where, why in found.examples]
    return (*(f"{number(count)} cannot be sent: {why}" for why, count in found.refused.items()), *late)
