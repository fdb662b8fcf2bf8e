"""Two generations side by side as values; a report's JSON is what MLflow keeps. Questions' texts only on demand."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from roggia_operator.evaluation.report.model import Alarm

FORMAT = 1


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one generation did with one question: documents, best first, at most ten; or the code of why there are none.

    `seconds`: of the search alone for what ran in the shadow of users, as the caller waited for what was asked anew.
    """

    documents: tuple[str, ...] = ()
    seconds: float
    error: str = ""

    @property
    def empty(self) -> bool:
        """Answered, rightly, with nothing."""
        return not self.error and not self.documents


class ShadowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One question and its two answers. `overlap` and `rbo` are None where one has none. `text` is empty unless asked
    for."""

    query: str
    slices: tuple[str, ...]
    old: Seen
    new: Seen
    overlap: float | None = None
    rbo: float | None = None
    text: str = ""


class Pair(NamedTuple):
    """A number of the old generation and one of the new; a list of two in JSON."""

    old: float
    new: float


class ShadowSlice(msgspec.Struct, frozen=True, kw_only=True):
    """One slice. `compared`: questions that both answered; means are over these, None where there are none.

    `same_first`: share of them with the same document in the first place. `empty`, `errors`: shares of all questions.
    """

    slice: str
    queries: int
    compared: int
    overlap: float | None
    rbo: float | None
    same_first: float | None
    empty: Pair
    errors: Pair
    p50_s: Pair
    p95_s: Pair


class Between(msgspec.Struct, frozen=True, kw_only=True):
    """Which generations, by which models, and where the questions are from: `live`, `recorded` or `file`."""

    generation: int
    against: int
    source: str
    models: tuple[str, ...] = ()
    models_against: tuple[str, ...] = ()
    note: str = ""


class ShadowReport(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison in the shadow. It has no verdict: it shows what changes, not what is better."""

    format: int = FORMAT
    created: str
    between: Between
    slices: tuple[ShadowSlice, ...]
    alarms: tuple[Alarm, ...]
    codes: dict[str, Pair]
    rows: tuple[ShadowRow, ...]

    @property
    def whole(self) -> ShadowSlice:
        """Everything."""
        return self.slices[0]

    @property
    def id(self) -> str:
        """SHA-256 of the JSON."""
        return hashlib.sha256(encode(self)).hexdigest()


class Changed(NamedTuple):
    """A question whose answers differ, and how often it was asked."""

    row: ShadowRow
    times: int


def encode(report: ShadowReport) -> bytes:
    """The report as JSON."""
    return msgspec.json.encode(report)


def decode(body: bytes) -> ShadowReport:
    """A report from JSON. Raises `msgspec.DecodeError`, `msgspec.ValidationError`."""
    return msgspec.json.decode(body, type=ShadowReport)
