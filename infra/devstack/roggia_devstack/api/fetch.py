"""Fetch: record batches out, waiting for them when there are too few."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.api.storage_errors import code_of
from roggia_devstack.broker.signals import Signals, TopicPartition
from roggia_devstack.broker.topics import Topics
from roggia_devstack.storage import PartitionLog
from roggia_devstack.storage.errors import StorageError
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

_FIRST_VERSION_WITH_IDS: Final = 13
_READ_COMMITTED: Final = 1
_LONGEST_WAIT_S: Final = 60.0


@dataclass(slots=True)
class _Answer:
    """A fetch as far as it has been read."""

    responses: list[Message]
    room: int
    size: int = 0
    failed: bool = False


class FetchApi:
    """Serves whole fetches: sessions are switched off by answering with session 0."""

    def __init__(self, topics: Topics, signals: Signals, *, max_bytes: int) -> None:
        self._topics = topics
        self._signals = signals
        self._max_bytes = max_bytes

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {apis.FETCH: self._fetch}

    def _fetch(self, request: Message, call: Call) -> Message | Awaitable[Message]:
        if request.get("session_id", 0) != 0:
            return {"error_code": ErrorCode.fetch_session_id_not_found, "session_id": 0, "responses": ()}
        by_id = call.version >= _FIRST_VERSION_WITH_IDS
        answer = self._read(request, by_id)
        if answer.failed or answer.size >= request["min_bytes"] or request["max_wait"] <= 0:
            return _response(answer)
        return self._wait(request, by_id, self._signals.count)

    async def _wait(self, request: Message, by_id: bool, seen: int) -> Message:
        """Answer once there is enough. `seen` is the count of growths when too little was found."""
        deadline = time.monotonic() + min(request["max_wait"] / 1000, _LONGEST_WAIT_S)
        partitions = self._partitions(request, by_id)
        while True:
            grown = await self._signals.wait(partitions, max(deadline - time.monotonic(), 0), seen)
            seen = self._signals.count
            answer = self._read(request, by_id)
            if not grown or answer.failed or answer.size >= request["min_bytes"]:
                return _response(answer)

    def _partitions(self, request: Message, by_id: bool) -> list[TopicPartition]:
        named = ((self._name(topic, by_id), topic["partitions"]) for topic in request["topics"])
        return [(name, part["partition"]) for name, parts in named if name is not None for part in parts]

    def _name(self, topic: Message, by_id: bool) -> str | None:
        meta = self._topics.by_id(topic["topic_id"]) if by_id else self._topics.get(topic["topic"])
        return None if meta is None else meta.name

    def _read(self, request: Message, by_id: bool) -> _Answer:
        answer = _Answer([], min(request.get("max_bytes", self._max_bytes), self._max_bytes))
        committed = request.get("isolation_level", 0) == _READ_COMMITTED
        for topic in request["topics"]:
            name = self._name(topic, by_id)
            missing = ErrorCode.unknown_topic_id if by_id and name is None else ErrorCode.unknown_topic_or_partition
            parts = []
            for part in topic["partitions"]:
                log = None if name is None else self._topics.log(name, part["partition"])
                parts.append(
                    _failure(part, missing, answer) if log is None else _partition(log, part, committed, answer)
                )
            answer.responses.append(
                {"topic": topic.get("topic"), "topic_id": topic.get("topic_id"), "partitions": parts}
            )
        return answer


def _partition(log: PartitionLog, part: Message, committed: bool, answer: _Answer) -> Message:
    room = min(part["partition_max_bytes"], answer.room)
    if answer.size and room <= 0:
        return _data(part, log.end_offset, log.last_stable_offset, log.start_offset, [] if committed else None, b"")
    try:
        read = log.read(part["fetch_offset"], max(room, 1), committed)
    except StorageError as error:
        return _failure(part, code_of(error), answer, log)
    if answer.size and len(read.data) > room:
        # Only the first batch of an answer may be larger than asked for; the client comes back for this one.
        return _data(part, log.end_offset, log.last_stable_offset, log.start_offset, [] if committed else None, b"")
    answer.size += len(read.data)
    answer.room -= len(read.data)
    aborted = (
        [{"producer_id": producer, "first_offset": first} for producer, first in read.aborted] if committed else None
    )
    return _data(part, read.high_watermark, read.last_stable_offset, read.log_start_offset, aborted, read.data)


def _data(
    part: Message, high_watermark: int, stable: int, start: int, aborted: list[Message] | None, records: bytes
) -> Message:
    return {
        "partition_index": part["partition"],
        "error_code": ErrorCode.none,
        "high_watermark": high_watermark,
        "last_stable_offset": stable,
        "log_start_offset": start,
        "aborted_transactions": aborted,
        "records": records,
    }


def _failure(part: Message, code: ErrorCode, answer: _Answer, log: PartitionLog | None = None) -> Message:
    answer.failed = True
    start = -1 if log is None else log.start_offset
    return _data(part, -1, -1, start, None, b"") | {"error_code": code}


def _response(answer: _Answer) -> Message:
    return {"error_code": ErrorCode.none, "session_id": 0, "responses": answer.responses}
