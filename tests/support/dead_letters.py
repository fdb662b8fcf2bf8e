"""A log in memory, and records on it that a stage refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec
from roggia_runtime.codec import EventCodec
from roggia_runtime.consumer.dead_letters import dead_letter
from roggia_runtime.ranges import Span
from roggia_runtime.records import DeadLetter, Output, Partition, Record
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, Operation

GROUP, STAGE = "roggia.ingest", "ingest"
START_MS = 1_700_000_000_000


class MemoryLog:
    """Topics of some partitions each. Keys say their partition: the last digit of the key, modulo."""

    def __init__(self, partitions: int = 2) -> None:
        self._count = partitions
        self._kept: dict[Partition, list[Record]] = defaultdict(list)
        self._topics: set[str] = {spec.name for spec in topics.catalogue()}
        self._committed: dict[str, dict[Partition, int]] = defaultdict(dict)
        self._first: dict[Partition, int] = defaultdict(int)
        self.clock_ms = START_MS
        self.turn: Callable[[], None] = lambda: None

    def append(self, output: Output) -> Record:
        """One record, at the end of its partition."""
        count = 1 if output.topic == topics.OPS_JOB else self._count
        number = (output.key or b"\0")[-1] % count
        kept = self._kept[Partition(output.topic, number)]
        self.clock_ms += 1
        record = Record(output.topic, number, len(kept), self.clock_ms, output.key, output.value, tuple(output.headers))
        kept.append(record)
        return record

    def refuse(self, record: Record, kind: str = "policy", field: str = "acl", stage: str = STAGE) -> Record:
        """The dead letter that a stage writes for a record."""
        verdict = DeadLetter(kind, f"{field}: {record.offset} is wrong; mend it", field)
        return self.append(dead_letter(record, verdict, group=GROUP, stage=stage, attempts=1))

    def forget(self, partition: Partition, before: int) -> None:
        """What retention does."""
        self._first[partition] = before

    def lacks(self, topic: str) -> None:
        """A topic that nobody made."""
        self._topics.discard(topic)

    def commit(self, group: str, partition: Partition, offset: int) -> None:
        """What a group's member does."""
        self._committed[group][partition] = offset

    def records(self, topic: str) -> list[Record]:
        """Everything on a topic, partition by partition."""
        return [record for number in range(self._count) for record in self._kept[Partition(topic, number)]]

    async def partitions(self) -> Mapping[str, tuple[Partition, ...]]:
        """Every topic with its partitions."""
        return {
            name: tuple(Partition(name, n) for n in range(1 if name == topics.OPS_JOB else self._count))
            for name in self._topics
        }

    async def bounds(self, partitions: Iterable[Partition]) -> Mapping[Partition, Span]:
        """Beginning and end."""
        return {part: Span(self._first[part], len(self._kept[part])) for part in partitions}

    async def committed(self, groups: Iterable[str]) -> Mapping[str, Mapping[Partition, int]]:
        """Commits by group; before that, whoever reads the lanes has its turn."""
        self.turn()
        return {group: dict(self._committed[group]) for group in groups}

    async def read(self, topic: str, partition: int, start: int, *, end: int) -> AsyncIterator[Record]:
        """Records of a range, as they are now."""
        here = Partition(topic, partition)
        for record in list(self._kept[here][max(start, self._first[here]) : end]):
            yield record

    async def read_all(self, spans: Mapping[Partition, Span]) -> AsyncIterator[Record]:
        """Records of several ranges, one partition after the other."""
        for part, span in spans.items():
            async for record in self.read(*part, span.first, end=span.end):
                yield record

    async def send_all(self, outputs: Sequence[Output]) -> list[tuple[int, int]]:
        """Produce."""
        sent = [self.append(output) for output in outputs]
        return [(record.partition, record.offset) for record in sent]


def codec() -> EventCodec:
    """Bundled schemas."""
    return EventCodec(RegistrySettings(), source="/test")


def changed(doc_id: str, revision: int, **changes: object) -> Output:
    """A publisher's record."""
    event = DocChanged(
        event_id="018bcfe5-0000-7000-8000-000000000001",
        occurred_at=START_MS,
        tenant_id="acme",
        domain="docs",
        doc_id=doc_id,
        revision=revision,
        operation=Operation.UPSERT,
        content_type="text/plain",
        content=b"text",
        acl=("*",),
    )
    return codec().output(topics.DOC_CHANGED, event) if not changes else _changed(event, changes)


def garbage(doc_id: str) -> Output:
    """A record that no schema reads."""
    return replace(changed(doc_id, 1), value=b"\x00garbage")


def _changed(event: DocChanged, changes: Mapping[str, object]) -> Output:
    return codec().output(topics.DOC_CHANGED, msgspec.structs.replace(event, **changes))
