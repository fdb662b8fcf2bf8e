"""Keeps one worker per generation that is followed, and never lets one of them stand in another's way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import RoggiaError, UnavailableError
from roggia_runtime.service import Noting, Worker

from roggia_embedder.generations.hosted import Hosted, View

Make = Callable[[Hosted], Worker]
"""Makes the worker of one generation. Called again for every try; what it raises is a failure of that generation."""
FIRST_S, MOST_S = 1.0, 60.0
log = structlog.get_logger()


@dataclass(slots=True)
class _Host:
    """One generation's worker, or the wait until the next try."""

    hosted: Hosted
    essential: bool
    worker: Worker | None = None
    trouble: str = ""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    renewed: asyncio.Event = field(default_factory=asyncio.Event)
    """The row says something new: a wait for the next try ends."""
    task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        self.stopping.set()
        if self.worker is not None:
            self.worker.stop()

    def renew(self, hosted: Hosted) -> None:
        if hosted != self.hosted:
            self.hosted = hosted
            self.renewed.set()

    def suits(self, wanted: Hosted) -> bool:
        """Whether the worker may go on under another row: same work, and the model that was loaded is the row's."""
        loaded: str = getattr(self.worker, "fingerprint", "")
        return self.hosted.same_work(wanted) and wanted.takes(loaded)

    def problems(self) -> list[str]:
        """What keeps it from working."""
        if self.trouble or self.worker is None:
            return [self.trouble or "starting"]
        return self.worker.health()

    def notes(self) -> list[str]:
        return self.worker.notes() if isinstance(self.worker, Noting) else []


class Hosting:
    """A worker of a service. `numbers` are the generations that this process may host; None: all.

    The baseline is what the process is for: its failure ends the service, its health is the service's. Another
    generation's failure is logged, noted, and tried again, later each time.
    """

    def __init__(
        self,
        view: View,
        make: Make,
        numbers: frozenset[int] | None = None,
        *,
        stage: str,
        backoff: Callable[[], Backoff] = lambda: Backoff(FIRST_S, MOST_S),
    ) -> None:
        self._view, self._make, self._numbers, self._stage = view, make, numbers, stage
        self._backoff = backoff
        self._hosts: dict[int, _Host] = {}
        self._changed, self._stopping = asyncio.Event(), asyncio.Event()
        self._failure: BaseException | None = None

    def changed(self, *_: object) -> None:
        """A row is new: look soon."""
        self._changed.set()

    def workers(self) -> Iterator[Worker]:
        """Those that run now."""
        return (host.worker for host in self._hosts.values() if host.worker is not None)

    def hosts(self, number: int) -> bool:
        """Whether anything of a generation runs here, or is still ending."""
        return number in self._hosts

    async def run(self) -> None:
        """Host until `stop`. Raises what ended the baseline."""
        try:
            while not self._stopping.is_set() and self._failure is None:
                self._changed.clear()
                self._reconcile()
                await either(self._stopping, self._changed)
        finally:
            await self._end()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Return from `run` once every worker has finished what it holds."""
        self._stopping.set()
        for host in self._hosts.values():
            host.stop()

    def health(self) -> list[str]:
        """What is not ready of the baseline, where it is hosted here."""
        own = self._view.baseline
        if own in self._hosts:
            return self._hosts[own].problems()
        return [f"{self._stage}: starting"] if own in self._wanted() else []

    def notes(self) -> list[str]:
        """What is wrong with the other generations, and what is wrong although it works."""
        others = [
            f"{self._stage}: {host.hosted.label}: {problem}"
            for host in self._hosts.values()
            if not host.essential
            for problem in host.problems()
        ]
        missing = sorted(n for n in self._numbers or () if self._view.get(n) is None)
        unknown = [f"{self._stage}: generation {n} is to be hosted here, but has no record yet" for n in missing]
        return [*others, *unknown, *(note for host in self._hosts.values() for note in host.notes())]

    def _wanted(self) -> dict[int, Hosted]:
        followed = self._view.followed()
        return {n: one for n, one in followed.items() if self._numbers is None or n in self._numbers}

    def _reconcile(self) -> None:
        wanted = self._wanted()
        for number, host in self._hosts.items():
            if number not in wanted or not host.suits(wanted[number]):
                host.stop()
            else:
                host.renew(wanted[number])
        for number in sorted(wanted.keys() - self._hosts.keys()):
            self._begin(wanted[number])

    def _begin(self, hosted: Hosted) -> None:
        host = _Host(hosted, essential=hosted.number == self._view.baseline)
        self._hosts[hosted.number] = host
        host.task = asyncio.create_task(self._keep(host), name=f"{self._stage} {hosted.label}")
        host.task.add_done_callback(lambda task: self._ended(host, task))
        log.info("hosting", stage=self._stage, generation=hosted.number, state=hosted.state.value)

    def _ended(self, host: _Host, task: asyncio.Task[None]) -> None:
        del self._hosts[host.hosted.number]
        failure = None if task.cancelled() else task.exception()
        if failure is not None and self._failure is None:
            self._failure = failure
        log.info("hosted", stage=self._stage, generation=host.hosted.number)
        self._changed.set()

    async def _keep(self, host: _Host) -> None:
        """Run the worker, and another one when it fails. Raises the baseline's failure, unless it passes by itself."""
        backoff = self._backoff()
        while not host.stopping.is_set():
            host.renewed.clear()
            began = time.monotonic()
            try:
                host.worker = self._make(host.hosted)
                host.trouble = ""
                await host.worker.run()
            except Exception as error:
                if host.essential and not isinstance(error, UnavailableError):
                    raise
                self._note(host, error)
            finally:
                host.worker = None
            if not host.trouble:
                return
            if time.monotonic() - began > MOST_S:
                backoff = self._backoff()
            if await either(host.stopping, host.renewed, timeout_s=backoff.wait_s()):
                backoff = self._backoff()

    def _note(self, host: _Host, error: Exception) -> None:
        host.trouble = f"stopped: {str(error) or type(error).__name__}"
        bug = None if isinstance(error, RoggiaError) else error
        log.warning(
            "generation_failed", stage=self._stage, generation=host.hosted.number, error=host.trouble, exc_info=bug
        )

    async def _end(self) -> None:
        for host in list(self._hosts.values()):
            host.stop()
        tasks = [host.task for host in self._hosts.values() if host.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
