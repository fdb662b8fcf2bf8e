"""Headers whose names are not UTF-8: aiokafka's decoder raises at one, which would stop whoever meets such a record.

Kafka says that names are text, and no broker looks; Java's client reads what is wrong as another character. Here a byte
that is none is written as `\\xff`. Key, value and header values stay as they are. Such a name is none of ours and means
nothing to a stage, so the record is processed like any other.

Once installed, it holds for every consumer of the process. As of aiokafka 0.14: what is left of a fetch when a record
cannot be decoded is decoded anew, in Python.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.record.util import decode_varint

_MAGIC_OFFSET = 16
_WITH_HEADERS = 2
"""The first message format that has headers."""


def install() -> None:
    """Have the client's consumers use it. Doing so twice changes nothing."""
    fetcher.MemoryRecords = _Kept
    fetcher.PartitionRecords = _Lenient


class _Kept(MemoryRecords):  # type: ignore[misc]
    """What was fetched of one partition, and its bytes, to decode them anew."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.raw = raw


class _Lenient(fetcher.PartitionRecords):  # type: ignore[misc]
    """Records of one partition in offset order. Costs nothing until one cannot be decoded."""

    def __init__(self, tp: Any, records: _Kept, aborted_transactions: Any, *rest: Any) -> None:
        super().__init__(tp, records, aborted_transactions, *rest)
        self._raw, self._aborted_before = records.raw, sorted(aborted_transactions or (), key=itemgetter(1))

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except UnicodeDecodeError:
            pass
        except CorruptRecordException as error:  # so the client's own decoder in Python puts it
            if not isinstance(error.__cause__, UnicodeDecodeError):
                raise
        self._begin_anew()
        return super().__next__()

    def _begin_anew(self) -> None:
        """From the first batch on, for aborted transactions are counted along; what was returned is left out."""
        done = self.next_fetch_offset
        self._records = _Batches(self._raw)
        self._aborted_transactions = list(self._aborted_before)
        self._aborted_producers.clear()
        self._records_iterator = (record for record in self._unpack_records() if record.offset >= done)


class _Batches(_MemoryRecordsPy):  # type: ignore[misc]
    """Batches of which none fails at a header's name."""

    def next_batch(self, *_: Any) -> Any:
        """See `MemoryRecords`."""
        held = self._next_slice
        if held is None or len(held) <= _MAGIC_OFFSET or held[_MAGIC_OFFSET] < _WITH_HEADERS:
            return super().next_batch()
        self._cache_next()
        return _Batch(held)


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """One batch, decompressed and checked by the client."""

    def _read_msg(self, *_: Any) -> _DefaultRecordPy:
        """The next record. Raises `ValueError` or `IndexError` for what is none, as the client's does."""
        cursor = _Cursor(self._buffer, self._pos)  # type: ignore[has-type]
        end = cursor.number() + cursor.at
        cursor.number()  # attributes
        since, offset = cursor.number(), self.base_offset + cursor.number()
        at_ms = self.max_timestamp if self.timestamp_type == self.LOG_APPEND_TIME else self.first_timestamp + since
        key, value = cursor.data(), cursor.data()
        headers = [(cursor.name(), cursor.data()) for _ in range(cursor.number())]
        if cursor.at != end:
            raise ValueError(f"a record that ends at {cursor.at} instead of {end}")
        self._pos = end
        return _DefaultRecordPy(offset, at_ms, self.timestamp_type, key, value, headers)


class _Cursor:
    """Reads a record's fields one after the other. `at` is where the next one begins."""

    def __init__(self, buffer: bytearray, at: int) -> None:
        self._buffer, self.at = buffer, at

    def number(self) -> int:
        value, self.at = decode_varint(self._buffer, self.at)
        return int(value)

    def data(self) -> bytes | None:
        length = self.number()
        if length < 0:
            return None
        start, self.at = self.at, self.at + length
        return bytes(self._buffer[start : self.at])

    def name(self) -> str:
        found = self.data()
        if found is None:
            raise ValueError("a header without a name")
        return found.decode("utf-8", "backslashreplace")
