"""When a run is over: every stage has committed the end of its live topic and of its lane, twice in a row."""

from __future__ import annotations

import asyncio
import time

from roggia_runtime.offsets import Offsets
from roggia_runtime.records import Partition

from tests.support.fleet import GROUPS
from tests.support.lags import live_lags
from tests.support.storm.crew import Crew

_LOOK_S = 0.2


async def settle(crew: Crew, timeout_s: float) -> None:
    """Wait for the end; fails with what is behind at the deadline, and when a process ends by itself."""
    deadline, quiet = time.monotonic() + timeout_s, 0
    async with Offsets(crew.kafka) as offsets:
        while quiet < 2:
            behind = await _behind(offsets)
            quiet = 0 if behind else quiet + 1
            assert not crew.dead(), f"{crew.dead()} died:\n{crew.tails(crew.dead())}"
            assert time.monotonic() < deadline, f"still behind after {timeout_s:g} s: {behind}\n{crew.tails()}"
            await asyncio.sleep(_LOOK_S)


async def _behind(offsets: Offsets) -> dict[Partition, int]:
    """Partitions whose group has not committed the end, and by how much."""
    found = [await live_lags(offsets, group, live) for group, live in GROUPS.items()]
    return {place: lag for lags in found for place, lag in lags.items() if lag}
