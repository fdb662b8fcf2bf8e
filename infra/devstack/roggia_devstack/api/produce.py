"""Produce: record batches in."""

from __future__ import annotations

import struct
import time
from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.api.storage_errors import code_of
from roggia_devstack.broker.signals import Signals
from roggia_devstack.broker.topics import Topics
from roggia_devstack.storage import TopicMeta
from roggia_devstack.storage.errors import StorageError
from roggia_devstack.transactions.coordinator import TransactionCoordinator
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

_BATCH: Final = struct.Struct(">qiibIhiqqqhii")
_LENGTH_STARTS: Final = 12
_MAGIC: Final = 2
_TRANSACTIONAL, _CONTROL = 0x10, 0x20
_FIRST_VERSION_WITH_IDS: Final = 13
_ACKS: Final = (-1, 0, 1)
Outcome = tuple[ErrorCode, int, str | None, int]
"""(error, base offset, message, append time)"""
_NOWHERE: Final = -1


class ProduceApi:
    """Checks what concerns the request, leaves the batch's inside to the log, and wakes waiting fetches."""

    def __init__(self, topics: Topics, transactions: TransactionCoordinator, signals: Signals) -> None:
        self._topics = topics
        self._transactions = transactions
        self._signals = signals

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {apis.PRODUCE: self._produce}

    def _produce(self, request: Message, call: Call) -> Message | None:
        by_id = call.version >= _FIRST_VERSION_WITH_IDS
        now_ms = time.time_ns() // 1_000_000
        acks = request["acks"]
        response = {"responses": [self._topic(topic, request, by_id, now_ms) for topic in request["topic_data"]]}
        return None if acks == 0 else response

    def _topic(self, topic: Message, request: Message, by_id: bool, now_ms: int) -> Message:
        meta = self._topics.by_id(topic["topic_id"]) if by_id else self._topics.get(topic["name"])
        missing = ErrorCode.unknown_topic_id if by_id else ErrorCode.unknown_topic_or_partition
        parts = [
            _refused(missing) if meta is None else self._partition(meta, part, request, now_ms)
            for part in topic["partition_data"]
        ]
        responses = [
            _partition_response(part["index"], outcome)
            for part, outcome in zip(topic["partition_data"], parts, strict=True)
        ]
        return {"name": topic.get("name"), "topic_id": topic.get("topic_id"), "partition_responses": responses}

    def _partition(self, meta: TopicMeta, part: Message, request: Message, now_ms: int) -> Outcome:
        index, batch = part["index"], part["records"]
        log = self._topics.log(meta.name, index)
        if log is None:
            return _refused(ErrorCode.unknown_topic_or_partition)
        refused = _not_one_batch(batch) or self._refusal(meta, index, batch, request)
        if refused is not None:
            return refused
        batch = _without_rest(batch)
        try:
            appended = log.append(batch, now_ms)
        except StorageError as error:
            return _refused(code_of(error), str(error))
        if not appended.duplicate:
            self._signals.grown((meta.name, index))
        return ErrorCode.none, appended.base_offset, None, appended.append_time_ms

    def _refusal(self, meta: TopicMeta, index: int, batch: bytes, request: Message) -> Outcome | None:
        if request["acks"] not in _ACKS:
            return _refused(ErrorCode.invalid_required_acks, f"acks: {request['acks']}; allowed: -1, 0, 1")
        header = _BATCH.unpack_from(batch)
        attributes, producer_id, epoch = header[5], header[9], header[10]
        if attributes & _CONTROL:
            return _refused(ErrorCode.invalid_record, "clients may not write control batches")
        if attributes & _TRANSACTIONAL:
            if request["transactional_id"] is None:
                return _refused(
                    ErrorCode.transactional_id_authorization_failed, "transactional records without a transactional id"
                )
            code = self._transactions.check_produce(
                request["transactional_id"], (producer_id, epoch), (meta.name, index)
            )
            return None if code is ErrorCode.none else _refused(code)
        return None


def _not_one_batch(batch: bytes | None) -> Outcome | None:
    """Refuse what is not one batch of format 2. Bytes after it that cannot be a second one are let pass, as Kafka does.

    A length that is wrong but possible is found by the checksum.
    """
    if not batch:
        return _refused(ErrorCode.invalid_record, "records: exactly one record batch per partition is allowed")
    if len(batch) < _BATCH.size:
        return _refused(ErrorCode.invalid_record, "records: not one whole record batch")
    _, length, _, magic, _, _, last_offset_delta = _BATCH.unpack_from(batch)[:7]
    if magic != _MAGIC:
        return _refused(ErrorCode.invalid_record, f"records: message format {magic}; only 2 is taken")
    rest = len(batch) - _LENGTH_STARTS - length
    if length < _BATCH.size - _LENGTH_STARTS:
        return _refused(ErrorCode.corrupt_message, f"records: a batch cannot be {length} bytes long")
    if rest < 0 or last_offset_delta < 0:
        return _refused(ErrorCode.invalid_record, "records: not one whole record batch")
    if rest >= _BATCH.size:
        return _refused(ErrorCode.invalid_record, "records: exactly one record batch per partition is allowed")
    return None


def _without_rest(batch: bytes) -> bytes:
    size = _BATCH.unpack_from(batch)[1] + _LENGTH_STARTS
    return batch if size == len(batch) else batch[:size]


def _refused(code: ErrorCode, message: str | None = None) -> Outcome:
    return code, _NOWHERE, message, _NOWHERE


def _partition_response(index: int, outcome: Outcome) -> Message:
    code, base_offset, message, append_time = outcome
    return {
        "index": index,
        "error_code": code,
        "base_offset": base_offset,
        "log_append_time": append_time,
        "log_start_offset": -1,
        "record_errors": (),
        "error_message": message,
    }
