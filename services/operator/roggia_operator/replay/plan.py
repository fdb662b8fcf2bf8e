"""What a replay would do, before it does it. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from roggia_runtime.codec import EventCodec
from roggia_runtime.ranges import RangeReader
from roggia_runtime.settings import KafkaSettings

from roggia_operator.errors import SelectionError
from roggia_operator.replay.bounds import bounds
from roggia_operator.replay.estimate import CONFIDENCE, Figure
from roggia_operator.replay.matching import Matcher
from roggia_operator.replay.pace import Pace, measured
from roggia_operator.replay.selection import Selection
from roggia_operator.replay.survey import Effort, Found, survey
from roggia_operator.replay.warnings import Facts, facts, warnings

RATES = ("records", "bytes", "tokens")


@dataclass(frozen=True, slots=True)
class Plan:
    """Figures that are exact were counted; the others are estimated from a sample, within `low` to `high` at 99.9 %.

    `overtaken`: documents whose newest version lies outside; None: not counted. `seconds`: expected duration; None
    where nothing was ever measured and no rate is set.
    """

    selection: Selection
    records: Figure
    documents: Figure
    bytes: Figure
    tokens: Figure
    overtaken: int | None
    offsets: int
    read: int
    rates: Mapping[str, float]
    seconds: float | None
    pace: str
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        figures = {name: _figure(getattr(self, name)) for name in ("records", "documents", "bytes", "tokens")}
        return figures | {
            "topic": self.selection.topic,
            "overtaken": self.overtaken,
            "offsets": self.offsets,
            "read": self.read,
            "confidence": 1.0 if self.records.exact else CONFIDENCE,
            "rates": dict(self.rates),
            "seconds": self.seconds,
            "pace": self.pace,
            "warnings": list(self.warnings),
        }


def _figure(figure: Figure) -> dict[str, Any]:
    return asdict(figure) | {"exact": figure.exact}


def checked_rates(rates: Mapping[str, float]) -> dict[str, float]:
    """Limits per second by name. Raises `SelectionError`."""
    for name, value in rates.items():
        if name not in RATES:
            raise SelectionError(f"rate: {name!r} is none of {', '.join(RATES)}")
        if not 0 < value < 1e12:
            raise SelectionError(f"rate: {name} {value:g} is not above 0; leave it out for no limit")
    return dict(rates)


async def plan(
    kafka: KafkaSettings,
    codec: EventCodec,
    selection: Selection,
    rates: Mapping[str, float],
    effort: Effort | None = None,
) -> Plan:
    """Look at a selection and say what a job over it would do. Raises `SelectionError`, `UnavailableError`."""
    async with RangeReader(kafka) as reader:
        where = await bounds(kafka, reader, selection)
        found = await survey(reader, Matcher(selection, codec), where, effort or Effort())
    pace = await measured(kafka, codec, selection.topic)
    seconds = duration(found, rates, pace)
    known = await facts(kafka, codec, selection)
    return Plan(
        selection,
        found.records,
        found.documents,
        found.bytes,
        found.tokens,
        found.overtaken,
        sum(span.offsets for span in where.wanted.values()),
        found.read,
        dict(rates),
        seconds,
        pace.source,
        tuple(_all_warnings(selection, found, where_lost(where, selection), known, seconds)),
    )


def duration(found: Found, rates: Mapping[str, float], pace: Pace) -> float | None:
    """Seconds at the given limits and at the pace that was measured; None when neither says anything."""
    needs = {"records": found.records.value, "bytes": found.bytes.value, "tokens": found.tokens.value}
    times = [needs[name] / rate for name, rate in rates.items()]
    if pace.records_per_s:
        times.append(needs["records"] / pace.records_per_s)
    return max(times) if times else None


def where_lost(where: Any, selection: Selection) -> Sequence[str]:
    """Partitions of which the topic no longer holds the beginning of the selection."""
    asked = {part.partition: part.first for part in selection.offsets}
    lost = []
    for part, held in where.held.items():
        if part.number in asked and asked[part.number] < held.first:
            lost.append(f"{part.number}:{asked[part.number]}-{held.first}")
    return lost


def _all_warnings(
    selection: Selection, found: Found, lost: Sequence[str], known: Facts, seconds: float | None
) -> Sequence[str]:
    return warnings(selection, found, lost, known, seconds)
