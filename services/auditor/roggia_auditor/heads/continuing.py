"""What proves that the head log goes on: consistency proofs out of the ledger, leaf by leaf."""

from __future__ import annotations

from collections.abc import AsyncIterator

from roggia_auditor.errors import TreeError
from roggia_auditor.ports import HeadEntry, Ledger
from roggia_auditor.tlog import continuing, hashes
from roggia_auditor.tlog.frontier import Frontier

_PAGE = 1_000


async def consistency(ledger: Ledger, old: int, size: int) -> list[bytes]:
    """Proof that the head log's first `size` leaves begin with its first `old`, as the ledger holds them now.

    Its cost grows with what lies between, not with the log. Raises `TreeError` where the ledger does not hold them.
    """
    if old in {0, size}:
        return []
    leaves = [hashes.leaf(one.entry) async for one in entries(ledger, old, size)]
    return continuing.consistency(await edge(ledger, old), leaves)


async def edge(ledger: Ledger, size: int) -> Frontier:
    """The right edge that the head log had at `size`. Raises `TreeError` where it has never been so large."""
    if not size:
        return Frontier()
    (last,) = [one async for one in entries(ledger, size - 1, size)]
    return last.after


async def entries(ledger: Ledger, start: int, end: int) -> AsyncIterator[HeadEntry]:
    """Leaves from `start` up to, not including, `end`. Raises `TreeError` where one is missing."""
    while start < end:
        found = await ledger.head_entries(start, min(_PAGE, end - start))
        for one in found:
            if one.index != start:
                break
            yield one
            start += 1
        if not found or found[-1].index + 1 != start:
            raise TreeError(f"head log, leaf {start}: it is not in the ledger")
