"""What a group has committed (OffsetFetch), read with the error of the whole answer, which aiokafka overlooks.

A coordinator that is still loading, or that the group has left, answers with one error and no partitions (KIP-88). The
client takes such an answer for "nothing is committed": a member would begin its partitions at the oldest record.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, NoError, NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

_WAIT_S = 0.1


def told(response: Any) -> dict[TopicPartition, int]:
    """Next offset by partition; one without a commit is missing. Raises the `KafkaError` that the answer holds."""
    _raise(getattr(response, "error_code", 0), "the group")
    found = {}
    for topic, partitions in response.topics:
        for number, offset, _, code in partitions:
            _raise(code, f"{topic}/{number}")
            if offset >= 0:
                found[TopicPartition(topic, number)] = int(offset)
    return found


async def of_member(consumer: AIOKafkaConsumer, tps: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Commits of a started group member's own group, however long its coordinator takes to tell them.

    Raises `KafkaError` where trying again does not help.
    """
    coordinator = consumer._coordinator  # noqa: SLF001  # the public call is the one that overlooks the error
    numbers: dict[str, list[int]] = defaultdict(list)
    for tp in tps:
        numbers[tp.topic].append(tp.partition)
    while True:
        await coordinator.ensure_coordinator_known()
        try:
            request = OffsetFetchRequest(coordinator.group_id, list(numbers.items()))
            return told(await coordinator._send_req(request))  # noqa: SLF001
        except NotCoordinatorForGroupError:
            coordinator.coordinator_dead()
        except KafkaError as error:
            if not error.retriable:
                raise
        await asyncio.sleep(_WAIT_S)


def _raise(code: int, what: str) -> None:
    error = for_code(code)
    if error is not NoError:
        raise error(f"committed offsets of {what}")
