"""Tells what embedding has cost: bills that wait beside the vectors become `inference.completed`. At least once, and
each time the same record: whoever counts them knows them by their id."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import structlog
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import RoggiaError
from roggia_runtime.records import Output
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import (
    AnswerCache,
    AttemptOutcome,
    InferenceAttempt,
    InferenceCompleted,
    InferenceOperation,
    InferenceOrigin,
    InferenceOutcome,
    TokenUsage,
    UsageSource,
)

from roggia_embedder import metrics
from roggia_embedder.ports import Bill, BillBox
from roggia_embedder.ports.codec import EventCodec

_AT_ONCE = 500
_LOOK_S = 10.0
"""Seconds between two looks. Telling takes time from what is embedded meanwhile, and nobody waits for it."""
_PATIENCE_S = 5.0
"""Seconds that one try has, and all that is left at the end: brokers that are away must not hold up the service's."""
log = structlog.get_logger(__name__)


class Sender(Protocol):
    """Where records go. The runtime's `Producer` is one."""

    async def start(self) -> None:
        """Connect. Raises `UnavailableError`, `ProduceError`."""
        ...

    async def deliver(self, outputs: Sequence[Output]) -> None:
        """Return once the brokers have them. Raises `ProduceError`."""
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...


class Telling:
    """A worker. A bill is settled once the brokers have its record; after a crash in between it is told again."""

    def __init__(self, box: BillBox, codec: EventCodec, sender: Sender, look_s: float = _LOOK_S) -> None:
        self._box, self._codec, self._sender, self._look_s = box, codec, sender, look_s
        self._stopping = asyncio.Event()
        self._started = False
        self._trouble = ""

    async def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping.is_set():
            if await self._try() < _AT_ONCE:
                await either(self._stopping, timeout_s=self._look_s)

    async def close(self) -> None:
        """Tell what is left, once nothing comes any more, and disconnect."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while await self._try():
                    pass
        await self._sender.stop()

    def stop(self) -> None:
        """Return from `run` soon."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Nothing waits for it."""
        return []

    def notes(self) -> list[str]:
        """Why bills wait."""
        return [f"bills: {self._trouble}"] if self._trouble else []

    async def once(self) -> int:
        """Tell what waits, at most a page of it; how many that were. Raises `RoggiaError`."""
        bills = await self._box.bills(_AT_ONCE)
        if bills:
            if not self._started:
                await self._sender.start()
                self._started = True
            await self._sender.deliver([self._codec.output(topics.INFERENCE_COMPLETED, event(one)) for one in bills])
            await self._box.settle([one.event_id for one in bills])
            metrics.BILLED.inc(sum(one.tokens for one in bills))
        return len(bills)

    async def _try(self) -> int:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                told = await self.once()
        except (RoggiaError, SchemasError, TimeoutError) as error:  # bills wait, and nobody else does
            why = str(error) or f"no answer within {_PATIENCE_S:g} s"
            if not self._trouble:
                log.warning("bills_wait", error=why)
            self._trouble = why
            return 0
        self._trouble = ""
        return told


def event(bill: Bill) -> InferenceCompleted:
    """The event of a bill: the same bill, the same event."""
    return InferenceCompleted(
        event_id=bill.event_id,
        occurred_at=bill.at,
        tenant_id=bill.tenant_id,
        request_id=bill.event_id,
        operation=InferenceOperation.EMBEDDINGS,
        origin=_origin(bill),
        outcome=InferenceOutcome.OK,
        attempts=(
            InferenceAttempt(
                provider=bill.provider,
                model=bill.model,
                model_version=bill.model_version,
                outcome=AttemptOutcome.OK,
                usage=TokenUsage(input=bill.tokens),
                usage_source=UsageSource.REPORTED if bill.reported else UsageSource.COUNTED,
                latency_ms=bill.latency_ms,
            ),
        ),
        cache=AnswerCache.NONE,
        latency_ms=bill.latency_ms,
    )


def _origin(bill: Bill) -> InferenceOrigin:
    if bill.shadow:
        return InferenceOrigin.SHADOW
    return InferenceOrigin.REPLAY if bill.replayed else InferenceOrigin.LIVE
