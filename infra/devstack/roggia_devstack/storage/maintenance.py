"""What happens to a partition without a client asking: checkpoints, segment roll by time, retention, compaction."""

from __future__ import annotations

from collections.abc import Iterator

from roggia_devstack.storage.cleaner import clean
from roggia_devstack.storage.log import PartitionLog
from roggia_devstack.storage.retention import enforce

CHECKPOINT_BYTES = 4 << 20


def maintain_log(log: PartitionLog, now_ms: int) -> Iterator[None]:
    """Bring one partition up to date in small steps. Stops quietly when the topic is deleted in between."""
    log.state.producers.expire(now_ms)
    active = log.segments[-1]
    if active.size and now_ms - active.index.created_ms >= log.config.roll_ms:
        log.roll(now_ms)
    enforce(log, now_ms)
    if log.config.compact:
        yield from clean(log, now_ms)
    if not log.closed and log.unsaved_bytes > CHECKPOINT_BYTES:
        log.checkpoint()
