"""Runs one service: settings in, exit status out. `__main__` of every service calls `run_service`."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Protocol, runtime_checkable

import structlog
from starlette.routing import BaseRoute

from roggia_runtime import logs, otlp_metrics, tracing
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import ConfigurationError, UnavailableError
from roggia_runtime.hosts import hosts_of
from roggia_runtime.http import HttpServer, application
from roggia_runtime.settings import ServiceSettings

OK, FAILED, MISCONFIGURED = 0, 1, 2
_COLLECT_AFTER = 50_000
log = structlog.get_logger()

Hook = Callable[[], Awaitable[None]]


class Worker(Protocol):
    """Something that runs until stopped: a `ConsumerLoop`, a sweeper, a poller."""

    async def run(self) -> None:
        """Work until `stop`; raise what makes going on impossible."""
        ...

    def stop(self) -> None:
        """Ask `run` to return soon. Called from the event loop's thread."""
        ...

    def health(self) -> list[str]:
        """What is not ready, in words."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A worker that has something to say of its own beside what is not ready."""

    def notes(self) -> list[str]:
        """What is wrong although it works, in words."""
        ...


class Service:
    """One process: resources, workers, an HTTP server. Built by a service's `app.build`, run by `run`.

    Order: HTTP server (health answers during a slow start), `on_start` hooks, workers; back: workers stop and finish
    what they hold, then the HTTP server, then `on_stop` hooks in reverse. A start hook that raises `UnavailableError`
    is tried again until it works; a stop hook must bear that its start never ran.
    """

    def __init__(self, name: str, settings: ServiceSettings, *, routes: Sequence[BaseRoute] = ()) -> None:
        self.name = name
        self.settings = settings
        hosts = hosts_of(settings.http.host, settings.http.hosts)
        self.http = HttpServer(settings.http, application(self.health, routes, self.notes, hosts=hosts))
        self._starts: list[Hook] = []
        self._stops: list[Hook] = []
        self._workers: list[Worker] = []
        self._checks: list[Callable[[], list[str]]] = []
        self._started = False
        self._waiting = ""
        self._stop = asyncio.Event()

    def add(self, *workers: Worker) -> None:
        """Run workers once resources are there."""
        self._workers += workers

    def on_start(self, *hooks: Hook) -> None:
        """Await hooks in order before any worker runs."""
        self._starts += hooks

    def on_stop(self, *hooks: Hook) -> None:
        """Await hooks after every worker has stopped, the last added first."""
        self._stops += hooks

    def check(self, *checks: Callable[[], list[str]]) -> None:
        """Add to what `/health/ready` names."""
        self._checks += checks

    def stop(self) -> None:
        """Stop gracefully. Safe to call twice."""
        self._stop.set()

    def health(self) -> list[str]:
        """What is not ready, in words; empty when everything is."""
        if not self._started:
            return [f"{self.name}: {self._waiting or 'starting'}"]
        sources = [*(worker.health for worker in self._workers), *self._checks]
        return [problem for source in sources for problem in source()]

    def notes(self) -> list[str]:
        """What is wrong although the service is ready, in words."""
        return [note for worker in self._workers if isinstance(worker, Noting) for note in worker.notes()]

    async def run(self) -> None:
        """Run until `stop` or until a worker ends. Raises the first failure."""
        await self.http.start()
        log.info("http", address=f"{self.settings.http.host}:{self.http.port}")
        try:
            for hook in self._starts:
                await self._begin(hook)
            self._started = True
            spare_the_collector()
            await self._work()
        finally:
            await self.http.stop()
            async with AsyncExitStack() as stops:
                for hook in self._stops:
                    stops.push_async_callback(hook)

    async def _begin(self, hook: Hook) -> None:
        backoff = Backoff(self.settings.kafka.retry_first_s, self.settings.kafka.retry_max_s)
        while not self._stop.is_set():
            try:
                await hook()
            except UnavailableError as error:
                self._waiting = str(error)
                log.warning("waiting", error=self._waiting, tries=backoff.tries + 1)
                await either(self._stop, timeout_s=backoff.wait_s())
            else:
                self._waiting = ""
                return

    async def _work(self) -> None:
        if self._stop.is_set():
            return
        stopping = asyncio.create_task(self._stop.wait())
        tasks = [asyncio.create_task(worker.run()) for worker in self._workers]
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for worker in self._workers:
            worker.stop()
        stopping.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


def run_service(name: str, build: Callable[[], Service]) -> int:
    """Build and run a service; return the exit status: 0 clean, 1 failure (logged), 2 configuration (one line)."""
    try:
        return asyncio.run(_main(name, build))
    except ConfigurationError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return MISCONFIGURED
    except BaseException as error:  # the process's last frame: whatever it is becomes a log and a status
        log.error("failed", service=name, error=str(error), exc_info=error)  # noqa: TRY400
        return FAILED


def run(service: Service) -> int:
    """`run_service` for a service that is built already."""
    return run_service(service.name, lambda: service)


async def _main(name: str, build: Callable[[], Service]) -> int:
    service = build()
    logs.configure(name, service.settings.telemetry)
    tracing.configure(name, service.settings.telemetry)
    otlp_metrics.configure(name, service.settings.telemetry)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, service.stop)
    log.info("starting", service=name)
    try:
        await service.run()
    finally:
        tracing.shutdown()
        otlp_metrics.shutdown()
    log.info("stopped", service=name)
    return OK


def spare_the_collector() -> None:
    """What is loaded by now lives as long as the process: the garbage collector need not look at it again and again.

    The first threshold fits batches, which allocate tens of thousands of objects and free them by counting.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)
