"""What a retired generation leaves on a cluster: its two groups and its topics. Asked of Kafka, and deleted there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

import structlog
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.clock import now_ms
from roggia_runtime.errors import UnavailableError
from roggia_runtime.offsets import GroupInfo, Offsets
from roggia_runtime.records import Partition
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import IndexGeneration

from roggia_operator.console.index import Index
from roggia_operator.generations.adapters.kafka_ground import specs_of
from roggia_operator.generations.adapters.kafka_lag import embed_group, upsert_group
from roggia_operator.generations.leftovers import Found, judged, typed_topics
from roggia_operator.generations.values import Remains

log = structlog.get_logger()


class KafkaLeftovers:
    """`index_url` is the address of the query role, which knows what is left of the collections.

    Topics of the catalogue, those of the first generation, stay: `roggia topics apply` would make them again.
    """

    def __init__(self, kafka: KafkaSettings, index_url: str) -> None:
        self._kafka, self._index = kafka, Index(index_url)

    async def remains(self, row: IndexGeneration) -> Remains:
        """See `Leftovers`. Raises `UnavailableError`, `AdminError`."""
        own = own_topics(row.generation)
        async with Offsets(self._kafka) as offsets:
            found = await self._found(offsets, row.generation, own)
        live = topics.doc_embedded(row.generation)
        letters = [topics.dlq(topic) for topic in (live, topics.replay(live))]
        remains = judged(found, letters, typed_topics(row.override), now_ms())
        kept = {**remains.kept, **await self._collections(row.generation)}
        return replace(remains, kept=kept, typed=row.override)

    async def free(self, row: IndexGeneration, remains: Remains) -> None:
        """See `Leftovers`. Raises `UnavailableError`, `AdminError`."""
        now = await self.remains(row)
        groups = [group for group in now.groups if group in remains.groups]
        names = [topic for topic in now.topics if topic in remains.topics]
        await TopicAdmin(self._kafka).remove(groups=groups, topics=names)
        log.info("freed", generation=row.generation, groups=groups, topics=names)

    async def _found(self, offsets: Offsets, generation: int, own: Collection[str]) -> Found:
        known = await offsets.partitions()
        there = [topic for topic in own if topic in known]
        spans = await offsets.bounds(partition for topic in there for partition in known[topic])
        groups = await offsets.groups()
        described, committed = await offsets.describe(groups), await offsets.committed(groups)
        mine = {embed_group(generation), upsert_group(generation)}
        return Found(
            {group: len(described[group].members) for group in groups if group in mine},
            {topic: sum(spans[partition].offsets for partition in known[topic]) for topic in there},
            readers(
                there, {group: places(described[group], committed[group]) for group in groups if group not in mine}
            ),
        )

    async def _collections(self, generation: int) -> Mapping[str, str]:
        """What the index service has not dropped yet: it waits until no reader can be in there."""
        try:
            rows = await self._index.collections()
        except UnavailableError as error:
            return {"collections": f"not known: {error}"}
        return {row.name: "the index service drops it" for row in rows if row.generation == generation}


def own_topics(generation: int) -> list[str]:
    """Topics that are a generation's alone, and not the catalogue's."""
    fixed = {spec.name for spec in topics.catalogue()}
    return [spec.name for spec in specs_of(generation) if spec.name not in fixed]


def places(group: GroupInfo, committed: Mapping[Partition, int]) -> set[str]:
    """Topics that a group reads now, or has read."""
    return {where.topic for member in group.members for where in member.partitions} | {
        where.topic for where in committed
    }


def readers(names: Collection[str], read: Mapping[str, Collection[str]]) -> Mapping[str, Collection[str]]:
    """Who reads which of these topics."""
    found: dict[str, set[str]] = defaultdict(set)
    for group, reading in read.items():
        for topic in set(names) & set(reading):
            found[topic].add(group)
    return found
