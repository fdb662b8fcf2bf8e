"""From verdicts to what must be produced: outputs, dead letters, counts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from roggia_runtime.consumer import dead_letters
from roggia_runtime.errors import HandlerContractError
from roggia_runtime.records import DeadLetter, Done, Drop, Output, Record, Verdict


@dataclass(slots=True)
class Judged:
    """What a judged batch asks for: records to produce, and numbers for the limiter and the metrics."""

    outputs: list[Output]
    dead: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)


class Judge:
    """Applies verdicts for one group and stage."""

    def __init__(self, group: str, stage: str) -> None:
        self._group = group
        self._stage = stage

    def apply(self, records: Sequence[Record], verdicts: Sequence[Verdict], attempts: int) -> Judged:
        """Collect what the verdicts ask for. Raises `HandlerContractError` if they do not match the records.

        Called once per batch on the hot path: what most records need must stay a comparison and an extend.
        """
        if len(verdicts) != len(records):
            raise HandlerContractError(f"{self._stage} gave {len(verdicts)} verdicts for {len(records)} records")
        judged = Judged([])
        for record, verdict in zip(records, verdicts, strict=True):
            if type(verdict) is Done:
                judged.outputs.extend(verdict.outputs)
            else:
                self._exception(judged, record, verdict, attempts)
        self._count_done(judged, records)
        return judged

    def _exception(self, judged: Judged, record: Record, verdict: Verdict, attempts: int) -> None:
        if isinstance(verdict, Drop):
            judged.counts[record.topic, "drop"] += 1
            judged.reasons[verdict.reason] += 1
        elif isinstance(verdict, DeadLetter):
            letter = dead_letters.dead_letter(record, verdict, group=self._group, stage=self._stage, attempts=attempts)
            judged.outputs.append(letter)
            judged.dead += verdict.is_fault
            judged.counts[record.topic, "dead_letter"] += 1
            judged.kinds[record.topic, verdict.kind] += 1
        else:
            raise HandlerContractError(f"{self._stage} gave {verdict!r}, which is no verdict")

    @staticmethod
    def _count_done(judged: Judged, records: Sequence[Record]) -> None:
        others = Counter[str]()
        for (topic, _), number in judged.counts.items():
            others[topic] += number
        for topic, number in Counter([record.topic for record in records]).items():
            if number > others[topic]:
                judged.counts[topic, "done"] = number - others[topic]
