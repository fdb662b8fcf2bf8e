"""What `roggia status` shows: processes, lag, freshness, dead letters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import aiohttp
from roggia_operator.reading.tail import tail
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import KafkaSettings, RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import DocUpserted

from roggia.stack.data import ProcessState, StackState

RECENT = 50
"""Documents per partition that freshness looks back on."""
COUNTED = 1000
"""Newest offsets per partition in which dead letters are counted one by one."""
PROBE_TIMEOUT_S = 2.0
GROUP_PREFIX = "roggia."


async def report(kafka: KafkaSettings, registry: RegistrySettings, stack: StackState | None) -> dict[str, Any]:
    """Everything, as one JSON-like value. `stack` is the embedded one, where it is what is looked at."""
    async with TopicAdmin(kafka) as admin:
        known = await admin.topics()
        groups = await lag_of(admin)
        dead = {name: await _count(admin, name) for name in known if name.endswith(".dlq")}
    return {
        "processes": await processes(stack) if stack else [],
        "groups": groups,
        "freshness": await freshness(kafka, registry) if topics.DOC_UPSERTED in known else freshness_of([]),
        "dead_letters": dead,
    }


async def lag_of(admin: TopicAdmin) -> list[dict[str, Any]]:
    """Lag of each of our groups, per topic."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for group in await admin.groups():
        if not group.startswith(GROUP_PREFIX):
            continue
        for partition, where in (await admin.group_lag(group)).items():
            empty = {"group": group, "topic": partition.topic, "lag": 0, "committed": 0, "end": 0}
            row = rows.setdefault((group, partition.topic), empty)
            row["lag"] += where.lag
            row["committed"] += where.committed or 0
            row["end"] += where.end
    return [rows[key] for key in sorted(rows)]


async def _count(admin: TopicAdmin, topic: str) -> int:
    """Records of a topic: counted among the newest offsets (transaction markers take some), spanned before those."""
    first, end = await admin.beginning_offsets(topic), await admin.end_offsets(topic)
    total = 0
    for number in end:
        start = max(first[number], end[number] - COUNTED)
        total += start - first[number]
        if start < end[number]:
            total += sum([1 async for _ in admin.read(topic, number, start, end=end[number])])
    return total


async def freshness(kafka: KafkaSettings, registry: RegistrySettings) -> dict[str, Any]:
    """How long the newest documents took from their change to being searchable."""
    codec = EventCodec(registry, source="roggia/status")
    try:
        newest = tail(kafka, topics.DOC_UPSERTED, last=RECENT, follow=False)
        return freshness_of([await codec.decode(DocUpserted, record) async for record in newest])
    finally:
        await codec.stop()


def freshness_of(events: list[DocUpserted]) -> dict[str, Any]:
    """Median and 95th percentile, seconds, of change to searchable."""
    waits = sorted(max(0, event.indexed_at - event.occurred_at) / 1000 for event in events)
    last = max((event.indexed_at for event in events), default=0)
    return {
        "documents": len(waits),
        "last_indexed_at": datetime.fromtimestamp(last / 1000, UTC).isoformat(timespec="seconds") if last else None,
        "p50_s": waits[len(waits) // 2] if waits else None,
        "p95_s": waits[min(len(waits) - 1, len(waits) * 95 // 100)] if waits else None,
    }


async def processes(stack: StackState) -> list[dict[str, Any]]:
    """The stack's processes as the supervisor last saw them, and what each says is not ready."""
    timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        return [await _process(name, state, http) for name, state in stack.processes.items()]


async def _process(name: str, state: ProcessState, http: aiohttp.ClientSession) -> dict[str, Any]:
    row = {"name": name, "status": state.status, "pid": state.pid, "restarts": state.restarts}
    return row | {"not_ready": await _not_ready(state.health, http)}


async def _not_ready(health: str | None, http: aiohttp.ClientSession) -> list[str]:
    if not health or not health.endswith("/health/ready"):
        return []
    try:
        async with http.get(health) as reply:
            body = await reply.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as failed:
        return [f"does not answer ({type(failed).__name__})"]
    return [str(one) for one in body.get("not_ready", ())]
