"""The gate that a job passes before it sends: wishes first, then live, then the job's own rates."""

from __future__ import annotations

import time
from collections.abc import Callable

from roggia_schemas.events import JobStatus, JobWish

from roggia_operator.jobs.running import JobCancelledError, Running
from roggia_operator.metrics import REPLAY_THROTTLED
from roggia_operator.replay.buckets import Bucket
from roggia_operator.replay.matching import Cost
from roggia_operator.replay.pressure import Pressure
from roggia_operator.replay.throttle import Ruling

LOOK_S = 0.2
"""Longest wait before what is wanted and the pressure are looked at again, seconds."""
NAMES = ("records", "bytes", "tokens")
_MEMORY_S = 5.0
_HELD_BY = {JobStatus.THROTTLED: "live", JobStatus.RUNNING: "limits"}


class Gate:
    """One job's gate. `clock` is monotonic, in seconds."""

    def __init__(self, job: Running, pressure: Pressure, clock: Callable[[], float] = time.monotonic) -> None:
        self._job, self._pressure, self._clock = job, pressure, clock
        self._buckets: dict[str, Bucket] = {}
        self._least = Bucket(pressure.limits.least, clock())
        self._slow = Bucket(1.0, clock())
        self._pace = _Pace(clock())

    async def admit(self, cost: Cost) -> tuple[JobStatus, str]:
        """Wait until `cost` may be spent; how the job stands then. Raises `JobCancelledError`."""
        while True:
            wait, status, message = self.look(cost)
            if wait <= 0:
                return status, message
            await self._job.saved(status, message)
            began = self._clock()
            await self._job.wait(min(wait, LOOK_S))
            if status in _HELD_BY:
                REPLAY_THROTTLED.labels(_HELD_BY[status]).inc(self._clock() - began)

    def sent(self, cost: Cost) -> None:
        """Count what was sent."""
        now = self._clock()
        for name, bucket in self._buckets.items():
            bucket.spend(getattr(cost, name), now)
        self._least.spend(cost.records, now)
        self._slow.spend(cost.records, now)
        self._pressure.sent(cost.records)
        self._pace.add(cost.records, now, full=self._pressure.ruling().share >= 1)

    def full(self, cost: Cost) -> bool:
        """Whether `cost` is as much as should be sent at once, for an even pace under the limits that hold now."""
        ruling = self._pressure.ruling()
        records = self._pressure.limits.least if ruling.share <= 0 else self._pressure.limits.window
        if cost.records and cost.records >= min(records, self._job.rates.get("records", records) / 4):
            return True
        return any(getattr(cost, name) > self._job.rates[name] / 4 for name in NAMES if name in self._job.rates)

    def look(self, cost: Cost) -> tuple[float, JobStatus, str]:
        """Seconds to wait before looking again, 0 when `cost` may be spent, and how the job stands meanwhile.

        Raises `JobCancelledError`.
        """
        if self._job.wish is JobWish.CANCEL:
            raise JobCancelledError(self._job.job_id)
        if self._job.wish is JobWish.PAUSE:
            return LOOK_S, JobStatus.PAUSED, "paused by an operator"
        if not cost.records:
            return 0.0, JobStatus.RUNNING, ""
        now, ruling = self._clock(), self._pressure.ruling()
        status = JobStatus.THROTTLED if ruling.reason else JobStatus.RUNNING
        return max(self._own_wait(now), self._live_wait(ruling, now)), status, ruling.reason

    def _own_wait(self, now: float) -> float:
        rates = {name: self._job.rates[name] for name in NAMES if self._job.rates.get(name, 0) > 0}
        for name in self._buckets.keys() - rates.keys():
            del self._buckets[name]
        for name, rate in rates.items():
            bucket = self._buckets.setdefault(name, Bucket(rate, now))
            if bucket.rate != rate:
                bucket.set(rate, now)
        return max((bucket.wait(now) for bucket in self._buckets.values()), default=0.0)

    def _live_wait(self, ruling: Ruling, now: float) -> float:
        if ruling.blocked:
            return LOOK_S
        if ruling.share >= 1:
            return 0.0
        least = self._least.wait(now)
        if ruling.share <= 0:
            return least
        self._slow.set(max(self._pressure.limits.least, ruling.share * self._pace.rate), now)
        return min(least, self._slow.wait(now))


class _Pace:
    """Records per second of the last seconds in which nothing held the job."""

    def __init__(self, now: float) -> None:
        self.rate = 100.0
        self._began, self._records = now, 0

    def add(self, records: int, now: float, *, full: bool) -> None:
        if not full:
            self._began, self._records = now, 0
            return
        self._records += records
        if now - self._began >= _MEMORY_S:
            self.rate = self._records / (now - self._began)
            self._began, self._records = now, 0
