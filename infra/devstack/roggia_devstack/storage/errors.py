"""Everything the storage engine raises. The broker answers each with the Kafka error named in its docstring."""

from __future__ import annotations


class StorageError(Exception):
    """Root of this package's errors."""


class DataInUseError(StorageError):
    """Another process holds the data directory. The message names it; two brokers must never share one."""


class FormatError(StorageError):
    """The data directory was written by something else or by a later version."""


class TopicExistsError(StorageError):
    """TOPIC_ALREADY_EXISTS."""


class UnknownTopicError(StorageError):
    """UNKNOWN_TOPIC_OR_PARTITION: no such topic or partition, or it was deleted while a request held its log."""


class InvalidTopicError(StorageError):
    """INVALID_TOPIC_EXCEPTION or INVALID_PARTITIONS: the name or the number of partitions breaks its rule."""


class InvalidConfigError(StorageError):
    """INVALID_CONFIG: a topic setting has a value outside its range."""


class InvalidBatchError(StorageError):
    """CORRUPT_MESSAGE: not one whole record batch of version 2 with a correct checksum."""


class InvalidRecordError(StorageError):
    """INVALID_RECORD: a sound batch that this topic does not take (no key on a compacted topic, wrong count)."""


class BatchTooLargeError(StorageError):
    """MESSAGE_TOO_LARGE: the batch is larger than the topic's max.message.bytes."""


class OutOfOrderSequenceError(StorageError):
    """OUT_OF_ORDER_SEQUENCE_NUMBER: an idempotent producer's batch does not follow its last one."""


class StaleProducerEpochError(StorageError):
    """INVALID_PRODUCER_EPOCH: a newer instance of this producer has written, or fenced it."""


class TransactionStateError(StorageError):
    """INVALID_TXN_STATE: a batch outside a transaction from a producer whose transaction is open here."""


class OffsetOutOfRangeError(StorageError):
    """OFFSET_OUT_OF_RANGE: outside [start_offset, end_offset]."""


class DecodeError(StorageError):
    """Records inside a batch cannot be read: a broken varint, length or compressed block."""
