"""Calling the handler: with patience while something is unavailable, without losing the group while it works."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from roggia_runtime import tracing
from roggia_runtime.consumer import measures
from roggia_runtime.consumer.membership import Membership
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import LaterError, UnavailableError
from roggia_runtime.records import Handler, Record, Verdict
from roggia_runtime.settings import KafkaSettings

log = structlog.get_logger()
_CANCEL_S = 2.0


class AbandonedError(Exception):
    """The batch in hand is given up before anything of it was committed; it will be fetched again. Internal."""


class Handling:
    """Gets verdicts for one loop. Call it under the loop's lock."""

    def __init__(self, handler: Handler, group: str, settings: KafkaSettings, stopping: asyncio.Event) -> None:
        self._handler = handler
        self._group = group
        self._settings = settings
        self._stopping = stopping
        self._alive_s = settings.max_poll_interval_ms / 3000
        self._duration = measures.HANDLER.labels(group)
        self._tries = measures.UNAVAILABLE.labels(group)
        self._since = 0.0
        self.unavailable = ""

    @property
    def busy_s(self) -> float:
        """Seconds for which the handler has been working on one batch; 0 when it is idle."""
        return time.monotonic() - self._since if self._since else 0.0

    async def once(self, member: Membership, records: Sequence[Record]) -> tuple[Sequence[Verdict], int]:
        """Verdicts of the only try. Raises `UnavailableError`: for lanes, which live traffic does not wait for."""
        try:
            verdicts = await self._call(member, records)
        except UnavailableError:
            self._tries.inc()
            raise
        finally:
            member.resume()
        return verdicts, 1

    async def verdicts(self, member: Membership, records: Sequence[Record]) -> tuple[Sequence[Verdict], int]:
        """Verdicts and the number of tries. Raises `AbandonedError` when waiting meets a rebalance or the stop."""
        backoff = Backoff(self._settings.retry_first_s, self._settings.retry_max_s)
        while True:
            try:
                verdicts = await self._call(member, records)
            except LaterError as held:
                self.unavailable = ""
                await self._wait(member, held.after_s)
            except UnavailableError as error:
                self._tries.inc()
                self.unavailable = str(error) or type(error).__name__
                wait = backoff.wait_s()
                log.warning("unavailable", group=self._group, error=self.unavailable, tries=backoff.tries, wait_s=wait)
                await self._wait(member, wait)
            else:
                self.unavailable = ""
                member.resume()
                return verdicts, backoff.tries + 1

    async def _call(self, member: Membership, records: Sequence[Record]) -> Sequence[Verdict]:
        self._since = started = time.monotonic()
        try:
            with tracing.batch("process", self._group, records):
                return await self._watch(member, asyncio.ensure_future(self._handler.handle(records)))
        finally:
            self._since = 0.0
            self._duration.observe(time.monotonic() - started)

    async def _watch(self, member: Membership, work: asyncio.Task[Sequence[Verdict]]) -> Sequence[Verdict]:
        try:
            while not (await asyncio.wait({work}, timeout=self._alive_s))[0]:
                await member.pause()
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work}, timeout=_CANCEL_S)

    async def _wait(self, member: Membership, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await member.pause()
            if await either(member.rebalancing, self._stopping, timeout_s=min(left, self._alive_s)):
                raise AbandonedError("stopping" if self._stopping.is_set() else "rebalance")
