"""Records whose header names are not UTF-8 pass like any other, exactly once and in order."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy
from aiokafka.record.util import calc_crc32c
from roggia_runtime import header_names

from tests.support.foreign_headers import ESCAPED, append, builder, built

READ_COMMITTED = 1
CODECS = [0, 1, 2, 3, 4]


def _values(first: int, foreign: set[int]) -> list[tuple[bytes, bool]]:
    return [(b"%d" % number, number in foreign) for number in range(first, first + 5)]


def _log(foreign: set[int], codec: int = 0) -> bytes:
    """Offsets 0 to 19 in four batches; the second and the fourth are of producer 7 and one transaction."""
    found = b""
    for base, producer_id in ((0, -1), (5, 7), (10, -1), (15, 7)):
        batch = builder(codec, producer_id=producer_id)
        append(batch, _values(base, foreign))
        found += built(batch, base)
    return found


def _fetched(raw: bytes, at: int = 0, aborted: list[tuple[int, int]] | None = None) -> Any:
    header_names.install()
    records = fetcher.MemoryRecords(raw)
    return fetcher.PartitionRecords(TopicPartition("t", 0), records, aborted, at, None, None, True, READ_COMMITTED)


def _told(records: Any) -> list[tuple[Any, ...]]:
    return [(r.offset, r.timestamp, r.key, r.value) for r in records]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("foreign", [{0}, {4}, {2, 3, 12}, {19}])
def test_a_record_with_a_foreign_header_name_is_read(foreign: set[int], codec: int) -> None:
    """Whatever its place and the compression: everything once, in order, values as they are, the name escaped."""
    read = list(_fetched(_log(foreign, codec)))
    assert _told(read) == _told(_fetched(_log(set(), codec)))
    assert [r.value for r in read] == [b"%d" % number for number in range(20)]
    assert {r.offset for r in read if (ESCAPED, None) in r.headers} == foreign
    assert all(r.headers[0] == ("x", b"1") for r in read)


@pytest.mark.parametrize("at", [0, 1, 5, 6, 9, 12, 13])
def test_reading_begins_and_goes_on_where_it_was(at: int) -> None:
    """A fetch that begins inside of a batch, as after a commit there, repeats nothing; the position follows."""
    records = _fetched(_log({3, 12}), at)
    assert [r.offset for r in records] == list(range(at, 20))
    assert records.next_fetch_offset == 20


@pytest.mark.parametrize("foreign", [{1}, {6}, {12}])
def test_aborted_records_stay_away(foreign: set[int]) -> None:
    """What a transaction took back is not returned because something else had to be decoded anew."""
    read = _fetched(_log(foreign), aborted=[(7, 5)])
    assert [r.offset for r in read] == [*range(5), *range(10, 15)]


@pytest.mark.parametrize("foreign", [{1}, {6}])
def test_with_the_clients_python_decoder_as_well(foreign: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the client runs without its extensions, it wraps the failure: the same holds."""

    class Kept(_MemoryRecordsPy):  # type: ignore[misc]
        """The client's own decoder in Python, throughout."""

        def __init__(self, raw: bytes) -> None:
            super().__init__(raw)
            self.raw = raw

        def next_batch(self, *_: Any) -> Any:
            """One batch."""
            held = self._next_slice
            self._cache_next()
            return _DefaultRecordBatchPy(held)

    records = _fetched(_log(set()))
    monkeypatch.setattr(fetcher, "MemoryRecords", Kept)
    records = fetcher.PartitionRecords(
        TopicPartition("t", 0), Kept(_log(foreign)), None, 0, None, None, True, READ_COMMITTED
    )
    assert [r.offset for r in records] == list(range(20))


@pytest.mark.parametrize("damaged", [b"\x00" * 4, b"\xff" * 4])
def test_a_damaged_batch_is_still_refused(damaged: bytes) -> None:
    """Leniency is for names alone: a record whose structure is wrong is no record, with a right checksum as well."""
    raw = bytearray(_log({2}))
    at = raw.index(b"na\xefve") - 6
    raw[at : at + 4] = damaged
    end = 12 + int.from_bytes(raw[8:12])
    raw[17:21] = calc_crc32c(bytes(raw[21:end])).to_bytes(4)
    with pytest.raises(CorruptRecordException):
        list(_fetched(bytes(raw)))
