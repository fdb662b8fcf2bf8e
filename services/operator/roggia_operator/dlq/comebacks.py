"""Letters that a redrive sent and that are back: counted by cause, so that the rest is not sent in vain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from roggia_runtime.records import Partition

from roggia_operator.dlq.letters import Letter, Place, letter
from roggia_operator.dlq.ports import Log
from roggia_operator.dlq.selection import DLQ
from roggia_operator.errors import JobError


class StoppedError(JobError):
    """Too many letters of one cause came back. The rest was not sent."""


class Comebacks:
    """Follows every DLQ from where it ended when the job began. Read again after a crash, it counts the same."""

    def __init__(self, log: Log, job_id: str, starts: Mapping[Partition, int], limit: int) -> None:
        self._log, self._job_id, self._limit = log, job_id, limit
        self._positions = {part: offset for part, offset in starts.items() if part.topic.endswith(DLQ)}
        self._seen: set[tuple[str, Place | None]] = set()
        self._examples: dict[str, Letter] = {}
        self.causes: Counter[str] = Counter()

    async def look(self) -> None:
        """Count what came since. Raises `StoppedError` when one cause came back more often than the limit."""
        ends = await self._log.bounds(self._positions)
        for part, bounds in ends.items():
            if self._positions[part] < bounds.end:
                async for record in self._log.read(*part, self._positions[part], end=bounds.end):
                    self._count(letter(record))
                self._positions[part] = bounds.end
        self._judge()

    def _count(self, one: Letter) -> None:
        what = (one.fingerprint, one.source)
        if one.job == self._job_id and what not in self._seen:  # at least once: the same failure may be told twice
            self._seen.add(what)
            self._examples[one.fingerprint] = one
            self.causes[one.fingerprint] += 1

    def _judge(self) -> None:
        for fingerprint, count in self.causes.most_common(1):
            if count > self._limit:
                one = self._examples[fingerprint]
                raise StoppedError(
                    f"stopped: {count} letters came back with cause {fingerprint} ({one.stage}, {one.kind}), more than "
                    f"{self._limit}: {one.message} (roggia dlq show {fingerprint}); what was not sent is still open"
                )
