"""A report as values; its JSON is what MLflow and the controller keep. It holds ids of questions, never their text."""

from __future__ import annotations

import hashlib

import msgspec

from roggia_operator.evaluation.scoring import Scores
from roggia_operator.evaluation.verdict import GateResult, GateSettings, Verdict

FORMAT = 1


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """The set that was asked."""

    id: str
    version: int
    sha256: str
    manifest: str
    queries: int


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from question to answer, as the evaluation waited: quantiles, with so many questions at a time."""

    p50: float
    p95: float
    p99: float
    concurrency: int


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Means of all measures over one slice."""

    slice: str
    queries: int
    measures: dict[str, float]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One generation: what answered, how well, how fast."""

    generation: int
    models: tuple[str, ...]
    collections: tuple[str, ...]
    slices: tuple[Measured, ...]
    latency: Latency


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One condition beside relevance. `ok` None: not measured, and `message` says why."""

    name: str
    ok: bool | None
    value: float | None
    limit: float
    message: str
    waived: bool = False


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should look at. It never decides."""

    name: str
    value: float
    floor: float
    message: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One question: its scores, how far its two answers agree, and how long each took."""

    query: str
    slices: tuple[str, ...]
    new: Scores
    old: Scores | None = None
    overlap: float | None = None
    rbo: float | None = None
    seconds: tuple[float, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation. `verdict` is None where there was nothing to compare with. `against` is the old generation."""

    format: int = FORMAT
    created: str
    golden: Golden
    generation: Side
    against: Side | None
    settings: GateSettings
    verdict: Verdict | None
    reason: str
    gate: GateResult | None
    checks: tuple[Check, ...]
    alarms: tuple[Alarm, ...]
    failed: int
    rows: tuple[Row, ...]

    @property
    def id(self) -> str:
        """SHA-256 of the JSON: what a generation's record names as its evidence."""
        return hashlib.sha256(encode(self)).hexdigest()


def encode(report: Report) -> bytes:
    """The report as JSON."""
    return msgspec.json.encode(report)


def decode(body: bytes) -> Report:
    """A report from JSON. Raises `msgspec.DecodeError`, `msgspec.ValidationError`."""
    return msgspec.json.decode(body, type=Report)
