"""Looking into topics: the newest records."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest
from roggia_operator.reading.tail import newest
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.records import Partition, Record

PARTITION = Partition("doc.chunked.c1", 0)


class _Log:
    """A partition that holds records at some offsets; between them, markers."""

    def __init__(self, *offsets: int) -> None:
        self._offsets = offsets

    async def read(self, topic: str, partition: int, start: int, *, end: int) -> AsyncIterator[Record]:
        for offset in self._offsets:
            if start <= offset < end:
                yield Record(topic, partition, offset, 0, b"k", b"v", ())


@pytest.mark.parametrize(("last", "seen"), [(0, []), (1, [6]), (2, [4, 6]), (3, [0, 4, 6]), (9, [0, 4, 6])], ids=str)
async def test_the_newest_records_are_found_behind_markers(last: int, seen: list[int]) -> None:
    """`-n 1` on a topic that is written in transactions shows a record, not the marker at its end."""
    admin = cast("TopicAdmin", _Log(0, 4, 6))

    assert [record.offset for record in await newest(admin, PARTITION, 8, last)] == seen
