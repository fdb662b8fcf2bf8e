"""Tells the ledger's alerts until nobody is left to tell: a leader's work. At least once; ids repeat with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from roggia_runtime.clock import now_ms
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.leadership import FencedWriter
from roggia_schemas import topics

from roggia_auditor import metrics
from roggia_auditor.alerting import events
from roggia_auditor.errors import UndeliveredError
from roggia_auditor.ledger.alerts import Alert, Channel, Told
from roggia_auditor.periods import HOUR_MS
from roggia_auditor.ports import EventCodec, Ledger

log = structlog.get_logger()
_AT_ONCE = 500


class Hook(Protocol):
    """Where deliveries go."""

    async def send(self, delivery_id: str, body: bytes) -> None:
        """Return once the receiver has taken it. Raises `UndeliveredError`."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """When what is told. Seconds between two looks, the first and the longest wait after a failed delivery, seconds,
    and hours after which a delivery is given up, counted from the alert."""

    interval_s: float = 1.0
    retry_s: tuple[float, float] = (1.0, 300.0)
    give_up_h: float = 72.0


@dataclass(slots=True)
class _Waits:
    """When to try again, by the clock of `now`: everything (""), and single alerts that were refused."""

    retry_s: tuple[float, float]
    _backoffs: dict[str, Backoff] = field(default_factory=dict)
    _until: dict[str, int] = field(default_factory=dict)

    def due(self, name: str, now: int) -> bool:
        return self._until.get(name, 0) <= now

    def failed(self, name: str, now: int) -> None:
        backoff = self._backoffs.setdefault(name, Backoff(*self.retry_s))
        self._until[name] = now + round(backoff.wait_s() * 1000)

    @property
    def apart(self) -> int:
        """How many single alerts wait."""
        return len(self._until) - ("" in self._until)

    def over(self, *names: str) -> None:
        for name in names:
            self._backoffs.pop(name, None)
            self._until.pop(name, None)


class Alerter:
    """The work of a `Leader`. Without a hook alerts are told on the topic alone, and wait for one until given up.

    What was delivered is marked in the ledger afterwards: after a crash in between it is delivered again, with its id.
    """

    def __init__(
        self,
        ledger: Ledger,
        codec: EventCodec,
        hook: Hook | None,
        rules: Rules,
        now: Callable[[], int] = now_ms,
        at_once: int = _AT_ONCE,
    ) -> None:
        self._ledger, self._codec, self._hook, self._rules, self._now = ledger, codec, hook, rules, now
        self._at_once = at_once
        self._waits = _Waits(rules.retry_s)

    async def __call__(self, writer: FencedWriter) -> None:
        """Tell until cancelled. Raises what writer and ledger raise."""
        while True:
            if not await self.once(writer):
                await asyncio.sleep(self._rules.interval_s)

    async def once(self, writer: FencedWriter) -> int:
        """Tell what is due now; how many alerts were told."""
        return await self._publish(writer) + await self._deliver()

    async def _publish(self, writer: FencedWriter) -> int:
        pending = await self._ledger.alerts(Channel.TOPIC, self._at_once)
        if pending:
            await writer.write([self._codec.output(topics.AUDIT_ALERT, events.event(one)) for one in pending])
            await self._mark(Channel.TOPIC, pending, Told.DONE)
        return len(pending)

    async def _deliver(self) -> int:
        if self._hook is None or not self._waits.due("", self._now()):
            return 0
        told = 0
        for alert in await self._pending():
            if not self._waits.due(alert.id, self._now()):
                continue
            try:
                await self._hook.send(alert.id, events.body(alert))
            except UndeliveredError as error:
                self._failed(alert, error)
                if not error.refused:
                    break
            else:
                self._waits.over("", alert.id)
                await self._mark(Channel.WEBHOOK, [alert], Told.DONE)
                told += 1
        return told

    async def _pending(self) -> Sequence[Alert]:
        """What the webhook has not had, oldest first; what is too old for it is given up."""
        # Those that were refused stay among the oldest: they must not be all that is looked at.
        found = await self._ledger.alerts(Channel.WEBHOOK, self._at_once + self._waits.apart)
        oldest = self._now() - round(self._rules.give_up_h * HOUR_MS)
        if old := [alert for alert in found if alert.at < oldest]:
            self._waits.over(*(alert.id for alert in old))
            await self._mark(Channel.WEBHOOK, old, Told.GIVEN_UP)
            log.warning("alerts_given_up", count=len(old), after_h=self._rules.give_up_h)
        fresh = [alert for alert in found if alert.at >= oldest]
        metrics.ALERTS_WAITING.set(len(fresh))
        return fresh

    def _failed(self, alert: Alert, error: UndeliveredError) -> None:
        """Try one alone again that was refused; all of them where the receiver is away or busy."""
        self._waits.failed(alert.id if error.refused else "", self._now())
        metrics.ALERTS.labels(Channel.WEBHOOK.value, "failed").inc()
        log.warning("alert_not_delivered", alert=alert.id, error=str(error))

    async def _mark(self, channel: Channel, told: Sequence[Alert], state: Told) -> None:
        await self._ledger.alerted(channel, [alert.id for alert in told], state)
        metrics.ALERTS.labels(channel.value, state.name.lower()).inc(len(told))
