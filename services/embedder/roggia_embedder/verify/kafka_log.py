"""The chunk log on Kafka, and how far embed and upsert have come with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from roggia_runtime import offsets
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.errors import AdminError
from roggia_runtime.records import Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocChunked
from roggia_schemas.names import parse_document_key

from roggia_embedder.ports.codec import EventCodec
from roggia_embedder.verify.log import Offsets, Wants
from roggia_embedder.verify.rows import Expected, expected, forgotten

_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Stages:
    """Topics and groups between the log and the index. `wait_s`: how long upsert may take for what embed has done."""

    chunked: str
    embedded: str
    embed_group: str
    upsert_group: str
    wait_s: float = 20.0


class KafkaSettledLog:
    """A `SettledLog`, read without a group. Raises `UnavailableError`, and `AdminError` when Kafka refuses."""

    def __init__(self, settings: KafkaSettings, codec: EventCodec, stages: Stages) -> None:
        self._admin = TopicAdmin(settings)
        self._groups = partial(offsets.Offsets, settings)
        self._codec = codec
        self._stages = stages
        self.topic = stages.chunked
        self.unreadable = 0

    async def ends(self) -> Offsets:
        """See `SettledLog`."""
        return await self._admin.end_offsets(self._stages.chunked)

    async def read(self, starts: Offsets, ends: Offsets, wants: Wants) -> AsyncIterator[Expected]:
        """See `SettledLog`."""
        for partition, end in ends.items():
            start = starts.get(partition, 0)
            if start >= end:
                continue
            async for record in self._admin.read(self._stages.chunked, partition, start, end=end):
                row = await self._row(record, wants)
                if row is not None:
                    yield row

    async def settled(self) -> Offsets:
        """See `SettledLog`. Nothing is settled while upsert does not get to what embed had done at the call.

        Raises `AdminError` for a log that embed has read further than it goes: it was created anew, or has lost its
        end, and would make orphans of living documents.
        """
        stages = self._stages
        async with self._groups() as groups:
            embedded = await _committed(groups, stages.embed_group, stages.chunked)
            check_whole(stages, embedded, await self._admin.end_offsets(stages.chunked))
            produced = await self._admin.end_offsets(stages.embedded)
            deadline = time.monotonic() + stages.wait_s
            while not _reached(await _committed(groups, stages.upsert_group, stages.embedded), produced):
                if time.monotonic() >= deadline:
                    return {}
                await asyncio.sleep(_POLL_S)
        return embedded

    async def _row(self, record: Record, wants: Wants) -> Expected | None:
        try:
            tenant, doc_id = parse_document_key(record.key)
            if not wants(tenant, doc_id):
                return None
            if record.value is None:
                return forgotten(tenant, doc_id, record.partition, record.offset)
            event = await self._codec.decode(DocChunked, record)
        except SchemasError:
            self.unreadable += 1
            return None
        if (event.tenant_id, event.doc_id) != (tenant, doc_id):
            self.unreadable += 1
            return None
        return expected(event, record.partition, record.offset)


def check_whole(stages: Stages, embedded: Offsets, ends: Offsets) -> None:
    """Raise `AdminError` when a partition ends before what embed has committed."""
    for partition, read in embedded.items():
        if read > ends.get(partition, 0):
            raise AdminError(
                f"{stages.chunked} {partition} ends at {ends.get(partition, 0)}, but {stages.embed_group} has read to "
                f"{read}: the topic was created anew or has lost records; nothing can be verified against it"
            )


async def _committed(groups: offsets.Offsets, group: str, topic: str) -> Offsets:
    found = (await groups.committed([group]))[group]
    return {place.number: offset for place, offset in found.items() if place.topic == topic}


def _reached(committed: Offsets, wanted: Offsets) -> bool:
    return all(committed.get(partition, 0) >= end for partition, end in wanted.items())
