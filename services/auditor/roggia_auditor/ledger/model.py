"""What the ledger holds: heads of streams, records, sums. Values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import NamedTuple

from roggia_auditor.errors import OverflowingError
from roggia_auditor.leaf import Leaf
from roggia_auditor.tlog import hashes
from roggia_auditor.tlog.frontier import Frontier, TileHash

MAX_INT = 2**63 - 1
NO_EVENT = "00000000-0000-0000-0000-000000000000"


class Stream(NamedTuple):
    """One partition of one topic, by the topic's id: a topic that is made anew under its name is another stream."""

    topic: str
    topic_id: str
    partition: int

    @property
    def of_kafka(self) -> bool:
        """Whether a partition is behind it, and not the ledger itself."""
        return self.topic_id != NO_EVENT

    def origin(self, prefix: str) -> str:
        """The name of its log, for ever."""
        return f"{prefix}/{self.topic}/{self.topic_id}/{self.partition}"


ACTS = Stream("audit.acts", NO_EVENT, 0)
"""The log of what was done to the audit log itself. No topic is behind it: it begins in the ledger."""


READINGS = Stream("audit.access", NO_EVENT, 0)
"""The log of who read the audit log. No topic is behind it either."""
UNTOLD = frozenset({ACTS, READINGS})
"""Logs that no topic tells of."""
CORRECTIONS = Stream("usage.adjusted", NO_EVENT, 0)
"""The correction log. No partition of Kafka: the ledger itself decides what stands in it, leaf by leaf, and its topic's
id is none. `usage.adjusted` tells of it."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far a stream is: the next offset, and the right edge of its tree."""

    next_offset: int = 0
    frontier: Frontier = field(default_factory=Frontier)


class UsageKey(NamedTuple):
    """What usage is summed by. `origin` is live, canary, shadow or replay."""

    tenant: str
    booked: str
    day: str
    provider: str
    model: str
    prompt: str
    prompt_version: str
    origin: str


@dataclass(slots=True)
class Usage:
    """Sums of one cell. Every one an integer of at most 63 bits; a correction may make `pico_usd` negative."""

    requests: int = 0
    attempts: int = 0
    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image: int = 0
    unpriced: int = 0
    estimated: int = 0
    pico_usd: int = 0

    def add(self, other: Usage) -> None:
        """Add another's. Raises `OverflowingError`, and changes nothing, where a sum leaves 63 bits."""
        sums = [(name, getattr(self, name) + more) for name, more in zip(USAGE, other.values(), strict=True) if more]
        for name, total in sums:
            if abs(total) > MAX_INT:
                raise OverflowingError(f"a sum of usage leaves 63 bits: {name} would be {total}")
        for name, total in sums:
            setattr(self, name, total)

    def tokens(self) -> int:
        """Tokens of all classes."""
        return sum(_tokens(self))

    def values(self) -> tuple[int, ...]:
        """In the order of `USAGE`."""
        found: tuple[int, ...] = _values(self)
        return found


USAGE = tuple(one.name for one in fields(Usage))
_values = attrgetter(*USAGE)
TOKENS = tuple(name for name in USAGE if name not in {"requests", "attempts", "unpriced", "estimated", "pico_usd"})
_tokens = attrgetter(*TOKENS)
OWN = frozenset({"live", "canary"})
"""Origins that are a tenant's own use. Shadow traffic and replays are booked apart, and never on its budget."""


class MonthKey(NamedTuple):
    """What a budget is for."""

    tenant: str
    period: str


@dataclass(slots=True)
class Month:
    """What a tenant's own inferences (live and canary) came to in a month. Integers of at most 63 bits."""

    tokens: int = 0
    pico_usd: int = 0
    unpriced: int = 0

    def add(self, other: Month) -> None:
        """Add another's. Raises `OverflowingError`, and changes nothing, where a sum leaves 63 bits."""
        sums = self.tokens + other.tokens, self.pico_usd + other.pico_usd, self.unpriced + other.unpriced
        if max(map(abs, sums)) > MAX_INT:
            raise OverflowingError(f"a sum of a month leaves 63 bits: {sums}")
        self.tokens, self.pico_usd, self.unpriced = sums


