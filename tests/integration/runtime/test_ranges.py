"""Ranges of topics as a broker tells them."""

from __future__ import annotations

import pytest
from aiokafka.client import AIOKafkaClient
from roggia_runtime.offsets import Offsets
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition
from roggia_schemas import topics

from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.loops import settings


async def test_spans_of_many_topics_are_asked_for_at_once(
    devstack_alone: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader learns where all topics lie in a few questions, not in one per topic with a pause after each."""
    kafka = settings(devstack_alone.bootstrap)
    await apply_topics(kafka)
    every = [Partition(spec.name, 0) for spec in topics.catalogue()]
    asked: list[object] = []
    ask = AIOKafkaClient._metadata_update

    async def counted(client: AIOKafkaClient, *arguments: object) -> object:
        asked.append(arguments)
        return await ask(client, *arguments)

    monkeypatch.setattr(AIOKafkaClient, "_metadata_update", counted)
    async with RangeReader(kafka) as reader:
        assert await reader.spans(every) == dict.fromkeys(every, Span(0, 0))
    assert len(every) > 10
    assert len(asked) < 6


@pytest.mark.parametrize("reader", [RangeReader, Offsets])
async def test_a_reader_that_is_not_used_after_all_cancels_nobody(
    devstack: Broker, reader: type[RangeReader | Offsets]
) -> None:
    """A service that is stopped while it connects lets go at once: that is a clean stop, not a cancellation."""
    async with reader(settings(devstack.bootstrap)):
        pass
