"""Looks at the aliases again and again, and wishes what they come to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import ConfigurationError, ModelRegistryError, RoggiaError

from roggia_operator import metrics
from roggia_operator.models.canary import CanaryCounts, Objectives
from roggia_operator.models.generations import Wish
from roggia_operator.models.looking import look
from roggia_operator.models.ports import ModelRegistry, Standings, Wishes
from roggia_operator.models.reconciling import Outcome, Refusal, SeenModel, SetAlias, reconcile
from roggia_operator.models.values import CHAMPION

LEAST_S = 0.5
"""Between two looks, however often somebody wakes the poller."""
AGAIN_S = 30.0
"""A wish that is still due is written again after this: the first may have been lost, and it is idempotent."""
NOTHING = Outcome()
Counts = Callable[[], Mapping[tuple[str, int], CanaryCounts]]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between looks, at least between two, and until a wish is repeated."""

    every_s: float = 10.0
    least_s: float = LEAST_S
    again_s: float = AGAIN_S


@dataclass(frozen=True, slots=True)
class View:
    """What the poller knows. `trouble` says why `models` may be old; `looked_s` is Unix time, 0 before a first look."""

    models: Sequence[SeenModel] = ()
    outcome: Outcome = NOTHING
    looked_s: float = 0.0
    trouble: str = ""


class Poller:
    """A worker. Level-triggered: what it does depends on what is there, not on what it was told.

    While the registry does not answer it keeps what it saw last, says so, and wishes nothing: an alias may have been
    taken away meanwhile. Everything but `run` may be called at any time, from the same event loop.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        standings: Standings,
        wishes: Wishes,
        *,
        pace: Pace | None = None,
        stages: bool = False,
        counts: Counts = dict,
        objectives: Objectives | None = None,
    ) -> None:
        self._registry, self._standings, self._wishes = registry, standings, wishes
        self._pace, self._stages = pace or Pace(), stages
        self._counts, self._objectives = counts, objectives or Objectives()
        self._sent: dict[Wish, float] = {}
        self._view = View()
        self._labels: set[tuple[str, str]] = set()
        self._woken, self._stopping = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Look until stopped. A registry that does not answer is asked again; it never ends by itself."""
        while not self._stopping.is_set():
            self._woken.clear()
            await self.look()
            await either(self._stopping, timeout_s=min(self._pace.least_s, self._pace.every_s))
            await either(self._stopping, self._woken, timeout_s=max(0.0, self._pace.every_s - self._pace.least_s))

    def wake(self) -> None:
        """Look soon: an alias or a generation may have changed."""
        self._woken.set()

    def stop(self) -> None:
        """Return from `run` soon: after the look under way, which the registry client bounds in time."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Nothing: without the registry the service does the rest of its work, and what serves goes on serving."""
        return []

    def notes(self) -> list[str]:
        """What is wrong: a registry that does not answer, champions that are refused."""
        refused = [str(one) for one in self._view.outcome.refusals if one.alias == CHAMPION]
        return ([f"models: {self._view.trouble}"] if self._view.trouble else []) + [f"models: {one}" for one in refused]

    @property
    def view(self) -> View:
        """What was seen last, and what it came to."""
        return self._view

    async def look(self) -> View:
        """One look, carried out. Called by `run`, and by tests."""
        try:
            seen = await asyncio.to_thread(partial(look, self._registry, stages=self._stages))
        except (ModelRegistryError, ConfigurationError) as error:
            self._trouble(str(error))
            return self._view
        metrics.MODEL_REGISTRY_UP.set(1)
        metrics.MODEL_LOOKED.set(time.time())
        standings = self._standings()
        if standings is None:
            self._view = View(seen, self._view.outcome, time.time(), "generations are not known yet")
            return self._view
        outcome = reconcile(seen, standings, self._counts(), self._objectives)
        self._alarm(outcome.refusals)
        self._view = View(seen, outcome, time.time())
        self._show(seen)
        await self._carry_out(outcome)
        return self._view

    def _trouble(self, why: str) -> None:
        metrics.MODEL_REGISTRY_UP.set(0)
        since = (
            f"what it said {time.time() - self._view.looked_s:.0f} s ago holds" if self._view.looked_s else "not yet"
        )
        if not self._view.trouble:
            log.warning("model_registry_away", error=why, known=since)
        self._view = View(self._view.models, self._view.outcome, self._view.looked_s, f"{why} ({since})")

    async def _carry_out(self, outcome: Outcome) -> None:
        now = time.monotonic()
        due = set(outcome.wishes)
        self._sent = {wish: at for wish, at in self._sent.items() if wish in due}
        for wish in outcome.wishes:
            if now - self._sent.get(wish, -self._pace.again_s) >= self._pace.again_s:
                await self._send(wish, now)
        for alias in outcome.aliases:
            await self._write(alias)

    async def _send(self, wish: Wish, now: float) -> None:
        try:
            await self._wishes(wish)
        except RoggiaError as error:
            log.warning("wish_not_written", kind=wish.kind.value, model=str(wish.ref.uri), error=str(error))
            return
        self._sent[wish] = now
        metrics.MODEL_WISHES.labels(wish.kind.value).inc()
        log.info("wished", kind=wish.kind.value, model=wish.ref.uri, generation=wish.generation, why=wish.why)

    async def _write(self, alias: SetAlias) -> None:
        try:
            if alias.version is None:
                await asyncio.to_thread(self._registry.delete_alias, alias.name, alias.alias)
            else:
                await asyncio.to_thread(self._registry.set_alias, alias.name, alias.alias, alias.version)
        except ModelRegistryError as error:
            log.warning("alias_not_written", model=alias.name, alias=alias.alias, error=str(error))

    def _alarm(self, refusals: Sequence[Refusal]) -> None:
        known = set(self._view.outcome.refusals)
        for refusal in refusals:
            if refusal not in known:
                log.warning("alias_refused", model=refusal.name, alias=refusal.alias, version=refusal.version,
                            missing=list(refusal.missing))  # fmt: skip

    def _show(self, seen: Sequence[SeenModel]) -> None:
        refused = {(one.name, one.alias) for one in self._view.outcome.refusals}
        held = {(model.name, alias): version for model in seen for alias, version in model.aliases.items()}
        for labels in self._labels - held.keys():
            for gauge in (metrics.MODEL_ALIAS, metrics.MODEL_REFUSED):
                gauge.remove(*labels)
        for labels, version in held.items():
            metrics.MODEL_ALIAS.labels(*labels).set(version)
            metrics.MODEL_REFUSED.labels(*labels).set(labels in refused)
        self._labels = set(held)
