"""doc.changed → doc.chunked: the verdicts of ingest."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace
from roggia_runtime.errors import UnavailableError
from roggia_runtime.records import DeadLetter, Done, Drop, Output, Partition, Record, Verdict
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocChanged, DocChunked, Operation

from roggia_ingest import changes, events, metrics
from roggia_ingest.admission import Admission
from roggia_ingest.catalogue import DocKey, DocState, Ledger, judge, statement
from roggia_ingest.catalogue.progress import Progress
from roggia_ingest.chunk import Chunker
from roggia_ingest.errors import FullError, InvalidChangeError, OversizeError, RefusedError
from roggia_ingest.ports import Catalogue, ContentSource, EventCodec, Preparer
from roggia_ingest.prepare import Job
from roggia_ingest.room import Room, Rooms

T = TypeVar("T")
_TRIES = 5
"""Times that a batch is judged again because others took the room that was seen; then the loop waits a moment."""
REFERENCED_AT_ONCE = 4
"""Contents fetched by reference that are in memory at a time: a batch of small events may name gigabytes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes above which an event is refused, bytes."""

    event_bytes: int
    content_bytes: int


@dataclass(frozen=True, slots=True)
class _Change:
    """A record that passed every rule. `event` None is a Kafka null; `digest` is what the event says as published."""

    record: Record
    key: DocKey
    event: DocChanged | None
    digest: str = ""


class IngestHandler:
    """The runtime's `Handler` for doc.changed. The loop calls it with batches of one partition (transactional mode).

    Documents are worked on side by side, the records of one document in their order; all those of a tenant that is near
    its limit in theirs (see `room`). The catalogue is written once, after the last record is judged: a batch that fails
    half-way leaves nothing behind.
    """

    def __init__(
        self,
        *,
        topic: str,
        codec: EventCodec,
        catalogue: Catalogue,
        content: ContentSource,
        preparer: Preparer,
        chunker: Chunker,
        limits: Limits,
        admission: Admission | None = None,
    ) -> None:
        self._admission = admission or Admission()
        self._rooms = Rooms(self._admission.tenants, catalogue)
        self._topic = topic
        self._codec = codec
        self._catalogue = catalogue
        self._content = content
        self._preparer = preparer
        self._chunker = chunker
        self._limits = limits
        self._progress = Progress()
        self._referenced = asyncio.Semaphore(REFERENCED_AT_ONCE)

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Judge a batch. Raises `UnavailableError` when catalogue, registry or a content server does not answer."""
        read = [await self._read(record) for record in batch]
        for _ in range(_TRIES):
            try:
                return await self._judged(batch, read)
            except FullError as error:
                self._rooms.full(error.tenants)
        return await self._judged(batch, read)

    async def _judged(self, batch: Sequence[Record], read: Sequence[_Change | Verdict]) -> list[Verdict]:
        passed = [(position, one) for position, one in enumerate(read) if isinstance(one, _Change)]
        verdicts = {position: one for position, one in enumerate(read) if not isinstance(one, _Change)}
        keys = dict.fromkeys(change.key for _, change in passed)
        ledger = await self._ledger(batch, list(keys))
        room = await self._rooms.room(ledger, Counter(key.tenant_id for key in keys))
        work: dict[DocKey | str, list[tuple[int, _Change]]] = {}
        for position, change in passed:
            crowded = room.crowded(change.key.tenant_id)
            work.setdefault(change.key.tenant_id if crowded else change.key, []).append((position, change))
        for judged in await _all([self._in_order(ledger, room, part) for part in work.values()]):
            verdicts |= judged
        await self._catalogue.save(ledger.changes(), limits=room.owed())
        return [verdicts[position] for position in range(len(batch))]

    def assigned(self, committed: Mapping[Partition, int]) -> None:
        """Positions from which records will come: what the catalogue holds of those was never committed."""
        self._progress.restart(committed)

    async def _ledger(self, batch: Sequence[Record], keys: Sequence[DocKey]) -> Ledger:
        source = Partition(batch[0].topic, batch[0].partition)
        span = self._progress.span(source, batch[0].offset, batch[-1].offset + 1)
        return Ledger(await self._catalogue.load(keys), span)

    async def _read(self, record: Record) -> _Change | DeadLetter | Drop:
        try:
            key = changes.document_of(record.key)
            if record.value is None:
                return _Change(record, key, None)
            self._check_size("value", len(record.value))
            event = await self._codec.decode(DocChanged, record)
            changes.check(event, key, self._limits.content_bytes)
            admitted = await self._admission.admit(event)
        except SchemasError as error:
            return DeadLetter("schema", str(error), getattr(error, "field", ""))
        except RefusedError as error:
            return _refused(error)
        return admitted if isinstance(admitted, Drop) else _Change(record, key, admitted, statement.digest(event))

    async def _in_order(self, ledger: Ledger, room: Room, work: Sequence[tuple[int, _Change]]) -> dict[int, Verdict]:
        return {position: await self._verdict(ledger, room, change) for position, change in work}

    async def _verdict(self, ledger: Ledger, room: Room, change: _Change) -> Verdict:
        if judge.in_lane(change.record) and ledger.is_ahead(change.record):
            return Drop(judge.AHEAD)
        settled = ledger.state(change.key, change.record)
        if settled is not None and _contradicts(change, settled):
            return _contradiction(settled)
        if settled is not None and _shown_again(change, settled):
            return await self._again(ledger, change, settled)
        if judge.aside(change.record):
            return Drop(judge.ASIDE)
        if change.event is None:
            return self._nulled(ledger, change, settled)
        state = judge.changed(settled, change.event, change.record, change.digest)
        if state is None:
            return Drop(judge.unneeded(settled, change.event, change.digest))
        try:
            room.take(change.key, state)
            output = await self._output(change, change.event, state)
        except RefusedError as error:
            return _refused(error)
        ledger.write(change.key, state)
        return Done((output,))

    async def _again(self, ledger: Ledger, change: _Change, settled: DocState) -> Verdict:
        """A lane's record of the newest revision: the same bytes again, or a new epoch."""
        state = judge.again(settled, change.event, change.record, change.digest)
        if isinstance(state, str):
            return Drop(state)
        try:
            output = await self._shown(change, state)
        except RefusedError as error:
            return _refused(error)
        if state is not settled:
            ledger.write(change.key, state)
        metrics.REPLAYED.labels("renew" if state is not settled else "same").inc()
        return Done((output,))

    async def _shown(self, change: _Change, state: DocState) -> Output:
        if not state.deleted and change.event is not None:
            event = replace(change.event, event_id=state.event_id)
            return self._encode(change, await self._chunked(change.key, event, state))
        known = judge.moment(change.record) if change.event is None else change.event.occurred_at
        occurred_at = known if state.ended_at is None else state.ended_at
        return self._encode(change, events.deletion(change.key, state, occurred_at))

    def _nulled(self, ledger: Ledger, change: _Change, settled: DocState | None) -> Verdict:
        state = judge.nulled(settled, change.record)
        if isinstance(state, str):
            return Drop(state)
        ledger.write(change.key, state)
        metrics.DELETIONS.labels("null").inc()
        return Done((self._encode(change, events.deletion(change.key, state, judge.moment(change.record))),))

    async def _output(self, change: _Change, event: DocChanged, state: DocState) -> Output:
        if event.operation is Operation.DELETE:
            metrics.DELETIONS.labels("delete").inc()
            return self._encode(change, events.deletion(change.key, state, event.occurred_at))
        return self._encode(change, await self._chunked(change.key, event, state))

    async def _chunked(self, key: DocKey, event: DocChanged, state: DocState) -> DocChunked:
        if event.content_ref is None:
            return await self._chunks(key, event, state, event.content or b"")
        async with self._referenced:
            return await self._chunks(key, event, state, await self._content.fetch(event.content_ref))

    async def _chunks(self, key: DocKey, event: DocChanged, state: DocState, content: bytes) -> DocChunked:
        kind = changes.media_type(event.content_type)
        with metrics.PREPARE.labels(kind.name).time():
            prepared = await self._preparer.prepare(Job(content, kind.name, kind.charset, event.language, event.title))
        chunk_set = events.chunked(key, event, state, prepared, self._chunker)
        _count(chunk_set, kind.name, len(content))
        return chunk_set

    def _encode(self, change: _Change, event: DocChunked) -> Output:
        topic = topics.replay(self._topic) if judge.aside(change.record) else self._topic
        output = self._codec.output(topic, event, parent_headers=change.record.headers)
        size = len(output.value or b"")
        metrics.EVENT_BYTES.observe(size)
        self._check_size("chunks", size)
        return output

    def _check_size(self, field: str, size: int) -> None:
        if size > self._limits.event_bytes:
            limit = self._limits.event_bytes
            raise OversizeError(field, f"{size} bytes are more than max_event_bytes ({limit}); split the document")


