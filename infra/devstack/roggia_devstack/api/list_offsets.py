"""ListOffsets and DeleteRecords: where a partition begins, ends, and had reached at a time."""

from __future__ import annotations

from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.api.storage_errors import code_of
from roggia_devstack.broker.topics import Topics
from roggia_devstack.storage import PartitionLog
from roggia_devstack.storage.errors import StorageError
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

_LATEST, _EARLIEST, _MAX_TIMESTAMP, _EARLIEST_LOCAL = -1, -2, -3, -4
_TIERED: Final = {-5: 9, -6: 11}
"""Special times that concern tiered storage, which there is none of, and the versions that first have them."""
_TO_THE_END: Final = -1
_READ_COMMITTED: Final = 1
_NOTHING: Final = (-1, -1)


class ListOffsetsApi:
    """Answers from the log's own bounds and time index."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {apis.LIST_OFFSETS: self._list_offsets, apis.DELETE_RECORDS: self._delete_records}

    def _list_offsets(self, request: Message, call: Call) -> Message:
        committed = request.get("isolation_level", 0) == _READ_COMMITTED
        topics = [
            {
                "name": topic["name"],
                "partitions": [
                    self._partition(topic["name"], part, committed, call.version) for part in topic["partitions"]
                ],
            }
            for topic in request["topics"]
        ]
        return {"topics": topics}

    def _partition(self, topic: str, part: Message, committed: bool, version: int) -> Message:
        answer: Message = {"partition_index": part["partition_index"], "error_code": ErrorCode.none}
        log = self._topics.log(topic, part["partition_index"])
        if log is None:
            return answer | {"error_code": ErrorCode.unknown_topic_or_partition}
        if part["timestamp"] < _EARLIEST_LOCAL:
            known = version >= _TIERED.get(part["timestamp"], version + 1)
            return answer if known else answer | {"error_code": ErrorCode.unsupported_version}
        offset, timestamp = _find(log, part["timestamp"], committed)
        return answer | {"offset": offset, "timestamp": timestamp, "leader_epoch": 0 if offset >= 0 else -1}

    def _delete_records(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - same for all versions
        topics = [
            {"name": topic["name"], "partitions": [self._delete(topic["name"], part) for part in topic["partitions"]]}
            for topic in request["topics"]
        ]
        return {"topics": topics}

    def _delete(self, topic: str, part: Message) -> Message:
        answer: Message = {
            "partition_index": part["partition_index"],
            "low_watermark": -1,
            "error_code": ErrorCode.none,
        }
        log = self._topics.log(topic, part["partition_index"])
        if log is None:
            return answer | {"error_code": ErrorCode.unknown_topic_or_partition}
        if log.config.compact and not log.config.delete:
            return answer | {"error_code": ErrorCode.policy_violation}
        before = log.end_offset if part["offset"] == _TO_THE_END else part["offset"]
        if not 0 <= before <= log.end_offset:
            return answer | {"error_code": ErrorCode.offset_out_of_range}
        try:
            log.delete_records(before)
        except StorageError as error:
            return answer | {"error_code": code_of(error)}
        return answer | {"low_watermark": log.start_offset}


def _find(log: PartitionLog, timestamp: int, committed: bool) -> tuple[int, int]:
    """(offset, its timestamp); -1 for what there is not."""
    if timestamp in {_EARLIEST, _EARLIEST_LOCAL}:
        return log.start_offset, -1
    if timestamp == _LATEST:
        return (log.last_stable_offset if committed else log.end_offset), -1
    found = log.max_timestamp() if timestamp == _MAX_TIMESTAMP else log.offset_for_time(timestamp)
    if found is None or (committed and found[0] >= log.last_stable_offset):
        return _NOTHING
    return found
