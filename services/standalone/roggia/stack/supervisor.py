"""Keep the processes of one stack alive: start them in order, restart what dies, stop them in the reverse order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from roggia_runtime.clock import now_ms

from roggia.errors import StackFailedError
from roggia.stack.child import Child
from roggia.stack.data import DataDirectory, ProcessState, StackState
from roggia.stack.spec import ProcessSpec, RestartPolicy


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened to a process, for whoever watches. `detail` may be empty."""

    process: str
    status: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the stack answers: Kafka bootstrap, registry URL, query URL, console URL, audit API's URL."""

    kafka: str
    registry: str
    query: str
    console: str = ""
    audit: str = ""


class Supervisor:
    """Run `specs` on `data` until told to stop. One per data directory: the caller holds it.

    `watch` is called with every `Notice`, from the event loop, and must not block. `run` returns after `stop()` and
    raises `StackFailedError` when a process keeps dying; either way no child is left.
    """

    def __init__(
        self,
        data: DataDirectory,
        addresses: Addresses,
        watch: Callable[[Notice], None],
        policy: RestartPolicy | None = None,
    ) -> None:
        self._data = data
        self._addresses = addresses
        self._watch = watch
        self._policy = policy or RestartPolicy()
        self._children: dict[str, Child] = {}
        self._groups: list[list[str]] = []
        self._states: dict[str, ProcessState] = {}
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._beside: list[asyncio.Task[None]] = []
        self._started_ms = now_ms()

    async def bring_up(self, specs: Sequence[ProcessSpec], http: aiohttp.ClientSession) -> None:
        """Start `specs` together and return when all are ready. Call again for what depends on them."""
        self._groups.append([spec.name for spec in specs])
        for spec in specs:
            await self._start(spec)
        await asyncio.gather(*(self._await_ready(spec.name, http) for spec in specs))
        self._tasks += [asyncio.create_task(self._keep(spec, http), name=f"keep-{spec.name}") for spec in specs]

    def accompany(self, specs: Sequence[ProcessSpec], http: aiohttp.ClientSession) -> None:
        """Start what nothing depends on, and return at once. It is restarted like all others; one that keeps dying is
        left dead, and the stack goes on."""
        self._groups.append([spec.name for spec in specs])
        self._beside += [asyncio.create_task(self._accompany(spec, http), name=f"beside-{spec.name}") for spec in specs]

    async def run(self) -> None:
        """Return when `stop()` was called; raise what made the stack fail. Children keep running: see `close`."""
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait([stopped, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                await task
        finally:
            stopped.cancel()

    def stop(self) -> None:
        """Ask `run` to return. Safe to call from a signal handler of the event loop, and more than once."""
        self._stopping.set()

    async def close(self) -> None:
        """Stop every child, last brought up first, and remove the state file. Never raises for a child's sake."""
        self._stopping.set()
        for task in (*self._tasks, *self._beside):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._beside, return_exceptions=True)
        for group in reversed(self._groups):
            children = [self._children[name] for name in group if name in self._children]
            await asyncio.gather(*(self._stop(child) for child in children))
        self._data.clear()

    async def _start(self, spec: ProcessSpec) -> None:
        log = self._data.logs / f"{spec.name}.log"
        self._children[spec.name] = child = Child(spec, log)
        await child.start()
        self._note(spec.name, "starting")

    async def _accompany(self, spec: ProcessSpec, http: aiohttp.ClientSession) -> None:
        await self._start(spec)
        await self._ready_or_next_death(spec.name, http)
        with suppress(StackFailedError):  # `_keep` has said so
            await self._keep(spec, http)

    async def _await_ready(self, name: str, http: aiohttp.ClientSession) -> None:
        child = self._children[name]
        await child.ready(http)
        self._note(name, "ready", f"after {child.age_s:.1f} s")

    async def _keep(self, spec: ProcessSpec, http: aiohttp.ClientSession) -> None:
        quick = 0
        while not self._stopping.is_set():
            child = self._children[spec.name]
            status = await child.ended()
            quick = quick + 1 if child.age_s < self._policy.quick_s else 1
            if quick >= self._policy.give_up_after:
                self._note(spec.name, "failed", child.last_words())
                raise StackFailedError(f"{spec.name} died {quick} times in a row: {child.last_words()}")
            delay = self._policy.delay(quick)
            self._note(spec.name, "restarting", f"ended with status {status}; again in {delay:.1f} s", restarted=True)
            await asyncio.sleep(delay)
            await self._start(spec)
            await self._ready_or_next_death(spec.name, http)

    async def _ready_or_next_death(self, name: str, http: aiohttp.ClientSession) -> None:
        try:
            await self._await_ready(name, http)
        except StackFailedError as failed:
            # Not the end: `_keep` counts the death, and a process that is alive but slow may still come round.
            self._note(name, "not ready", str(failed))

    async def _stop(self, child: Child) -> None:
        in_time = await child.stop()
        self._note(child.spec.name, "stopped", "" if in_time else "killed: it did not stop in time")

    def _note(self, name: str, status: str, detail: str = "", *, restarted: bool = False) -> None:
        child, before = self._children[name], self._states.get(name)
        restarts = (before.restarts if before else 0) + restarted
        health = child.spec.ready_url or None
        self._states[name] = ProcessState(
            pid=child.pid, status=status, restarts=restarts, log=str(child.log), health=health
        )
        self._data.write(self.state())
        self._watch(Notice(name, status, detail))

    def state(self) -> StackState:
        """What the state file says now."""
        return StackState(
            pid=os.getpid(),
            started_at_ms=self._started_ms,
            kafka=self._addresses.kafka,
            registry=self._addresses.registry,
            query=self._addresses.query,
            console=self._addresses.console,
            audit=self._addresses.audit,
            processes=dict(self._states),
        )
