"""What the log refuses, in Kafka's numbers."""

from __future__ import annotations

from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.storage import errors

_CODES: Final = {
    errors.UnknownTopicError: ErrorCode.unknown_topic_or_partition,
    errors.TopicExistsError: ErrorCode.topic_already_exists,
    errors.InvalidTopicError: ErrorCode.invalid_topic_exception,
    errors.InvalidConfigError: ErrorCode.invalid_config,
    errors.InvalidBatchError: ErrorCode.corrupt_message,
    errors.DecodeError: ErrorCode.corrupt_message,
    errors.InvalidRecordError: ErrorCode.invalid_record,
    errors.BatchTooLargeError: ErrorCode.message_too_large,
    errors.OutOfOrderSequenceError: ErrorCode.out_of_order_sequence_number,
    errors.StaleProducerEpochError: ErrorCode.invalid_producer_epoch,
    errors.TransactionStateError: ErrorCode.invalid_txn_state,
    errors.OffsetOutOfRangeError: ErrorCode.offset_out_of_range,
}


def code_of(error: errors.StorageError) -> ErrorCode:
    """Kafka's number for a storage error; what no client could cause is KAFKA_STORAGE_ERROR, which clients retry."""
    return _CODES.get(type(error), ErrorCode.kafka_storage_error)
