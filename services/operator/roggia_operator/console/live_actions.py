"""What the console can do, by the kind of action that a form names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from roggia_operator.console.live_generations import KINDS, GenerationActions
from roggia_operator.console.live_jobs import WISHES, JobActions
from roggia_operator.console.live_letters import LetterActions
from roggia_operator.console.views import Plan
from roggia_operator.errors import SelectionError

Planner = Callable[[Mapping[str, str]], Awaitable[Plan]]
Starter = Callable[..., Awaitable[str]]


class LiveActions:
    """Implements `Actions`."""

    def __init__(self, jobs: JobActions, letters: LetterActions, generations: GenerationActions) -> None:
        self._kinds: dict[str, tuple[Planner, Starter]] = {
            "replay": (jobs.plan_replay, jobs.start),
            "rate": (jobs.plan_rate, jobs.start),
            "redrive": (letters.plan_redrive, letters.start),
            "drop": (letters.plan_drop, letters.start),
            **{kind: (partial(jobs.plan_wish, kind), jobs.start) for kind in WISHES},
            **{kind: (partial(generations.plan, kind), generations.start) for kind in KINDS},
        }

    async def plan(self, kind: str, form: Mapping[str, str]) -> Plan:
        """See `Actions`."""
        planner, _ = self._known(kind)
        return await planner(form)

    async def start(self, kind: str, payload: str, *, who: str, reason: str) -> str:
        """See `Actions`."""
        _, starter = self._known(kind)
        return await starter(kind, payload, who=who, reason=reason)

    def _known(self, kind: str) -> tuple[Planner, Starter]:
        if kind not in self._kinds:
            raise SelectionError(f"action: {kind!r} is none of {', '.join(sorted(self._kinds))}")
        return self._kinds[kind]
