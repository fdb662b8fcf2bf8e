"""Checkpoints on the topic audit.checkpoint, where the broker's time stands beside them and nobody may delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from roggia_runtime.clock import now_ms
from roggia_runtime.ids import derived
from roggia_runtime.producer import Producer
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import AuditCheckpoint

from roggia_auditor.ports import EventCodec
from roggia_auditor.tlog import checkpoint as checkpoints
from roggia_auditor.tlog.note import Note, Signature


class KafkaAnchor:
    """See `roggia_auditor.heads.anchoring.Anchor`. The same checkpoint may come twice, under the same event id."""

    def __init__(self, settings: KafkaSettings, codec: EventCodec, now: Callable[[], int] = now_ms) -> None:
        self._settings, self._codec, self._now = settings, codec, now
        self._producer: Producer | None = None

    async def publish(self, checkpoint: Note) -> Sequence[Signature]:
        """Produce it. Raises `UnavailableError` and `ProduceError`."""
        if self._producer is None:
            producer = Producer(self._settings, "roggia-auditor-anchor")
            await producer.start()
            self._producer = producer
        await self._producer.send(self._codec.output(topics.AUDIT_CHECKPOINT, event(checkpoint, self._now())))
        return ()

    async def close(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()


def event(checkpoint: Note, at: int) -> AuditCheckpoint:
    """The event that carries a checkpoint, published at `at`, milliseconds since 1970."""
    found = checkpoints.of(checkpoint)
    return AuditCheckpoint(
        event_id=derived(str(found.size), "checkpoint", found.origin),
        occurred_at=at,
        log=found.origin,
        size=found.size,
        note=str(checkpoint),
    )
