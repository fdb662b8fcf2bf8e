"""Legal holds: what must stay, whatever retention or an erasure says. Pure: made from the log of acts alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from roggia_auditor.errors import HeldError
from roggia_auditor.retention.acts import Act, Kind


@dataclass(frozen=True, slots=True)
class Lifting:
    """Who lifted a hold, when (milliseconds since 1970) and why."""

    by: str
    at: int
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held: a tenant (empty: every one) from `since` on, before `until`, milliseconds since 1970; None: ever.

    `name` is hold-N, N being its act's index.
    """

    name: str
    tenant: str
    since: int | None
    until: int | None
    reason: str
    by: str
    at: int
    lifted: Lifting | None = None

    def touches(self, tenant: str, oldest: int, newest: int) -> bool:
        """Whether something of a tenant that lies between two times is held.

        What is nobody's (a record that could not be read) may be anybody's: every hold of its time touches it.
        """
        same = not self.tenant or not tenant or self.tenant == tenant
        return same and (self.since is None or newest >= self.since) and (self.until is None or oldest < self.until)


def placing(hold: Hold) -> Act:
    """The act that places it."""
    about = {"tenant": hold.tenant, "since": _text(hold.since), "until": _text(hold.until)}
    return Act(Kind.HOLD_PLACED, hold.at, hold.by, hold.reason, about=about)


def lifting(hold: Hold, by: str, at: int, reason: str) -> Act:
    """The act that lifts it."""
    return Act(Kind.HOLD_LIFTED, at, by, reason, about={"hold": hold.name})


def holds(acts: Sequence[Act]) -> Sequence[Hold]:
    """Every hold that the acts have placed, with its lifting."""
    found: dict[str, Hold] = {}
    for index, act in enumerate(acts):
        if act.kind is Kind.HOLD_PLACED:
            name, about = f"hold-{index}", act.about
            since, until = _time(about["since"]), _time(about["until"])
            found[name] = Hold(name, about["tenant"], since, until, act.reason, act.by, act.at)
        elif act.kind is Kind.HOLD_LIFTED:
            held = found[act.about["hold"]]
            found[held.name] = replace(held, lifted=Lifting(act.by, act.at, act.reason))
    return list(found.values())


def named(held: Iterable[Hold], name: str) -> Hold:
    """The active hold of a name. Raises `HeldError` where there is none."""
    for hold in held:
        if hold.name == name:
            if hold.lifted is not None:
                raise HeldError(f"{name} was lifted already, by {hold.lifted.by}")
            return hold
    raise HeldError(f"there is no hold {name!r}; `roggia audit hold list` shows all")


def _text(at: int | None) -> str:
    return "" if at is None else str(at)


def _time(text: str) -> int | None:
    return int(text) if text else None
