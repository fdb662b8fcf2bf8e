"""Where a group without members begins: at the ends of its topic, for readers that keep nothing of what lies before."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError

from roggia_runtime import clients
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.denials import translated
from roggia_runtime.errors import AdminError, UnavailableError
from roggia_runtime.settings import KafkaSettings

_HAS_MEMBERS = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)


async def skip_to_end(settings: KafkaSettings, group: str, topic: str) -> bool:
    """Commit the topic's ends for a group that has no members; False, and nothing is done, for one that has some.

    Raises `UnavailableError` when Kafka does not answer, or refuses.
    """
    try:
        ends = await TopicAdmin(settings).end_offsets(topic)
        async with translated(settings):
            return await _commit(settings, group, {TopicPartition(topic, n): offset for n, offset in ends.items()})
    except AdminError as error:
        raise UnavailableError(str(error)) from error


async def _commit(settings: KafkaSettings, group: str, ends: dict[TopicPartition, int]) -> bool:
    client = AIOKafkaConsumer(**clients.group_consumer(settings, group))
    try:
        await client.start()
        client.assign(list(ends))
        await client.commit(ends)
    except _HAS_MEMBERS:
        return False
    finally:
        await clients.stop(client)
    return True