def _shown_again(change: _Change, settled: DocState) -> bool:
    """Whether a lane's record is of the newest revision. A lane's null is of none: it can show a deletion again."""
    if not judge.in_lane(change.record):
        return False
    return change.event.revision == settled.revision if change.event is not None else settled.deleted


def _contradicts(change: _Change, settled: DocState) -> bool:
    return change.event is not None and judge.contradicts(settled, change.event, change.digest)


def _contradiction(settled: DocState) -> DeadLetter:
    error = InvalidChangeError(
        "revision",
        f"{settled.revision} was published before and said something else (event {settled.event_id}), which holds; "
        "publish this under a higher revision",
    )
    return _refused(error)


def _refused(error: RefusedError) -> DeadLetter:
    return DeadLetter(error.kind, str(error), error.field, error.is_fault)


async def _all(work: Sequence[Awaitable[T]]) -> list[T]:
    """Every result, once all are there; else one of the errors: a bug rather than something unavailable."""
    results = await asyncio.gather(*work, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, UnavailableError))
    return [result for result in results if not isinstance(result, BaseException)]


def _count(event: DocChunked, media_type: str, content_bytes: int) -> None:
    metrics.DOCUMENTS.labels(media_type).inc()
    metrics.CONTENT_BYTES.labels(media_type).inc(content_bytes)
    metrics.CHUNKS.inc(len(event.chunks))
    metrics.TOKENS.inc(event.total_tokens)
