"""ListTransactions and DescribeTransactions."""

from __future__ import annotations

import time
from collections.abc import Iterable

from kio.schema.errors import ErrorCode

from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.transactions.coordinator import TransactionCoordinator
from roggia_devstack.transactions.model import Transaction, TransactionState
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message


class TransactionAdminApi:
    """Transactions as operators see them."""

    def __init__(self, transactions: TransactionCoordinator) -> None:
        self._transactions = transactions

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {apis.LIST_TRANSACTIONS: self._list, apis.DESCRIBE_TRANSACTIONS: self._describe}

    def _list(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - filters are absent in old versions
        states = set(request["state_filters"])
        producers = set(request["producer_id_filters"])
        oldest_start = time.time() * 1000 - request.get("duration_filter", -1)
        listed = [
            {
                "transactional_id": transaction.transactional_id,
                "producer_id": transaction.producer.id,
                "transaction_state": transaction.state.value,
            }
            for transaction in self._transactions.all().values()
            if (not states or transaction.state.value in states)
            and (not producers or transaction.producer.id in producers)
            and (request.get("duration_filter", -1) < 0 or 0 <= transaction.started_ms <= oldest_start)
        ]
        unknown = sorted(states - {state.value for state in TransactionState})
        return {"error_code": ErrorCode.none, "unknown_state_filters": unknown, "transaction_states": listed}

    def _describe(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - one version
        known = self._transactions.all()
        return {"transaction_states": [_described(key, known.get(key)) for key in request["transactional_ids"]]}


def _described(transactional_id: str, transaction: Transaction | None) -> Message:
    if transaction is None:
        return {
            "error_code": ErrorCode.transactional_id_not_found,
            "transactional_id": transactional_id,
            "transaction_state": "",
            "transaction_timeout": 0,
            "transaction_start_time": -1,
            "producer_id": -1,
            "producer_epoch": -1,
            "topics": (),
        }
    return {
        "error_code": ErrorCode.none,
        "transactional_id": transactional_id,
        "transaction_state": transaction.state.value,
        "transaction_timeout": transaction.timeout_ms,
        "transaction_start_time": transaction.started_ms,
        "producer_id": transaction.producer.id,
        "producer_epoch": transaction.producer.epoch,
        "topics": _by_topic(sorted(transaction.partitions)),
    }


def _by_topic(partitions: Iterable[tuple[str, int]]) -> list[Message]:
    topics: dict[str, list[int]] = {}
    for topic, partition in partitions:
        topics.setdefault(topic, []).append(partition)
    return [{"topic": topic, "partitions": indexes} for topic, indexes in topics.items()]
