"""The two sides of every job, as the compacted topic tells them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from msgspec import structs
from roggia_runtime.codec import EventCodec, job_key
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import JobSide, JobStatus, JobWish, OpsJob

from roggia_operator.jobs.specs import same

ENDED = frozenset({JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED})
PARTITION = Partition(topics.OPS_JOB, 0)


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `state` is None until a runner has taken it; `wanted` is None for a state without its wish (a bug)."""

    job_id: str
    wanted: OpsJob | None = None
    state: OpsJob | None = None
    refused: bool = False
    """Whether the newest WANTED holds another specification than the first. The first one stands: `wanted` has it."""

    @property
    def status(self) -> JobStatus:
        """How it stands; WAITING before a runner took it."""
        return self.state.status if self.state else JobStatus.WAITING

    @property
    def ended(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.status in ENDED

    @property
    def reach(self) -> tuple[int, int]:
        """Offsets that are done, and all of them; both 0 before it began."""
        if self.state is None:
            return 0, 0
        left = sum(max(0, end - self.state.positions.get(name, end)) for name, end in self.state.ends.items())
        whole = max(left, self.state.counts.get("offsets", left))
        return whole - left, whole

    @property
    def wish(self) -> JobWish:
        """What operators want of it now."""
        return self.wanted.wish if self.wanted else JobWish.CANCEL


class JobTable:
    """Every job by id, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def get(self, job_id: str) -> Job | None:
        """One job, or None."""
        return self._jobs.get(job_id)

    def put(self, event: OpsJob) -> Job:
        """Take in one side of a job; the job as it is now. A changed specification is left out, a cancel stands."""
        job = self._jobs.get(event.job_id, Job(event.job_id))
        job = _asked(job, event) if event.side is JobSide.WANTED else replace(job, state=event)
        self._jobs[event.job_id] = job
        return job

    async def take(self, record: Record, codec: EventCodec) -> Job | None:
        """Take in a record; None for a null or a record that is no job.

        One whose key names another job or side is none: compaction would keep it in the place of that one, and no
        state could be written for an id that is no name.
        """
        if record.value is None:
            self._jobs.pop((record.key or b"").decode(errors="replace").partition("/")[0], None)
            return None
        try:
            event = await codec.decode(OpsJob, record)
            return self.put(event) if record.key == job_key(event.job_id, event.side) else None
        except SchemasError:
            return None


def _asked(job: Job, event: OpsJob) -> Job:
    first = job.wanted
    if first is not None and first.wish is JobWish.CANCEL:  # whoever changed the rest had not seen it yet
        event = structs.replace(event, wish=JobWish.CANCEL)
    if first is None or same(first, event):
        return replace(job, wanted=event, refused=False)
    return replace(job, wanted=structs.replace(event, kind=first.kind, spec=first.spec), refused=True)


async def read(settings: KafkaSettings, codec: EventCodec) -> tuple[JobTable, int]:
    """The jobs as the topic tells them now, and the offset to go on at. Raises `UnavailableError`, `AdminError`."""
    table = JobTable()
    async with RangeReader(settings) as reader:
        return table, await catch_up(table, reader, codec, 0)


async def catch_up(
    table: JobTable, reader: RangeReader, codec: EventCodec, offset: int, until: int | None = None
) -> int:
    """Take in what the topic holds from `offset` on, before `until`; the offset to go on at. Raises as `read` does."""
    span = (await reader.spans([PARTITION]))[PARTITION]
    end = span.end if until is None else min(until, span.end)
    async for piece in reader.read({PARTITION: Span(max(offset, span.first), end)}):
        for record in piece.records:
            await table.take(record, codec)
    return end
