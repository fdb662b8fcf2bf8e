"""What the console shows, from the running operator: its monitor, its dead letters, its jobs, Kafka and the index."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.errors import UnavailableError
from roggia_runtime.offsets import Offsets
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError

from roggia_operator.console import generation_picture, picture
from roggia_operator.console.generation_views import Generations
from roggia_operator.console.index import Index
from roggia_operator.console.views import (
    CollectionRow,
    JobRow,
    Letter,
    LetterGroup,
    PartitionRow,
    Pipeline,
    RecordRow,
    TopicRow,
)
from roggia_operator.dlq.groups import Group
from roggia_operator.dlq.kafka_log import KafkaLog
from roggia_operator.dlq.looking import DeadLetters
from roggia_operator.dlq.selection import Selection, place
from roggia_operator.generations.table import GenerationTable
from roggia_operator.jobs.table import Job, read
from roggia_operator.lag.monitor import Monitor
from roggia_operator.reading.records import decoded
from roggia_operator.reading.tail import tail

LETTERS_S = 10.0
"""Seconds for which grouped dead letters are shown again: grouping reads every DLQ."""
NEWEST_LETTERS = 20_000
"""Newest letters per DLQ partition that are grouped."""
MAX_RECORDS = 100


class Live:
    """Implements `Looking`. Used from the operator's event loop."""

    def __init__(
        self,
        kafka: KafkaSettings,
        codec: EventCodec,
        monitor: Monitor,
        index: Index,
        objective_s: float,
        generations: Callable[[], GenerationTable],
        baseline: int = 1,
    ) -> None:
        self._kafka, self._codec, self._monitor, self._index = kafka, codec, monitor, index
        self._objective_s, self._generations, self._baseline = objective_s, generations, baseline
        self._letters = Kept(self._grouped, LETTERS_S)

    async def pipeline(self) -> Pipeline:
        """See `Looking`."""
        dead: Counter[str] = Counter()
        for group in await self._letters.get():
            dead[group.stage] += group.open
        return picture.pipeline(self._monitor.snapshot(), dead, self._objective_s)

    async def partitions(self) -> Sequence[PartitionRow]:
        """See `Looking`."""
        return picture.partitions(self._monitor.snapshot().lag)

    async def topics(self) -> Sequence[TopicRow]:
        """See `Looking`."""
        async with Offsets(self._kafka) as offsets:
            known = await offsets.partitions()
            bounds = await offsets.bounds([partition for parts in known.values() for partition in parts])
        return [
            TopicRow(name, len(parts), sum(bounds[part].end - bounds[part].first for part in parts), *_described(name))
            for name, parts in sorted(known.items())
        ]

    async def tail(self, topic: str, last: int) -> Sequence[RecordRow]:
        """See `Looking`."""
        records = [record async for record in tail(self._kafka, topic, last=last, follow=False)]
        shown = [await decoded(record, self._codec) for record in records[-MAX_RECORDS:]]
        return [record_row(row) for row in reversed(shown)]

    async def letters(self) -> Sequence[LetterGroup]:
        """See `Looking`."""
        return [letter_group(group) for group in await self._letters.get()]

    async def letter(self, topic: str, place_text: str) -> Letter:
        """See `Looking`."""
        wanted = place(topic, place_text)
        async with KafkaLog(self._kafka) as source:
            full = await DeadLetters(source, self._codec).letter(wanted)
        group = LetterGroup(
            topic, full["stage"], full["kind"], full["field"], full["fingerprint"], 1, full["timestamp_ms"],
            full["timestamp_ms"], place_text, f"{full['message']} {full['remedy']}".strip(),
        )  # fmt: skip
        return Letter(group, record_row(full | {"partition": wanted.partition, "offset": wanted.offset}))

    async def jobs(self) -> Sequence[JobRow]:
        """See `Looking`."""
        async with TopicAdmin(self._kafka) as admin:
            if topics.OPS_JOB not in await admin.topics():
                return []
        table, _ = await read(self._kafka, self._codec)
        rows = [job_row(job) for job in table if job.wanted is not None]
        return sorted(rows, key=lambda row: -row.created_ms)

    async def collections(self) -> Sequence[CollectionRow]:
        """See `Looking`."""
        return await self._index.collections()

    async def generations(self) -> Generations:
        """See `Looking`."""
        table = self._generations()
        try:
            return generation_picture.picture(table, self._baseline, await self._index.collections())
        except UnavailableError as down:
            return generation_picture.picture(table, self._baseline, None, str(down))

    async def _grouped(self) -> list[Group]:
        async with KafkaLog(self._kafka) as source:
            return await DeadLetters(source, self._codec).groups(Selection(), newest=NEWEST_LETTERS)


class Kept:
    """A value that costs much to make, made once for everybody who asks within `for_s` seconds."""

    def __init__(self, make: Callable[[], Awaitable[list[Group]]], for_s: float) -> None:
        self._make, self._for_s = make, for_s
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._value: list[Group] = []

    async def get(self) -> list[Group]:
        """The value. Raises what making it raises."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._value = await self._make()
                self._until = time.monotonic() + self._for_s
            return self._value


def record_row(shown: dict[str, Any]) -> RecordRow:
    """A record as `decoded` shows it."""
    value = shown.get("value")
    return RecordRow(
        partition=shown["partition"],
        offset=shown["offset"],
        timestamp_ms=shown["timestamp_ms"],
        key=shown["key"],
        headers=shown["headers"],
        fields=value or {},
        error=shown.get("error", ""),
        tombstone="value" in shown and value is None,
    )


def letter_group(group: Group) -> LetterGroup:
    """A group by its example."""
    one = group.example
    return LetterGroup(
        one.place.topic, group.stage, group.kind, one.field, group.fingerprint, group.open, group.first_ms,
        group.last_ms, f"{one.place.partition}:{one.place.offset}", one.message,
    )  # fmt: skip


def job_row(job: Job) -> JobRow:
    """A job, both sides together. `job.wanted` must be there."""
    wanted, state = job.wanted, job.state
    if wanted is None:
        raise ValueError(f"job {job.job_id} has no WANTED side")
    done, total = job.reach
    return JobRow(
        job_id=job.job_id,
        kind=wanted.kind.value,
        status=job.status.value,
        message=state.message if state else "no operator has taken it yet",
        requested_by=wanted.requested_by,
        reason=wanted.reason,
        created_ms=wanted.occurred_at,
        started_ms=state.started_at if state else None,
        ended_ms=state.ended_at if state else None,
        done=total if job.status.value == "DONE" else done,
        total=total,
        counts=dict(state.counts) if state else {},
        rates=wanted.rates,
        spec=_spec(wanted.spec),
        wish=wanted.wish.value,
    )


def _spec(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return {"unreadable": text[:1000]}


def _described(topic: str) -> tuple[str, str]:
    try:
        spec = topics.spec(topic)
    except SchemasError:
        return "?", "Not in the catalogue."
    return spec.owner, spec.description
