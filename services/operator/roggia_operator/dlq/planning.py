"""What a redrive or a drop would do, before it does anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from roggia_runtime.codec import EventCodec
from roggia_schemas import topics

from roggia_operator.dlq.entries import NO_LANE, Chosen, Entry, choose
from roggia_operator.dlq.jobs import Task
from roggia_operator.dlq.ledger import Ledger
from roggia_operator.dlq.overtaking import Overtaking
from roggia_operator.dlq.ports import Log
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
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def letters(self) -> int:
        """Letters that the job will close, or refuse."""
        return self.send + self.overtaken + self.duplicates + sum(self.refused.values())


async def plan_redrive(log: Log, codec: EventCodec, task: Task, ledger: Ledger) -> Plan:
    """Raises `SelectionError` when nothing is selected, or nothing of it has a lane."""
    chosen = await choose(log, codec, task, ledger)
    _something(chosen)
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
    if len(chosen.refused.get(NO_LANE, ())) == chosen.letters:
        bases = ", ".join(sorted({letter.base for letter in chosen.refused[NO_LANE]}))
        raise SelectionError(f"TOPIC: {bases} has no replay lane, so nothing can be sent there again: publish anew")
