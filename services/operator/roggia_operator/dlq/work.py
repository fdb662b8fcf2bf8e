"""One redrive or drop at work: from the letters to the lane, in windows that wait until the lane's group took them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import groupby

import msgspec
from roggia_runtime.records import Partition
from roggia_schemas.events import JobStatus, JobWish

from roggia_operator.dlq import lanes
from roggia_operator.dlq.comebacks import Comebacks
from roggia_operator.dlq.entries import Chosen, Entry, choose
from roggia_operator.dlq.jobs import Outcome, Task
from roggia_operator.dlq.ledger import Closing, Fate, Ledger
from roggia_operator.dlq.letters import Letter, Place
from roggia_operator.dlq.overtaking import Overtaking
from roggia_operator.dlq.parts import Parts
from roggia_operator.dlq.selection import DLQ
from roggia_operator.dlq.sending import redriven
from roggia_operator.dlq.windows import Windows, records_of
from roggia_operator.jobs.running import JobCancelledError, Running
from roggia_operator.metrics import CLOSED_LETTERS

LANE = ".replay"


class Work:
    """Runs one job once. Another run, whatever ended the first, goes on where the saved state and the lanes say."""

    def __init__(self, parts: Parts, job: Running, task: Task, ledger: Ledger) -> None:
        self._parts, self._job, self._task, self._ledger = parts, job, task, ledger
        self._closing = Closing(msgspec.json.decode(job.outcome, type=Outcome).closed)
        self._windows = Windows(task.stop_after + 1)
        self._lanes = lanes.Lanes(parts.log)
        self._saved = time.monotonic()

    async def run(self) -> str:
        """The whole job; what came of it, in one line. Raises `JobError`, and what Kafka raises."""
        await self._begin()
        chosen = await choose(self._parts.log, self._parts.codec, self._task, self._ledger, self._closing)
        for one in chosen.duplicates:
            self._close(Fate.DUPLICATE, one)
        await (self._drop(chosen) if self._task.action == "drop" else self._redrive(chosen))
        self._note()
        return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in self._job.counts.items()) or "nothing to do"

    async def _begin(self) -> None:
        """Note where lanes and DLQs end before anything is sent: what this job puts there lies behind."""
        if not self._job.positions:
            known = await self._parts.log.partitions()
            watched = [part for name, parts in known.items() if name.endswith((DLQ, LANE)) for part in parts]
            bounds = await self._parts.log.bounds(watched)
            self._job.positions = {f"{part.topic}/{part.number}": at.end for part, at in bounds.items()}
        await self._job.save(JobStatus.RUNNING)

    async def _drop(self, chosen: Chosen) -> None:
        await self._allowed()
        for one in [entry.letter for entry in chosen.entries] + [x for those in chosen.refused.values() for x in those]:
            self._close(Fate.DROPPED, one)

    async def _redrive(self, chosen: Chosen) -> None:
        self._job.counts |= {"refused": refused} if (refused := sum(map(len, chosen.refused.values()))) else {}
        await lanes.check(self._parts.log, chosen.entries)
        back = Comebacks(self._parts.log, self._job.job_id, self._starts(), self._task.stop_after)
        sent = await lanes.sent_before(self._parts.log, self._job.job_id, chosen.entries, self._starts())
        try:
            for partition, group in groupby(chosen.entries, key=lambda entry: entry.partition):
                entries = list(group)
                live = Overtaking(self._parts.log, self._parts.codec, partition, entries)
                for window in self._windows.cut(entries):
                    await self._allowed()
                    await self._send(await self._judged(window, live, sent))
                    await self._taken(len(window), back)
        finally:
            self._job.counts |= {"came_back": total} if (total := back.causes.total()) else {}
            self._note()

    async def _judged(self, window: Sequence[Entry], live: Overtaking, sent: set[Place]) -> list[Entry]:
        """The entries to send; the others of the window are closed."""
        await live.advance()
        going: list[Entry] = []
        for entry in window:
            if entry.origin in sent:
                self._close(Fate.REDRIVEN, entry.letter)
            elif live.why(entry):
                self._close(Fate.OVERTAKEN, entry.letter)
            else:
                going.append(entry)
        return going

    async def _send(self, going: Sequence[Entry]) -> None:
        """Send, and close what was acknowledged."""
        records = await records_of(self._parts.log, going)
        ready = [entry for entry in going if entry.letter.place in records]
        if len(ready) < len(going):
            self._job.count(expired=len(going) - len(ready))
        outputs = [redriven(records[entry.letter.place], entry, self._job.job_id) for entry in ready]
        self._lanes.sent(ready, await self._parts.sending.send_all(outputs))
        for entry in ready:
            self._close(Fate.REDRIVEN, entry.letter)
        if time.monotonic() - self._saved >= self._parts.save_s:  # what it misses after a kill, the lanes tell
            self._note()
            await self._job.save(JobStatus.RUNNING)
            self._saved = time.monotonic()

    async def _taken(self, letters: int, back: Comebacks) -> None:
        """Wait until the groups took what was sent, and no longer exceed the rate; look who came back."""
        rate = self._job.rates.get("records", 0.0)
        until = time.monotonic() + (letters / rate if rate > 0 else 0.0)
        while behind := await self._lanes.behind() or time.monotonic() < until:
            await back.look()
            await self._allowed()
            if isinstance(behind, str):
                await self._job.saved(JobStatus.THROTTLED, f"waiting for {behind}; lanes come after live traffic")
            await self._job.wait(self._parts.look_s)
        await back.look()

    async def _allowed(self) -> None:
        """Wait while the job is paused. Raises `JobCancelledError`."""
        while self._job.wish is not JobWish.RUN:
            if self._job.wish is JobWish.CANCEL:
                raise JobCancelledError(self._job.job_id)
            await self._job.saved(JobStatus.PAUSED, "paused by an operator")
            await self._job.wait(self._parts.look_s)

    def _starts(self) -> dict[Partition, int]:
        split = ((name.rpartition("/"), offset) for name, offset in self._job.positions.items())
        return {Partition(topic, int(number)): offset for (topic, _, number), offset in split}

    def _close(self, fate: Fate, one: Letter) -> None:
        self._closing.add(fate, one.place)
        CLOSED_LETTERS.labels(fate.value).inc()

    def _note(self) -> None:
        self._job.outcome = msgspec.json.encode(Outcome(closed=self._closing.packed())).decode()
        self._job.counts.update(self._closing.counts())
