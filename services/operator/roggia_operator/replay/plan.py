"""What a replay would do, before it does it. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from roggia_runtime.codec import EventCodec
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics

from roggia_operator.errors import SelectionError
from roggia_operator.replay.bounds import Bounds, bounds
from roggia_operator.replay.estimate import CONFIDENCE, Figure
from roggia_operator.replay.matching import Matcher
from roggia_operator.replay.outside import Newer
from roggia_operator.replay.pace import Pace, measured
from roggia_operator.replay.selection import Selection
from roggia_operator.replay.survey import Effort, Found, survey
from roggia_operator.replay.warnings import facts, warnings

RATES = ("records", "bytes", "tokens")
_NOWHERE = Span(-1, -1)


@dataclass(frozen=True, slots=True)
class Plan:
    """Figures that are exact were counted; the others are estimated from a sample, within `low` to `high` at 99.9 %.

    `tokens` are what would be embedded if the vector cache held nothing: what it holds, the plan does not know.
    `overtaken`: documents whose newest version lies outside; None: not counted, then `newer` says what a sample showed.
    `seconds`: expected duration; None where nothing was ever measured and no rate is set.
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
    newer: Newer | None = None

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        figures = {name: _figure(getattr(self, name)) for name in ("records", "documents", "bytes")}
        return figures | {
            "tokens_at_most": self.tokens.high,
            "topic": self.selection.topic,
            "overtaken": self.overtaken,
            "overtaken_of_seen": _seen(self.newer) if self.newer else None,
            "offsets": self.offsets,
            "read": self.read,
            "confidence": 1.0 if self.records.exact else CONFIDENCE,
            "rates": dict(self.rates),
            "seconds": self.seconds,
            "pace": self.pace,
            "warnings": list(self.warnings),
        }


def embedding(plan: Plan) -> str:
    """Tokens to embed, in words: a bound, `about` where it was estimated from a sample or from the bytes of text."""
    most = plan.tokens.high
    if not most:
        return "none"
    about = "" if plan.tokens.exact and plan.selection.topic != topics.DOC_CHANGED else "about "
    return f"at most {about}{most:,}; 0 where the vector cache holds them"


def overtaken(plan: Plan) -> str:
    """Documents that something newer outside overtakes, in words."""
    if plan.overtaken is not None:
        return f"{plan.overtaken:,} documents"
    if plan.newer is None:
        return "not counted"
    of, found = f"of the {plan.newer.documents:,} documents looked at", plan.newer.found
    if found.exact:
        return f"{found.value:,} {of}"
    return f"{f'{found.low:,}' if found.low else 'none seen'} to {found.high:,} {of}, from a sample"


def _seen(newer: Newer) -> dict[str, Any]:
    return {"documents": newer.documents} | _figure(newer.found)


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
        tuple(warnings(selection, found, lost(where, selection), known, seconds)),
        found.newer,
    )


def duration(found: Found, rates: Mapping[str, float], pace: Pace) -> float | None:
    """Seconds at the given limits and at the pace that was measured; None when neither says anything."""
    needs = {"records": found.records.value, "bytes": found.bytes.value, "tokens": found.tokens.value}
    times = [needs[name] / rate for name, rate in rates.items()]
    if pace.records_per_s:
        times.append(needs["records"] / pace.records_per_s)
    return max(times) if times else None


def lost(where: Bounds, selection: Selection) -> list[str]:
    """Partitions of which the topic no longer holds the beginning of the selection, in words."""
    asked = {part.partition: part.first for part in selection.offsets}
    found = []
    for part, held in where.held.items():
        first = asked.get(part.number, held.first)
        if first < held.first:
            found.append(f"offsets {first} to {held.first} of partition {part.number}")
        elif selection.from_ms is not None and 0 < held.first == where.wanted.get(part, _NOWHERE).first:
            found.append(f"what lay before offset {held.first} of partition {part.number}")
    return found
