"""doc.chunked → doc.embedded: the verdicts of the embed role."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from roggia_runtime import replay
from roggia_runtime.records import DeadLetter, Done, Drop, Record, Verdict
from roggia_runtime.tenancy import EVERYBODY_STAYS, OFFBOARDED, Tenants
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocChunked
from roggia_schemas.names import Version, check_moment, parse_document_key

from roggia_embedder import metrics
from roggia_embedder.embedding.parts import Target, embedded
from roggia_embedder.embedding.vectors import Supplied, VectorSupply, Wanted
from roggia_embedder.errors import ChunkTooLongError
from roggia_embedder.generations.selecting import UNSELECTED, none_of, selected
from roggia_embedder.ports.codec import EventCodec

SPECIAL_TOKENS = 2
"""What a BERT tokenizer adds to a text: [CLS] and [SEP]; a chunker does not count them."""


class EmbedHandler:
    """The runtime's `Handler` for doc.chunked. Encodes the missing texts of a whole batch at once.

    A Kafka null says that compaction may forget a deletion that every generation has passed: nothing to do. What comes
    from the replay lane is answered on the replay lane of `topic`; an older version than the newest embedded so far is
    dropped there before it costs anything, unless it goes to another collection.

    `selection` names the knowledge bases of the generation (empty: all). Of other documents nothing is embedded and
    nothing written; one that has moved out of the selection is a deletion here.
    """

    def __init__(  # keyword-only: what the stage is made of
        self,
        *,
        topic: str,
        codec: EventCodec,
        supply: VectorSupply,
        target: Target,
        window: int,
        tenants: Tenants = EVERYBODY_STAYS,
        selection: Sequence[str] = (),
    ) -> None:
        self._tenants = tenants
        self._selection = tuple(selection)
        self._topic = topic
        self._codec = codec
        self._supply = supply
        self._target = target
        self._window = window

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Judge a batch. Raises `UnavailableError` when model, cache or registry does not answer."""
        read = await self._without_stale(batch, [await self._read(record) for record in batch])
        events = [(record, item) for record, item in zip(batch, read, strict=True) if isinstance(item, DocChunked)]
        answers = iter(await self._supply.supply([_wanted(record, event) for record, event in events]))
        return [
            self._verdict(record, item, next(answers)) if isinstance(item, DocChunked) else item
            for record, item in zip(batch, read, strict=True)
        ]

    async def _without_stale(
        self, batch: Sequence[Record], read: Sequence[DocChunked | Verdict]
    ) -> list[DocChunked | Verdict]:
        pairs = list(zip(batch, read, strict=True))
        asked = {
            (item.tenant_id, item.doc_id)
            for record, item in pairs
            if isinstance(item, DocChunked) and _looked_up(record)
        }
        newest = await self._supply.newest(asked) if asked else {}
        return [Drop("stale") if _is_stale(record, item, newest) else item for record, item in pairs]

    async def _read(self, record: Record) -> DocChunked | Verdict:
        if record.value is None:
            return Drop("tombstone")
        if none_of(self._selection, record.key):
            return Drop(UNSELECTED)
        try:
            event = await self._codec.decode(DocChunked, record)
            tenant_id, doc_id = parse_document_key(record.key)
            check_moment("occurred_at", event.occurred_at)
        except SchemasError as error:
            return DeadLetter("schema", str(error), getattr(error, "field", ""))
        if (tenant_id, doc_id) != (event.tenant_id, event.doc_id):
            return DeadLetter("invalid", f"key: names {tenant_id}/{doc_id}, the event another document", "key")
        if self._tenants.gone(tenant_id) or (self._tenants.leaving(tenant_id) and not event.deleted):
            return Drop(OFFBOARDED)
        part = selected(self._selection, event)
        return Drop(UNSELECTED) if part is None else self._check(part) or part

    def _check(self, event: DocChunked) -> DeadLetter | None:
        if event.max_chunk_tokens + SPECIAL_TOKENS > self._window:
            return DeadLetter(
                "policy",
                f"max_chunk_tokens: {event.max_chunk_tokens} with {SPECIAL_TOKENS} special tokens exceeds the window "
                f"of {self._window} tokens of {self._target.model}; use a model with a larger window or smaller chunks",
                "max_chunk_tokens",
            )
        if event.deleted and event.chunks:
            return DeadLetter("invalid", f"chunks: {len(event.chunks)} in a deletion; send none", "chunks")
        for chunk in event.chunks:
            if hashlib.sha256(chunk.text.encode()).hexdigest() != chunk.text_sha256:
                return DeadLetter(
                    "invalid", f"chunks.text_sha256: chunk {chunk.ordinal} has another text", "chunks.text_sha256"
                )
        return None

    def _verdict(self, record: Record, event: DocChunked, answer: Supplied | ChunkTooLongError) -> Verdict:
        if isinstance(answer, ChunkTooLongError):
            return DeadLetter("oversize", f"chunks.text: {answer}; nothing was cut", "chunks.text")
        metrics.EMBEDDED.inc(len(answer.computed))
        metrics.CACHED.inc(len(answer.vectors) - len(answer.computed))
        parts = embedded(event, answer, self._target)
        topic = topics.replay(self._topic) if _in_lane(record) else self._topic
        return Done([self._codec.output(topic, part, parent_headers=record.headers) for part in parts])


def _wanted(record: Record, event: DocChunked) -> Wanted:
    texts = {chunk.text_sha256: chunk.text for chunk in event.chunks}
    version = Version(event.revision, event.epoch)
    return Wanted(event.tenant_id, event.doc_id, version, texts, replayed=_in_lane(record))


def _in_lane(record: Record) -> bool:
    return topics.base(record.topic) != record.topic


def _looked_up(record: Record) -> bool:
    """Whether a record may be dropped: a live one comes in its order, and another collection may lack what is newer."""
    return _in_lane(record) and not replay.header(record.headers, replay.COLLECTION)


def _is_stale(record: Record, item: DocChunked | Verdict, newest: Mapping[tuple[str, str], Version]) -> bool:
    if not isinstance(item, DocChunked) or not _looked_up(record):
        return False
    version = Version(item.revision, item.epoch)
    return newest.get((item.tenant_id, item.doc_id), version) > version
