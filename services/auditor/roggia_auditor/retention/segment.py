"""A segment: the records of one stream that the log took in one month, in files of their own, with their manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from roggia_auditor import periods
from roggia_auditor.errors import SegmentError
from roggia_auditor.ledger.model import CORRECTIONS, Row, Stream

FORMAT = "roggia-audit-segment/1"
RECORDS, TILES, MANIFEST = "records.parquet", "tiles.tar", "manifest.json"


class Span(NamedTuple):
    """Which leaves of which stream: `first` up to, not with, `end`. `month` is YYYY-MM, UTC, by the broker's clock."""

    stream: Stream
    month: str
    first: int
    end: int

    @property
    def name(self) -> str:
        """Where it lies under the folder of segments, for ever."""
        return (
            f"{self.stream.topic}/{self.stream.topic_id}/{self.stream.partition}/{self.month}-{self.first}-{self.end}"
        )


class Moved(NamedTuple):
    """A span that is a segment, and whether its entries are dropped."""

    span: Span
    dropped: bool


@dataclass(frozen=True, slots=True)
class Share:
    """What one tenant has in a segment; the empty tenant has no numbers: 0 and 0.

    `oldest` and `newest` (milliseconds since 1970) span when its records occurred and when the log took them; of
    corrections also the days of what they correct.
    `leaves` is the SHA-256 over the leaf hashes of its records, in order: whoever kept them can tell them again.
    """

    tenant: str
    first: int
    last: int
    records: int
    pico_usd: int
    oldest: int
    newest: int
    leaves: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as its manifest tells it. `newest` is the broker's time of its last record."""

    span: Span
    newest: int
    shares: tuple[Share, ...]
    checkpoint: str
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 by name."""
    dropped: bool = False

    def manifest(self) -> str:
        """The text of manifest.json. Sums are texts: they may leave what JSON's readers take for integers."""
        stream, month, first, end = self.span
        said = {
            "format": FORMAT,
            **stream._asdict(),
            "month": month,
            "first_leaf": first,
            "end_leaf": end,
            "records": end - first,
            "newest": self.newest,
            "tenants": [{**asdict(share), "pico_usd": str(share.pico_usd)} for share in self.shares],
            "checkpoint": self.checkpoint,
            "files": dict(self.files),
        }
        return json.dumps(said, indent=1, ensure_ascii=False) + "\n"

    def sha256(self) -> str:
        """Of the manifest: what the act of sealing holds."""
        return hashlib.sha256(self.manifest().encode()).hexdigest()


def of_manifest(text: str, *, dropped: bool = False) -> Segment:
    """The segment that a manifest tells. Raises `SegmentError`."""
    try:
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise SegmentError(f"{MANIFEST}: format {said['format']!r} is not {FORMAT!r}")
        stream = Stream(said["topic"], said["topic_id"], said["partition"])
        span = Span(stream, said["month"], said["first_leaf"], said["end_leaf"])
        shares = tuple(Share(**{**one, "pico_usd": int(one["pico_usd"])}) for one in said["tenants"])
        return Segment(span, said["newest"], shares, said["checkpoint"], said["files"], dropped)
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentError(f"{MANIFEST} cannot be read: {error!r}") from error


@dataclass(slots=True)
class _Counted:
    """A share in the making."""

    first: int
    oldest: int
    newest: int
    last: int = 0
    records: int = 0
    pico_usd: int = 0
    leaves: Any = field(default_factory=hashlib.sha256)

    def add(self, row: Row) -> None:
        times = _times(row)
        self.last, self.records = row.leaf.tenant_seq, self.records + 1
        self.pico_usd += row.leaf.cost_pico or 0
        self.oldest, self.newest = min(self.oldest, *times), max(self.newest, *times)
        self.leaves.update(row.leaf_hash)


def _times(row: Row) -> list[int]:
    """When it occurred, when the log took it, and for a correction also the day of the inference that it is of.

    Which zone that day is of, the row does not say: it may begin 14 hours before UTC's, and end 12 hours after it.
    """
    times = [row.occurred_at, row.leaf.appended_at]
    if row.leaf.topic_id == CORRECTIONS.topic_id and row.day:
        begins = round(datetime.fromisoformat(row.day).replace(tzinfo=UTC).timestamp() * 1000)
        times += [begins - 14 * periods.HOUR_MS, begins + (24 + 12) * periods.HOUR_MS - 1]
    return times


class Shares:
    """Counts shares while records pass."""

    def __init__(self) -> None:
        self._held: dict[str, _Counted] = {}
        self.newest = 0
        """Broker's time of the newest record."""

    def add(self, rows: Iterable[Row]) -> None:
        """Count records, in order."""
        for row in rows:
            leaf = row.leaf
            empty = _Counted(leaf.tenant_seq, row.occurred_at, row.occurred_at)
            self._held.setdefault(leaf.tenant, empty).add(row)
            self.newest = max(self.newest, leaf.appended_at)

    def done(self) -> tuple[Share, ...]:
        """By tenant, in the order of their names."""
        return tuple(_share(tenant, held) for tenant, held in sorted(self._held.items()))


def _share(tenant: str, held: _Counted) -> Share:
    counts = held.first, held.last, held.records, held.pico_usd
    return Share(tenant, *counts, held.oldest, held.newest, held.leaves.hexdigest())


def month_of(at: int) -> str:
    """The month of a time in milliseconds since 1970, UTC."""
    return periods.month(periods.day(at, "UTC"))


def month_ends(month: str) -> int:
    """When a month is over, UTC, milliseconds since 1970."""
    return periods.closes_at(month, "UTC", 0)
