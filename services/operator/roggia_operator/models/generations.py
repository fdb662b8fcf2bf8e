"""Index generations as this room sees them: how they stand, and what it may wish. Values and pure functions.

`IndexGeneration` rows are turned into `Standing` by whoever wires the poller; wishes are written as its WANTED side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from roggia_operator.models.values import ModelFacts

BY = "models"
"""Who wishes, as rows record it."""


class State(StrEnum):
    """States of a generation, by the names that rows have."""

    PLANNED = "PLANNED"
    FILLING = "FILLING"
    SHADOW = "SHADOW"
    LIVE = "LIVE"
    ROLLED_BACK = "ROLLED_BACK"
    RETIRED = "RETIRED"
    FAILED = "FAILED"


class WishKind(StrEnum):
    """What may be wished of a generation."""

    FILL = "FILL"
    SERVE = "SERVE"
    ROLL_BACK = "ROLL_BACK"
    RETIRE = "RETIRE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One generation. `model` and `version` are empty and 0 for a model that came from settings.

    `gate_passed`: the controller holds a report that passed, or a named person's override. `wish` is the one written
    last, by `wished_by` on the gate's `report`. `cutover` is higher than that of all that went live before.
    `moved_by` and `moved_ms` tell of the last change of state. `message` is the controller's word.
    """

    generation: int
    state: State
    model: str = ""
    version: int = 0
    fingerprint: str = ""
    gate_passed: bool = False
    selection: tuple[str, ...] = ()
    cutover: int = 0
    wish: WishKind | None = None
    wished_by: str = ""
    report: str = ""
    moved_by: str = ""
    moved_ms: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One thing to write. `generation` 0 asks for a new one: the writer takes the next number, and writes nothing when
    there is one already, not retired, with this model's fingerprint (a wish may be said twice). FILL of one that is
    there takes back what was wished of it before: it follows the log, and serves nothing."""

    kind: WishKind
    ref: ModelFacts
    name: str
    version: int
    generation: int = 0
    selection: tuple[str, ...] = ()
    report: str = ""
    by: str = BY
    why: str = ""


def overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two selections share a knowledge base; an empty one holds all."""
    return not one or not other or any(_meet(a, b) for a in one for b in other)


def standing_of(name: str, version: int, fingerprint: str, standings: Iterable[Standing]) -> Standing | None:
    """The generation of a version: its own, else one with equal vectors (another version, or settings). Retired last.

    Versions with one fingerprint share a generation: their vectors are the same.
    """

    def rank(one: Standing) -> tuple[bool, bool, int]:
        return one.state is State.RETIRED, (one.model, one.version) != (name, version), -one.generation

    fitting = [
        one
        for one in standings
        if (one.model, one.version) == (name, version) or (fingerprint and one.fingerprint == fingerprint)
    ]
    return min(fitting, key=rank, default=None)


def live(selection: Sequence[str], standings: Iterable[Standing]) -> list[Standing]:
    """Live generations that share a knowledge base with `selection`; the first one serves, the others follow it."""
    held = [one for one in standings if one.state is State.LIVE and overlap(one.selection, selection)]
    return sorted(held, key=lambda one: (one.cutover, one.generation), reverse=True)


def _meet(one: str, other: str) -> bool:
    (tenant, _, domain), (other_tenant, _, other_domain) = one.partition("/"), other.partition("/")
    return tenant == other_tenant and (domain == other_domain or "*" in (domain, other_domain))
