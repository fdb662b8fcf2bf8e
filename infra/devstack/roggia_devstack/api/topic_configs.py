"""The topic configuration that clients may set and read, with Kafka's names and defaults.

Only what the storage engine acts on is offered, and a few names whose single value is what the broker does anyway: a
setting that would be stored and then ignored would promise something.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LONG_MAX: Final = 2**63 - 1
_LONGEST_SHOWN: Final = 200
_INT_MAX: Final = 2**31 - 1
_WEEK_MS: Final = 7 * 24 * 3600 * 1000
_DAY_MS: Final = 24 * 3600 * 1000


class ConfigType(enum.IntEnum):
    """Types as DescribeConfigs numbers them."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    LONG = 5
    DOUBLE = 6
    LIST = 7


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One name: its type, default, range (numbers) or allowed words (text)."""

    name: str
    type: ConfigType
    default: str
    help: str
    low: float = 0
    high: float = _LONG_MAX
    words: tuple[str, ...] = ()


def _keys(*keys: ConfigKey) -> Mapping[str, ConfigKey]:
    return {key.name: key for key in keys}


KEYS: Final = _keys(
    ConfigKey(
        "cleanup.policy",
        ConfigType.LIST,
        "delete",
        "delete, compact, both, or nothing: keep all",
        words=("delete", "compact"),
    ),
    ConfigKey("compression.type", ConfigType.STRING, "producer", "batches are kept as received", words=("producer",)),
    ConfigKey("delete.retention.ms", ConfigType.LONG, str(_DAY_MS), "how long a tombstone is kept, in ms"),
    ConfigKey("file.delete.delay.ms", ConfigType.LONG, "60000", "accepted for Kafka's sake; files go at once"),
    ConfigKey(
        "flush.messages", ConfigType.LONG, str(_LONG_MAX), "accepted for Kafka's sake; nothing is forced to disk"
    ),
    ConfigKey(
        "max.compaction.lag.ms",
        ConfigType.LONG,
        str(_LONG_MAX),
        "a record is compacted at most this late, in ms",
        low=1,
    ),
    ConfigKey("max.message.bytes", ConfigType.INT, "1048588", "largest record batch, in bytes", high=_INT_MAX),
    ConfigKey(
        "message.timestamp.type",
        ConfigType.STRING,
        "CreateTime",
        "whose clock a record's time is",
        words=("CreateTime", "LogAppendTime"),
    ),
    ConfigKey(
        "min.cleanable.dirty.ratio", ConfigType.DOUBLE, "0.5", "uncompacted share that starts compaction", high=1
    ),
    ConfigKey("min.compaction.lag.ms", ConfigType.LONG, "0", "a record is not compacted before, in ms"),
    ConfigKey("min.insync.replicas", ConfigType.INT, "1", "there is one replica", low=1, high=1),
    ConfigKey("retention.bytes", ConfigType.LONG, "-1", "size above which old segments go, in bytes; -1: any", low=-1),
    ConfigKey(
        "retention.ms", ConfigType.LONG, str(_WEEK_MS), "age above which old segments go, in ms; -1: any", low=-1
    ),
    ConfigKey("segment.bytes", ConfigType.INT, str(2**30), "size of a segment file, in bytes", low=1024, high=_INT_MAX),
    ConfigKey("segment.ms", ConfigType.LONG, str(_WEEK_MS), "age at which a segment is closed, in ms", low=1),
)


def problem(name: str, value: str | None) -> str | None:
    """What is wrong with setting `name` to `value`, or None."""
    key = KEYS.get(name)
    if key is None:
        return (
            f"{name[:_LONGEST_SHOWN]}: unknown or unsupported topic configuration; supported: {', '.join(sorted(KEYS))}"
        )
    if value is None:
        return f"{name}: null is no value"
    if len(value) > _LONGEST_SHOWN:
        return f"{name}: a value of {len(value)} characters; at most {_LONGEST_SHOWN} are allowed"
    if key.words:
        return _words_problem(key, value)
    return _number_problem(key, value)


def _words_problem(key: ConfigKey, value: str) -> str | None:
    given = words(value) if key.type is ConfigType.LIST else [value.strip()]
    wrong = [word for word in given if word not in key.words]
    return f"{key.name}: {value!r}; allowed here: {', '.join(key.words)}" if wrong else None


def _number_problem(key: ConfigKey, value: str) -> str | None:
    try:
        number = float(value) if key.type is ConfigType.DOUBLE else int(value)
    except ValueError:
        return f"{key.name}: {value!r} is no number"
    if not key.low <= number <= key.high:
        return f"{key.name}: {value} is outside {key.low}..{key.high}"
    return None


def words(value: str) -> list[str]:
    """The words of a list, each once, without the spaces around them; none for an empty text."""
    found = [word.strip() for word in value.split(",")]
    return list(dict.fromkeys(found)) if value.strip() else []


def normal(name: str, value: str | None) -> str:
    """A value that `problem` found nothing wrong with, as it is kept and shown."""
    stripped = (value or "").strip()
    return ",".join(words(stripped)) if KEYS[name].type is ConfigType.LIST else stripped


def value_of(config: Mapping[str, str], name: str) -> str:
    """The value in force: the topic's own or the default."""
    return config.get(name, KEYS[name].default)
