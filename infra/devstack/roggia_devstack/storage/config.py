"""Topic settings: names and defaults are Kafka's. Unknown names are kept and reported, and mean nothing here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from roggia_devstack.storage.errors import InvalidConfigError

DEFAULTS: Mapping[str, str] = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "delete.retention.ms": "86400000",
    "max.compaction.lag.ms": "9223372036854775807",
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
    "min.cleanable.dirty.ratio": "0.5",
    "min.compaction.lag.ms": "0",
    "retention.bytes": "-1",
    "retention.ms": "604800000",
    "segment.bytes": "1073741824",
    "segment.ms": "604800000",
}
"""Every setting that is checked here, with Kafka's default. compression.type changes nothing: batches stay as sent."""

_LEAST = {"retention.bytes": -1, "retention.ms": -1, "segment.bytes": 1024, "segment.ms": 1, "max.compaction.lag.ms": 1}
_CHOICES = {
    "compression.type": ("producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"),
    "message.timestamp.type": ("CreateTime", "LogAppendTime"),
}


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Settings of one topic, read once. Times in milliseconds, sizes in bytes; -1 means no limit."""

    compact: bool
    delete: bool
    delete_retention_ms: int
    max_compaction_lag_ms: int
    max_message_bytes: int
    append_time: bool
    min_cleanable_dirty_ratio: float
    min_compaction_lag_ms: int
    retention_bytes: int
    retention_ms: int
    segment_bytes: int
    segment_ms: int

    @property
    def roll_ms(self) -> int:
        """Longest time that one segment is written to: compaction must reach every record in time."""
        return min(self.segment_ms, self.max_compaction_lag_ms) if self.compact else self.segment_ms

    @classmethod
    def parse(cls, config: Mapping[str, str]) -> LogConfig:
        """Read settings over their defaults. Raises `InvalidConfigError` naming setting, value and remedy."""
        values = {**DEFAULTS, **config}
        for name, choices in _CHOICES.items():
            if values[name] not in choices:
                raise InvalidConfigError(f"{name}: {values[name]!r} is not supported; use {' or '.join(choices)}")
        policy = _policy(values["cleanup.policy"])
        return cls(
            compact="compact" in policy,
            delete="delete" in policy,
            delete_retention_ms=_integer(values, "delete.retention.ms"),
            max_compaction_lag_ms=_integer(values, "max.compaction.lag.ms"),
            max_message_bytes=_integer(values, "max.message.bytes"),
            append_time=values["message.timestamp.type"] == "LogAppendTime",
            min_cleanable_dirty_ratio=_ratio(values, "min.cleanable.dirty.ratio"),
            min_compaction_lag_ms=_integer(values, "min.compaction.lag.ms"),
            retention_bytes=_integer(values, "retention.bytes"),
            retention_ms=_integer(values, "retention.ms"),
            segment_bytes=_integer(values, "segment.bytes"),
            segment_ms=_integer(values, "segment.ms"),
        )


def _policy(value: str) -> set[str]:
    policy = {part.strip() for part in value.split(",")} if value.strip() else set()
    if not policy <= {"compact", "delete"}:
        raise InvalidConfigError(f"cleanup.policy: {value!r} is not valid; use delete, compact or compact,delete")
    return policy


def _integer(values: Mapping[str, str], name: str) -> int:
    least = _LEAST.get(name, 0)
    try:
        number = int(values[name])
    except ValueError:
        number = least - 1
    if not least <= number < 2**63:
        raise InvalidConfigError(f"{name}: {values[name]!r} is not valid; use a whole number from {least}")
    return number


def _ratio(values: Mapping[str, str], name: str) -> float:
    try:
        number = float(values[name])
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise InvalidConfigError(f"{name}: {values[name]!r} is not valid; use a number from 0 to 1")
    return number
