"""Ending what a restarting broker left hanging of a transactional producer, before that producer commits anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from roggia_runtime.errors import MissingTopicError
from roggia_runtime.open_transactions import still_open

log = structlog.get_logger()
_TRIES = 5
_MARKED_S = 2.0
_LOOK_S = 0.05


async def end_what_hangs(client: AIOKafkaProducer, names: Sequence[str]) -> None:
    """Abort a transaction over every partition of these topics, until no partition holds an open one of this client.

    The marker of such an abort can be lost as well when the broker dies again: so the broker is asked, and what is
    still open is aborted anew. Raises `KafkaError` when that does not help either, and `MissingTopicError`.
    """
    found = [tp for name in names for tp in await _partitions(client, name)]
    await _abort_over(client, found)
    for _ in range(_TRIES):
        if not (left := await _left_open(client, found)):
            return
        log.warning("transaction_hangs", partitions=sorted(f"{tp.topic}/{tp.partition}" for tp in left))
        await _abort_over(client, found)
    if left := await _left_open(client, found):
        raise KafkaError(f"a transaction hangs in {sorted(f'{tp.topic}/{tp.partition}' for tp in left)}")


async def _left_open(client: AIOKafkaProducer, found: Sequence[TopicPartition]) -> set[TopicPartition]:
    """What is open still after a while: markers are written after the abort is acknowledged."""
    until = time.monotonic() + _MARKED_S
    while (left := await still_open(client, found)) and time.monotonic() < until:  # noqa: ASYNC110  # the broker is asked
        await asyncio.sleep(_LOOK_S)
    return left


async def _abort_over(client: AIOKafkaProducer, found: Sequence[TopicPartition]) -> None:
    await client.begin_transaction()
    for tp in found:
        client._txn_manager.maybe_add_partition_to_txn(tp)  # noqa: SLF001  # the client adds partitions only with records
    await client.abort_transaction()


async def _partitions(client: AIOKafkaProducer, topic: str) -> list[TopicPartition]:
    try:
        return [TopicPartition(topic, number) for number in await client.partitions_for(topic)]
    except UnknownTopicOrPartitionError as error:
        raise MissingTopicError(topic) from error
