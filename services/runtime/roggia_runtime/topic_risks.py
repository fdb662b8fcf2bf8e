"""Which changes of a topic's settings can lose data or break who uses it. Pure; used by `topic_changes`."""

from __future__ import annotations

from collections.abc import Callable

_UNLIMITED = -1
_KEPT_SHORTER = "records may be dropped at once"
_LOWERED = {
    "retention.ms": _KEPT_SHORTER,
    "retention.bytes": _KEPT_SHORTER,
    "delete.retention.ms": "a reader that is behind may miss deletions",
    "min.compaction.lag.ms": "superseded records may vanish before everybody has read them",
    "max.compaction.lag.ms": "superseded records vanish earlier",
    "max.message.bytes": "larger records would be refused from then on",
    "min.insync.replicas": "acknowledged records would be on fewer brokers",
}


def danger(setting: str, before: str | None, after: str) -> str:
    """What may be lost when a topic's `setting` goes from `before` to `after`; empty when nothing can."""
    if before is None or before == after:
        return ""
    judge = _SPECIAL.get(setting)
    if judge is not None:
        return judge(before, after)
    return _LOWERED.get(setting, "") if _number(after) < _number(before) else ""


def _cleanup(before: str, after: str) -> str:
    had, has = _policies(before), _policies(after)
    if "delete" in has - had:
        return "records would be dropped by age, the newest of a key too"
    if "compact" in has - had:
        return "all but the newest record of each key would be dropped, and records without a key be refused"
    return ""


def _unclean(_before: str, after: str) -> str:
    return "a broker that is behind could become leader and lose records" if after == "true" else ""


def _policies(value: str) -> set[str]:
    return {one.strip() for one in value.split(",")}


def _number(value: str) -> float:
    """A limit as a number; unlimited is above all. What is no number compares as equal to nothing."""
    try:
        number = int(value)
    except ValueError:
        return float("nan")
    return float("inf") if number == _UNLIMITED else number


_SPECIAL: dict[str, Callable[[str, str], str]] = {
    "cleanup.policy": _cleanup,
    "unclean.leader.election.enable": _unclean,
}
