"""The query role's models: those of every generation that may be asked, loaded one after the other beside requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import UnavailableError

from roggia_embedder.generations.encoding import Load
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.hosting import FIRST_S, MOST_S
from roggia_embedder.query.models import Models

log = structlog.get_logger()


@dataclass(slots=True)
class _Held:
    """One generation's model: its fingerprint once it is loaded, or why it is not, and when it is tried again."""

    hosted: Hosted
    backoff: Backoff
    fingerprint: str = ""
    trouble: str = ""
    again_at: float = 0.0


class QueryModels:
    """A worker. The baseline's model that cannot be used ends the service; another's is noted and tried again.

    Not ready while the model of a generation that serves, or may serve, is missing, or what else `missing` names.
    """

    def __init__(
        self,
        view: View,
        models: Models,
        load: Load,
        backoff: Callable[[], Backoff] = lambda: Backoff(FIRST_S, MOST_S),
        missing: Callable[[Hosted], str] = lambda _: "",
    ) -> None:
        self._view, self._models, self._load, self._backoff = view, models, load, backoff
        self._missing = missing
        self._held: dict[int, _Held] = {}
        self._changed, self._stopping = asyncio.Event(), asyncio.Event()

    def changed(self, *_: object) -> None:
        """A row is new: look soon."""
        self._changed.set()

    async def run(self) -> None:
        """Load what is missing, let go of what is not asked any more, until `stop`. Raises `ModelLoadError`."""
        while not self._stopping.is_set():
            self._changed.clear()
            self._sort()
            due = self._due()
            if due is not None:
                await self._try(due)
                continue
            await self._models.keep({held.fingerprint for held in self._held.values()})
            await either(self._stopping, self._changed, timeout_s=self._wait_s())

    def stop(self) -> None:
        """Return from `run` soon; a model that is being loaded is loaded first."""
        self._stopping.set()

    def health(self) -> list[str]:
        """What lacks, without which somebody's query cannot be answered."""
        return self._lacking(self._view.may_serve() & self._view.queried().keys())

    def notes(self) -> list[str]:
        """What lacks for generations that serve nobody."""
        return self._lacking(self._view.queried().keys() - self._view.may_serve())

    def _lacking(self, numbers: Iterable[int]) -> list[str]:
        queried = self._view.queried()
        stores = [self._missing(queried[number]) for number in sorted(numbers)]
        models = [self._problem(number) for number in sorted(numbers) if not self._loaded(number)]
        return [f"query: {problem}" for problem in (*stores, *models) if problem]

    def _loaded(self, number: int) -> bool:
        return number in self._held and bool(self._held[number].fingerprint)

    def _problem(self, number: int) -> str:
        trouble = self._held[number].trouble if number in self._held else ""
        return f"model of generation {number}: {trouble or 'loading'}"

    def _sort(self) -> None:
        """What is asked now; a generation whose row names another model starts anew."""
        queried = self._view.queried()
        kept = {
            number: held
            for number, held in self._held.items()
            if number in queried and held.hosted.same_work(queried[number]) and queried[number].takes(held.fingerprint)
        }
        fresh = {n: _Held(one, self._backoff()) for n, one in queried.items() if n not in kept}
        self._held = kept | fresh
        for number, held in self._held.items():
            if held.hosted != queried[number]:
                held.hosted, held.again_at = queried[number], 0.0

    def _due(self) -> _Held | None:
        """The next to be loaded: those that may serve come first."""
        now, first = time.monotonic(), self._view.may_serve()
        missing = [held for held in self._held.values() if not held.fingerprint and held.again_at <= now]
        return min(missing, key=lambda held: (held.hosted.number not in first, held.hosted.number), default=None)

    def _wait_s(self) -> float | None:
        waiting = [held.again_at for held in self._held.values() if not held.fingerprint]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    async def _try(self, held: _Held) -> None:
        if self._models.has(held.hosted.model.fingerprint):
            held.fingerprint = held.hosted.model.fingerprint
            return
        try:
            model = await asyncio.to_thread(self._load, held.hosted.model)
        except Exception as error:
            if held.hosted.number == self._view.baseline and not isinstance(error, UnavailableError):
                raise
            held.trouble = str(error) or type(error).__name__
            held.again_at = time.monotonic() + held.backoff.wait_s()
            log.warning("model_not_loaded", generation=held.hosted.number, error=held.trouble)
            return
        self._models.add(model)
        held.fingerprint, held.trouble = model.fingerprint, ""
        log.info("model_loaded", generation=held.hosted.number, model=model.fingerprint)
