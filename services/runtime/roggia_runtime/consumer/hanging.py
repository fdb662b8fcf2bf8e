"""Ending what a restarting broker left hanging of a transactional producer, before that producer commits anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from roggia_runtime import denials
from roggia_runtime.errors import MissingTopicError
from roggia_runtime.open_transactions import Told, still_open
from roggia_runtime.settings import KafkaSettings

log = structlog.get_logger()
_TRIES = 5
_MARKED_S = 2.0
_LOOK_S = 0.05
_MISSING_S = 3.0
"""After which a topic that need not exist counts as missing: a broker that has just started may deny it at first."""


class Unasked:
    """Topics in which the owners of a group's partitions cannot see what hangs, because Kafka does not tell them.

    They work all the same: what this can cost is rare. So it is said once in the log, and in `notes` while it lasts.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topics: frozenset[str] = frozenset()
        self._warned = False

    def are(self, topics: Collection[str]) -> None:
        """These, as of the newest assignment."""
        self._topics = frozenset(topics)
        if topics and not self._warned:
            self._warned = True
            log.warning("open_transactions_unknown", topics=sorted(topics), error=self._why())

    def notes(self) -> list[str]:
        """Which topics, and what to do; empty when there are none."""
        return [self._why()] if self._topics else []

    def _why(self) -> str:
        names = ", ".join(sorted(self._topics))
        doing = f"read {names}, so it cannot see whether a transaction of its own hangs there"
        return denials.explain(TopicAuthorizationFailedError(), self._settings, doing)


@dataclass(frozen=True, slots=True)
class Reach:
    """What transactions of one producer may touch: topics, topics that need not exist, and its group's offsets."""

    group: str
    topics: Sequence[str]
    optional: Sequence[str] = ()


async def end_what_hangs(client: AIOKafkaProducer, reach: Reach, *, commit: bool = False) -> frozenset[str]:
    """End a transaction over all that is in `reach`, until no partition holds an open one of this client.

    `commit` says that the id's last transaction was committed: what hangs of it is then made visible, not discarded,
    the group's offsets as well, and both are final when this returns.
    The marker can be lost as well when the broker dies again: so the broker is asked, and what is
    still open is ended anew. Returns the topics of which the broker does not tell, because this client may not read
    them: they got their one end. Of `reach.optional` those are looked at that exist: in others nothing can hang.
    Raises `KafkaError` when all of that does not help, and `MissingTopicError`.
    """
    found = await _all(client, reach)
    if commit and (told := await still_open(client, found)).open:
        log.warning("commit_hangs", partitions=_named(told))
    end = _commit_over if commit else _abort_over
    await end(client, found, reach.group)
    for _ in range(_TRIES):
        if not (told := await _after_markers(client, found)).open:
            return told.denied
        log.warning("transaction_hangs", partitions=_named(told))
        await end(client, found, reach.group)
    if (told := await _after_markers(client, found)).open:
        raise KafkaError(f"a transaction hangs in {_named(told)}")
    return told.denied


async def complete_commit(client: AIOKafkaProducer, reach: Reach) -> None:
    """Write the markers that a restarted broker lost of this client's last transaction, which was committed.

    To be called between transactions, of a client none of whose transactions failed. What is raised is that of
    `end_what_hangs`; a retriable `KafkaError` says that brokers do not answer now, and that nothing was done.
    """
    await client.client.coordinator_lookup(CoordinationType.TRANSACTION, client._txn_manager.transactional_id)  # noqa: SLF001
    await still_open(client, await _all(client, reach))
    await end_what_hangs(client, reach, commit=True)


async def _all(client: AIOKafkaProducer, reach: Reach) -> list[TopicPartition]:
    found = [tp for name in reach.topics for tp in await _partitions(client, name)]
    for name in reach.optional:
        with suppress(MissingTopicError, TimeoutError):
            found += await asyncio.wait_for(_partitions(client, name), _MISSING_S)
    return found


async def _after_markers(client: AIOKafkaProducer, found: Sequence[TopicPartition]) -> Told:
    """What is open still after a while: markers are written after the end is acknowledged."""
    until = time.monotonic() + _MARKED_S
    while (told := await still_open(client, found)).open and time.monotonic() < until:  # noqa: ASYNC110  # the broker is asked
        await asyncio.sleep(_LOOK_S)
    return told


def _named(told: Told) -> list[str]:
    return sorted(f"{tp.topic}/{tp.partition}" for tp in told.open)


async def _abort_over(client: AIOKafkaProducer, found: Sequence[TopicPartition], group: str) -> None:
    await _begin_over(client, found, group)
    await client.abort_transaction()


async def _commit_over(client: AIOKafkaProducer, found: Sequence[TopicPartition], group: str) -> None:
    """Commit, and wait until every marker is written: the coordinator begins nothing else before (KAFKA-5477).

    The second transaction is committed as well: where markers of the first are lost once more, an abort would discard
    the offsets that hang, and leave a successor to believe that all of it was aborted.
    """
    for partitions in (found, ()):
        await _begin_over(client, partitions, group)
        await client.commit_transaction()


async def _begin_over(client: AIOKafkaProducer, found: Sequence[TopicPartition], group: str) -> None:
    """The client adds partitions only with records, and a group only with offsets: here there are neither."""
    await client.begin_transaction()
    while not await client._sender._do_add_offsets_to_txn(group):  # noqa: SLF001  # it waits by itself before it says no
        pass
    for tp in found:
        client._txn_manager.maybe_add_partition_to_txn(tp)  # noqa: SLF001


async def _partitions(client: AIOKafkaProducer, topic: str) -> list[TopicPartition]:
    try:
        return [TopicPartition(topic, number) for number in await client.partitions_for(topic)]
    except UnknownTopicOrPartitionError as error:
        raise MissingTopicError(topic) from error
