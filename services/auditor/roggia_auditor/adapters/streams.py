"""Which stream a partition is: by the id that its topic has now, asked again for every batch.

A topic that is deleted and made anew under its name counts its offsets from 0 again. Taken for the old one, its records
would be skipped, or stand in the wrong tree.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from roggia_runtime.errors import LostPartitionError, UnavailableError
from roggia_runtime.records import Partition
from roggia_runtime.topic_ids import TopicIds

from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import Ledger


class LedgerStarts:
    """Where the consumer loop begins: at the ledger's own heads. It also tells the handler which stream is which."""

    def __init__(self, ids: TopicIds, ledger: Ledger) -> None:
        self._ids, self._ledger = ids, ledger
        self._assigned: Mapping[str, str] = {}

    async def __call__(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """Next offset of every partition that the ledger knows. Raises `UnavailableError`."""
        self._assigned = await self._now({partition.topic for partition in partitions})
        streams = {self._stream(partition): partition for partition in partitions}
        heads = await self._ledger.heads(list(streams))
        return {streams[stream]: head.next_offset for stream, head in heads.items()}

    async def of(self, partitions: Sequence[Partition]) -> Mapping[Partition, Stream]:
        """See `roggia_auditor.handlers.Streams`. What was polled before this was polled of the topic that is named."""
        for topic, topic_id in (await self._now({partition.topic for partition in partitions})).items():
            if self._assigned.get(topic) != topic_id:
                raise LostPartitionError(
                    f"topic {topic} was made anew: it is {topic_id}, not {self._assigned.get(topic)}"
                )
        return {partition: self._stream(partition) for partition in partitions}

    async def _now(self, topics: Collection[str]) -> Mapping[str, str]:
        found = await self._ids.of(topics)
        if missing := sorted(set(topics) - set(found)):
            raise UnavailableError(f"topic {', '.join(missing)} does not exist: create it (roggia topics apply)")
        return found

    def _stream(self, partition: Partition) -> Stream:
        return Stream(partition.topic, self._assigned[partition.topic], partition.number)
