"""InitProducerId and the requests of a transaction's life."""

from __future__ import annotations

from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.api.offsets import check_commits
from roggia_devstack.broker.topics import Topics
from roggia_devstack.groups.coordinator import GroupCoordinator
from roggia_devstack.transactions.coordinator import NO_PRODUCER, TransactionCoordinator
from roggia_devstack.transactions.model import Producer
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

# The versions from which clients know PRODUCER_FENCED; older ones are told INVALID_PRODUCER_EPOCH.
_KNOWS_FENCED: Final = {
    apis.INIT_PRODUCER_ID: 4,
    apis.ADD_PARTITIONS_TO_TXN: 2,
    apis.ADD_OFFSETS_TO_TXN: 2,
    apis.END_TXN: 2,
}


class TransactionsApi:
    """Producers' requests to the transaction coordinator."""

    def __init__(self, transactions: TransactionCoordinator, groups: GroupCoordinator, topics: Topics) -> None:
        self._transactions = transactions
        self._groups = groups
        self._topics = topics

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {
            apis.INIT_PRODUCER_ID: self._init,
            apis.ADD_PARTITIONS_TO_TXN: self._add_partitions,
            apis.ADD_OFFSETS_TO_TXN: self._add_offsets,
            apis.TXN_OFFSET_COMMIT: self._commit_offsets,
            apis.END_TXN: self._end,
        }

    def _init(self, request: Message, call: Call) -> Message:
        expected = Producer(
            request.get("producer_id", NO_PRODUCER.id), request.get("producer_epoch", NO_PRODUCER.epoch)
        )
        if (expected.id == NO_PRODUCER.id) != (expected.epoch == NO_PRODUCER.epoch):
            code = ErrorCode.invalid_request
            return {"error_code": code, "producer_id": NO_PRODUCER.id, "producer_epoch": NO_PRODUCER.epoch}
        code, producer = self._transactions.init(
            request["transactional_id"],
            request["transaction_timeout"],
            expected,
            fenced=_fenced(apis.INIT_PRODUCER_ID, call),
        )
        return {"error_code": code, "producer_id": producer.id, "producer_epoch": producer.epoch}

    def _add_partitions(self, request: Message, call: Call) -> Message:
        topics = request["v3_and_below_topics"]
        wanted = [(topic["name"], partition) for topic in topics for partition in topic["partitions"]]
        missing = {partition for partition in wanted if self._topics.log(*partition) is None}
        code = ErrorCode.operation_not_attempted
        if not missing:
            code = self._transactions.add_partitions(
                request["v3_and_below_transactional_id"],
                Producer(request["v3_and_below_producer_id"], request["v3_and_below_producer_epoch"]),
                wanted,
                fenced=_fenced(apis.ADD_PARTITIONS_TO_TXN, call),
            )
        results = [
            {
                "name": topic["name"],
                "results_by_partition": [
                    {
                        "partition_index": partition,
                        "partition_error_code": ErrorCode.unknown_topic_or_partition
                        if (topic["name"], partition) in missing
                        else code,
                    }
                    for partition in topic["partitions"]
                ],
            }
            for topic in topics
        ]
        return {"results_by_topic_v3_and_below": results}

    def _add_offsets(self, request: Message, call: Call) -> Message:
        code = self._transactions.add_group(
            request["transactional_id"],
            _producer(request),
            request["group_id"],
            fenced=_fenced(apis.ADD_OFFSETS_TO_TXN, call),
        )
        return {"error_code": code}

    def _commit_offsets(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - same for all versions
        refused = self._groups.may_commit_in_transaction(
            request["group_id"],
            request.get("member_id", ""),
            request.get("group_instance_id"),
            request.get("generation_id", -1),
        )
        answer, commits = check_commits(request, self._topics, refused)
        if not commits:
            return {"topics": answer}
        code = self._transactions.commit_offsets(
            request["transactional_id"], _producer(request), request["group_id"], commits
        )
        if code is not ErrorCode.none:
            answer, _ = check_commits(request, self._topics, code)
        return {"topics": answer}

    def _end(self, request: Message, call: Call) -> Message:
        code = self._transactions.end(
            request["transactional_id"],
            _producer(request),
            commit=bool(request["committed"]),
            fenced=_fenced(apis.END_TXN, call),
        )
        return {"error_code": code}


def _producer(request: Message) -> Producer:
    return Producer(request["producer_id"], request["producer_epoch"])


def _fenced(api: apis.Api, call: Call) -> ErrorCode:
    return ErrorCode.producer_fenced if call.version >= _KNOWS_FENCED[api] else ErrorCode.invalid_producer_epoch
