"""Dead letters as an operator reads them: newest first, grouped by cause."""

from __future__ import annotations

import re
from typing import Any

from roggia_operator.reading.records import plain
from roggia_operator.reading.tail import newest
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.records import Partition
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics

from roggia.errors import UsageError

DLQ = ".dlq"
_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|\b(?:0x)?[0-9a-f]*\d[0-9a-f.-]*\b")


async def letters(settings: KafkaSettings, topic: str, last: int) -> list[dict[str, Any]]:
    """The newest `last` letters of each partition of one DLQ, or of all when `topic` is empty; newest first.

    Raises `UsageError` when `topic` names no DLQ and no topic that has one.
    """
    async with TopicAdmin(settings) as admin:
        found: list[dict[str, Any]] = []
        for name in chosen(await admin.topics(), topic):
            for partition, end in (await admin.end_offsets(name)).items():
                records = await newest(admin, Partition(name, partition), end, last)
                found += [_letter(plain(record)) for record in records]
    return sorted(found, key=lambda letter: -letter["timestamp_ms"])


def chosen(known: tuple[str, ...], topic: str) -> list[str]:
    """DLQs to read."""
    if not topic:
        return [name for name in known if name.endswith(DLQ)]
    name = topic if topic.endswith(DLQ) else topics.dlq(topic)
    if name not in known:
        raise UsageError(f"TOPIC: {name!r} does not exist; see `roggia topics list`")
    return [name]


def _letter(record: dict[str, Any]) -> dict[str, Any]:
    headers = record["headers"]
    return {
        "topic": record["topic"],
        "place": f"{record['partition']}:{record['offset']}",
        "timestamp_ms": record["timestamp_ms"],
        "key": record["key"],
        "kind": headers.get("roggia_dlq_kind", "?"),
        "field": headers.get("roggia_dlq_field", ""),
        "message": headers.get("__dlq.errors.message", ""),
        "stage": headers.get("roggia_dlq_stage", "?"),
        "source": f"{headers.get('__dlq.errors.topic')} {headers.get('__dlq.errors.partition')}:"
        f"{headers.get('__dlq.errors.offset')}",
        "fingerprint": headers.get("roggia_dlq_fingerprint", ""),
    }


def causes(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Letters grouped by DLQ, fingerprint and reason, most frequent first, each with its newest letter as the example.

    Reasons that differ in numbers and quoted values only are one.
    """
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for letter in found:
        cause = (letter["topic"], letter["fingerprint"], _VALUES.sub("…", letter["message"]))
        group = groups.setdefault(cause, letter | {"count": 0})
        group["count"] += 1
    return sorted(groups.values(), key=lambda group: -group["count"])
