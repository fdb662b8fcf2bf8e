"""What a redrive or a drop would do, before it does anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import msgspec
from roggia_runtime.codec import EventCodec
from roggia_schemas import topics

from roggia_operator.dlq.entries import NO_LANE, Chosen, Entry, choose
from roggia_operator.dlq.jobs import Task, ledger_of, read_jobs
from roggia_operator.dlq.ledger import Ledger
from roggia_operator.dlq.overtaking import Overtaking
from roggia_operator.dlq.ports import Log
from roggia_operator.dlq.reading import spans
from roggia_operator.errors import SelectionError

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """Exact for the letters and the live topics as they are now. `overtaken` names some with what overtook them."""

    task: Task
    send: int
    overtaken: int
    duplicates: int
    refused: Mapping[str, int]
    closed: int
    bytes: int
    lanes: Mapping[str, int]
    causes: Mapping[str, int]
    drop: int = 0
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def letters(self) -> int:
        """Letters that a redrive will close, or refuse; that a drop will drop."""
        return self.send + self.overtaken + self.duplicates + self.drop + sum(self.refused.values())


async def plan(log: Log, codec: EventCodec, asked: Task) -> Plan:
    """What a task would do with the letters that its DLQs hold now; the plan's task says which those are.

    Raises `SelectionError` when nothing is selected, or nothing of it can be sent.
    """
    within = await spans(log, asked.selection)
    ends = {f"{part.topic}/{part.number}": bounds.end for part, bounds in within.items()}
    task = msgspec.structs.replace(asked, ends=ends)
    ledger = ledger_of(await read_jobs(log, codec))
    return await (plan_drop if task.action == "drop" else plan_redrive)(log, codec, task, ledger)


async def plan_drop(log: Log, codec: EventCodec, task: Task, ledger: Ledger) -> Plan:
    """Raises `SelectionError` when nothing is selected."""
    chosen = await choose(log, codec, task, ledger)
    _something(chosen)
    letters = [entry.letter for entry in chosen.entries] + [one for those in chosen.refused.values() for one in those]
    return Plan(
        task=task,
        send=0,
        overtaken=0,
        duplicates=len(chosen.duplicates),
        refused={},
        closed=chosen.closed,
        bytes=0,
        lanes={},
        causes=Counter(one.fingerprint for one in letters),
        drop=len(letters),
    )


async def plan_redrive(log: Log, codec: EventCodec, task: Task, ledger: Ledger) -> Plan:
    """Raises `SelectionError` when nothing is selected, or nothing of it has a lane."""
    chosen = await choose(log, codec, task, ledger)
    _something(chosen)
    _has_lane(chosen)
    sent: list[Entry] = []
    late: list[tuple[str, str]] = []
    for partition, group in groupby(chosen.entries, key=lambda entry: entry.partition):
        entries = list(group)
        live = Overtaking(log, codec, partition, entries)
        await live.advance()
        for entry in entries:
            if why := live.why(entry):
                late.append((str(entry.letter.place), why))
            else:
                sent.append(entry)
    return Plan(
        task=task,
        send=len(sent),
        overtaken=len(late),
        duplicates=len(chosen.duplicates),
        refused={why: len(those) for why, those in chosen.refused.items()},
        closed=chosen.closed,
        bytes=sum(entry.size for entry in sent),
        lanes=Counter(topics.replay(entry.base) for entry in sent),
        causes=Counter(entry.letter.fingerprint for entry in sent),
        examples=tuple(late[:EXAMPLES]),
    )


def _something(chosen: Chosen) -> None:
    if not chosen.letters:
        more = f"; {chosen.closed:,} are closed already (--again takes them too)" if chosen.closed else ""
        raise SelectionError(f"no open letter matches{more}")


def _has_lane(chosen: Chosen) -> None:
    if len(chosen.refused.get(NO_LANE, ())) == chosen.letters:
        bases = ", ".join(sorted({letter.base for letter in chosen.refused[NO_LANE]}))
        raise SelectionError(f"TOPIC: {bases} has no replay lane, so nothing can be sent there again: publish anew")