class DayKey(NamedTuple):
    """What `tenant.usage` is of."""

    tenant: str
    day: str
    provider: str
    model: str


class Limits(NamedTuple):
    """What a tenant may use in a month; None: as much as it likes."""

    tokens: int | None = None
    pico_usd: int | None = None


class Crossing(NamedTuple):
    """A share of a limit that was reached."""

    limit: str
    """tokens or pico_usd."""
    percent: int


PERCENTS = (80, 100)


def crossings(month: Month, limits: Limits) -> tuple[Crossing, ...]:
    """Shares of limits that a month has reached."""
    pairs = (("tokens", month.tokens, limits.tokens), ("pico_usd", month.pico_usd, limits.pico_usd))
    return tuple(
        Crossing(name, percent)
        for name, used, limit in pairs
        if limit is not None
        for percent in PERCENTS
        if used * 100 >= limit * percent
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One record, its leaf, and what it is looked up by."""

    index: int
    leaf: Leaf
    entry: bytes
    """The leaf as the tree holds it."""
    leaf_hash: bytes
    occurred_at: int
    day: str
    lookup: Mapping[str, str]
    value: bytes


def row_of(leaf: Leaf, index: int, occurred_at: int, day: str, lookup: Mapping[str, str], value: bytes) -> Row:
    """The row of a new leaf: its entry and its hash are made here, once."""
    entry = leaf.encoded()
    return Row(index, leaf, entry, hashes.leaf(entry), occurred_at, day, lookup, value)


class Duplicate(NamedTuple):
    """A record whose event the ledger has already: `tenant` is whose that event is, nobody's where it is empty.

    `same` is whether its bytes are the same too.
    """

    offset: int
    event_id: str
    value_sha256: bytes
    same: bool
    tenant: str


class Corrected(NamedTuple):
    """What an event comes to since its newest correction: when that was made, the amount, and what it rests on."""

    at: int
    pico_usd: int
    price_version: str


class Known(NamedTuple):
    """An event that the ledger has, and whose."""

    value_sha256: bytes
    tenant: str


@dataclass(slots=True)
class Draft:
    """Everything that one batch of one stream changes, for one transaction.

    It holds under `before`: a ledger whose head is another one by then must write nothing.
    """

    stream: Stream
    before: Head
    after: Head
    rows: list[Row] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    tiles: list[TileHash] = field(default_factory=list)
    usage: dict[UsageKey, Usage] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    months: dict[MonthKey, Month] = field(default_factory=dict)
    limits: dict[str, Limits] = field(default_factory=dict)
    """Of the tenants in `months`."""
    corrected: dict[str, Corrected] = field(default_factory=dict)
    """By event id; of a draft of corrections alone."""

    def count(self, key: UsageKey, usage: Usage) -> None:
        """Add to a cell."""
        held = self.usage.get(key)
        if held is None:
            held = self.usage[key] = Usage()
        held.add(usage)

    def number(self, tenant: str, before: Mapping[str, int]) -> int:
        """Take the next number of a tenant; 0 for nobody. `before` are the last numbers before the batch."""
        if not tenant:
            return 0
        self.sequences[tenant] = self.sequences.get(tenant, before.get(tenant, 0)) + 1
        return self.sequences[tenant]

    def close(self, next_offset: int, limits: Mapping[str, Limits]) -> None:
        """Add the tenants' own cells up to months, which `limits` are for, and grow the tree by the rows: nothing may
        be added any more. Raises `OverflowingError`."""
        for key, usage in self.usage.items():
            if key.origin in OWN:
                month = Month(usage.tokens(), usage.pico_usd, usage.unpriced)
                self.months.setdefault(MonthKey(key.tenant, key.booked), Month()).add(month)
        self.limits = {key.tenant: limits.get(key.tenant, Limits()) for key in self.months}
        frontier, self.tiles = self.before.frontier.grown([row.leaf_hash for row in self.rows])
        self.after = Head(next_offset, frontier)

    def days(self) -> set[DayKey]:
        """Days whose totals this changes."""
        return {DayKey(key.tenant, key.day, key.provider, key.model) for key in self.usage if key.origin in OWN}
