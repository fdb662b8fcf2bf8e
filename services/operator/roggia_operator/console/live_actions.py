"""What the console can do, by the kind of action that a form names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from roggia_operator.console.live_jobs import WISHES, JobActions
from roggia_operator.console.live_letters import LetterActions
from roggia_operator.console.views import Plan
from roggia_operator.errors import SelectionError

Planner = Callable[[Mapping[str, str]], Awaitable[Plan]]
Starter = Callable[..., Awaitable[str]]


class LiveActions:
    """Implements `Actions`."""

    def __init__(self, jobs: JobActions, letters: LetterActions) -> None:
        wishes = {kind: partial(jobs.plan_wish, kind) for kind in WISHES}
        self._planners: dict[str, Planner] = {"replay": jobs.plan_replay, "rate": jobs.plan_rate, **wishes}
        self._starters: dict[str, Starter] = dict.fromkeys(self._planners, jobs.start)
        self._planners |= {"redrive": letters.plan_redrive, "drop": letters.plan_drop}
        self._starters |= {"redrive": letters.start, "drop": letters.start}

    async def plan(self, kind: str, form: Mapping[str, str]) -> Plan:
        """See `Actions`."""
        if kind not in self._planners:
            raise SelectionError(f"action: {kind!r} is none of {', '.join(sorted(self._planners))}")
        return await self._planners[kind](form)

    async def start(self, kind: str, payload: str, *, who: str, reason: str) -> str:
        """See `Actions`."""
        if kind not in self._starters:
            raise SelectionError(f"action: {kind!r} is none of {', '.join(sorted(self._starters))}")
        return await self._starters[kind](kind, payload, who=who, reason=reason)
