"""The protocol that writes document versions to the index: any order, any number of times, any crash, same result.

Every document has a vectorless head that names its current version. For each delivery:

1. write the head (guarded: only over a lower version) and read it back; if it is newer than mine, mine is stale;
2. narrow: passages still at older versions lose the groups that the new version does not admit;
3. upsert passages that are not there, bump those that stay (guarded, passage by passage);
4. list the document: when the version's passages are all there, delete what is older, then mark the head indexed;
5. read the head again: if somebody newer came in between, finish *their* clean-up, so that nothing of mine stays.

Whoever finds a head complete may delete what is older than it: that needs no knowledge of the writer that wrote it.
New passages are there before old ones go, so a version that never completes leaves the document searchable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from roggia_schemas.names import Version

from roggia_embedder import metrics
from roggia_embedder.errors import StoreUnavailableError
from roggia_embedder.ports import (
    Attributes,
    Document,
    Head,
    PartNote,
    PartTally,
    Passage,
    PointState,
    VectorStore,
)

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Delivery:
    """One part of one document version, for one collection. A deletion has no passages and `total` 0.

    `acl` admits the whole version (also passages of other parts); `digest` is equal in every part of a version.
    """

    document: Document
    version: Version
    deleted: bool
    total: int
    digest: str
    acl: tuple[str, ...]
    part: int
    tally: PartTally
    passages: tuple[Passage, ...]
    rewrite: bool = False
    """Write every passage anew, also those that stay: what the index holds of them may be wrong."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The version is searchable (or gone), all of it; older passages are deleted. The same on every redelivery.

    `removed` counts points that the document had when the version arrived and has no more.
    """

    chunks: int
    added: int
    kept: int
    removed: int
    embedded: int
    cached: int
    indexed_at: int


@dataclass(frozen=True, slots=True)
class Incomplete:
    """This part is written; others are still to come."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The index holds a newer version; nothing of this one remains once that is complete."""

    newer: Version


@dataclass(frozen=True, slots=True)
class Conflict:
    """The index holds other content under the very same version; nothing was written."""


Outcome = Complete | Incomplete | Stale | Conflict


class IndexWriter:
    """Writes deliveries to one store. `clock` gives milliseconds, UTC. Several writers may work at once."""

    def __init__(self, store: VectorStore, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    async def write(self, collection: str, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Write a batch, in order per document; one outcome per delivery. Store calls are shared by the batch."""
        outcomes: dict[int, Outcome] = {}
        for rounds in _rounds(deliveries):
            results = await _Round(self._store, self._clock, collection, [deliveries[i] for i in rounds]).run()
            outcomes.update(zip(rounds, results, strict=True))
        return [outcomes[i] for i in range(len(deliveries))]


def _rounds(deliveries: Sequence[Delivery]) -> Iterable[list[int]]:
    """Indices grouped so that no round has a document twice and each document keeps its order."""
    rounds: list[list[int]] = []
    seen: dict[Document, int] = defaultdict(int)
    for index, delivery in enumerate(deliveries):
        turn = seen[delivery.document]
        seen[delivery.document] += 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(index)
    return rounds


class _Round:
    """One pass of the protocol over deliveries of distinct documents."""

    def __init__(
        self, store: VectorStore, clock: Callable[[], int], collection: str, deliveries: Sequence[Delivery]
    ) -> None:
        self._store = store
        self._clock = clock
        self._collection = collection
        self._order = [delivery.document for delivery in deliveries]
        self._active = {delivery.document: delivery for delivery in deliveries}
        self._outcomes: dict[Document, Outcome] = {}
        self._overtaken: dict[Document, Head] = {}

    async def run(self) -> list[Outcome]:
        """Every step in order; deliveries leave `active` as soon as their outcome is known."""
        heads = await self._heads()
        await self._answer_replays(heads)
        states = await self._list([document for document in self._active if document in heads])
        await self._write_heads(heads, states)
        heads = await self._heads()
        self._judge(heads)
        await self._note_parts(heads)
        await self._narrow(states)
        await self._write_passages(states)
        await self._settle_overtaken()
        return [self._outcomes[document] for document in self._order]

    async def _heads(self) -> dict[Document, Head]:
        if not self._active:
            return {}
        return await self._store.read_heads(self._collection, list(self._active))

    async def _list(self, documents: Sequence[Document]) -> dict[Document, dict[str, PointState]]:
        found: dict[Document, dict[str, PointState]] = defaultdict(dict)
        if documents:
            for state in await self._store.list_points(self._collection, documents):
                found[state.document][state.chunk_id] = state
        return found

    def _judge(self, heads: Mapping[Document, Head], replays: dict[Document, Head] | None = None) -> None:
        for document, delivery in list(self._active.items()):
            head = heads.get(document)
            if head is None or head.version < delivery.version:
                continue
            if head.version > delivery.version:
                self._overtaken[document] = head
                self._finish(document, Stale(head.version))
            elif head.digest != delivery.digest:
                self._finish(document, Conflict())
            elif replays is not None and head.indexed_at is not None:
                replays[document] = head

    async def _answer_replays(self, heads: Mapping[Document, Head]) -> None:
        """A version that is indexed already is counted again, and nothing is written."""
        replays: dict[Document, Head] = {}
        self._judge(heads, replays)
        states = await self._list(list(replays))
        for document, head in replays.items():
            self._finish(document, _complete(head, states.get(document, {}), head.indexed_at or 0))

    def _finish(self, document: Document, outcome: Outcome) -> None:
        self._outcomes[document] = outcome
        del self._active[document]

    async def _write_heads(
        self, heads: Mapping[Document, Head], states: Mapping[Document, Mapping[str, PointState]]
    ) -> None:
        now = self._clock()
        new = [
            _head(delivery, before=len(states.get(document, {})), now=now)
            for document, delivery in self._active.items()
            if document not in heads or heads[document].version < delivery.version
        ]
        if new:
            await self._store.write_heads(self._collection, new)
            metrics.WRITTEN.labels("head").inc(len(new))

    async def _note_parts(self, heads: Mapping[Document, Head]) -> None:
        notes = [
            PartNote(document, delivery.version, delivery.part, delivery.tally)
            for document, delivery in self._active.items()
            if delivery.part not in heads[document].tallies
        ]
        if notes:
            await self._store.note_parts(self._collection, notes)

    async def _narrow(self, states: Mapping[Document, Mapping[str, PointState]]) -> None:
        narrowed: dict[tuple[str, ...], dict[str, Version]] = defaultdict(dict)
        for document, delivery in self._active.items():
            for state in states.get(document, {}).values():
                acl = intersect(state.acl, delivery.acl)
                if state.version < delivery.version and acl != state.acl:
                    narrowed[acl][state.chunk_id] = delivery.version
        for acl, points in narrowed.items():
            await self._store.narrow(self._collection, acl, points)

    async def _write_passages(self, states: Mapping[Document, Mapping[str, PointState]]) -> None:
        for _ in range(_ATTEMPTS):
            upserts, bumps = self._missing(states)
            if upserts:
                await self._store.upsert(self._collection, upserts)
                metrics.WRITTEN.labels("upsert").inc(len(upserts))
            if bumps:
                await self._store.bump(self._collection, bumps)
                metrics.WRITTEN.labels("bump").inc(len(bumps))
            states = await self._list(list(self._active))
            heads = await self._heads()
            self._judge(heads)
            await self._settle(heads, states)
            if not self._active:
                return
        raise StoreUnavailableError(f"{self._collection}: points that were written are not there yet")

    def _missing(self, states: Mapping[Document, Mapping[str, PointState]]) -> tuple[list[Passage], list[Attributes]]:
        upserts: list[Passage] = []
        bumps: list[Attributes] = []
        for document, delivery in self._active.items():
            there = states.get(document, {})
            for passage in delivery.passages:
                state = there.get(passage.attributes.chunk_id)
                if state is None or (state.version < delivery.version and _must_replace(delivery, state, passage)):
                    upserts.append(passage)
                elif state.version < delivery.version:
                    bumps.append(passage.attributes)
        return upserts, bumps

    async def _settle(
        self, heads: Mapping[Document, Head], states: Mapping[Document, Mapping[str, PointState]]
    ) -> None:
        """Finish what is complete; leave in `active` what has passages missing from its own part."""
        complete: dict[Document, Head] = {}
        for document, delivery in list(self._active.items()):
            there = states.get(document, {})
            if is_complete(heads[document], there.values()):
                complete[document] = heads[document]
            elif all(_reached(there.get(p.attributes.chunk_id), delivery.version) for p in delivery.passages):
                self._finish(document, Incomplete())
        await self._delete_older(complete, states)
        now = self._clock()
        fresh = {document: head.version for document, head in complete.items() if head.indexed_at is None}
        if fresh:
            await self._store.mark_indexed(self._collection, fresh, now)
        for document, head in complete.items():
            self._finish(document, _complete(head, states.get(document, {}), head.indexed_at or now))

    async def _delete_older(
        self, heads: Mapping[Document, Head], states: Mapping[Document, Mapping[str, PointState]]
    ) -> None:
        cutoffs = {
            document: head.version
            for document, head in heads.items()
            if any(state.version < head.version for state in states.get(document, {}).values())
        }
        if cutoffs:
            await self._store.delete_older(self._collection, cutoffs)

    async def _settle_overtaken(self) -> None:
        """A stale delivery may have left passages behind (this time, or before a crash): finish the newer version."""
        if not self._overtaken:
            return
        states = await self._list(list(self._overtaken))
        heads = {
            document: head
            for document, head in self._overtaken.items()
            if is_complete(head, states.get(document, {}).values())
        }
        await self._delete_older(heads, states)


def is_complete(head: Head, states: Iterable[PointState]) -> bool:
    """Every passage of the head's version is there."""
    return sum(state.version == head.version for state in states) == head.total


def intersect(held: tuple[str, ...], admitted: tuple[str, ...]) -> tuple[str, ...]:
    """Groups that both admit; `*` admits every group. The order of `held` is kept where nothing changes."""
    if "*" in admitted:
        return held
    if "*" in held:
        return tuple(sorted(set(admitted)))
    return tuple(group for group in held if group in admitted)


def _must_replace(delivery: Delivery, state: PointState, passage: Passage) -> bool:
    """A bump keeps text and vectors; words are stemmed by language."""
    return delivery.rewrite or state.language != passage.attributes.language


def _reached(state: PointState | None, version: Version) -> bool:
    return state is not None and state.version >= version


def _head(delivery: Delivery, before: int, now: int) -> Head:
    return Head(
        document=delivery.document,
        version=delivery.version,
        deleted=delivery.deleted,
        total=delivery.total,
        digest=delivery.digest,
        before=before,
        written_at=now,
        tallies={delivery.part: delivery.tally},
    )


def _complete(head: Head, states: Mapping[str, PointState], indexed_at: int) -> Complete:
    current = [state for state in states.values() if state.version == head.version]
    kept = sum(state.since < head.version for state in current)
    return Complete(
        chunks=head.total,
        added=len(current) - kept,
        kept=kept,
        removed=max(0, head.before - kept),
        embedded=sum(tally.embedded for tally in head.tallies.values()),
        cached=sum(tally.cached for tally in head.tallies.values()),
        indexed_at=indexed_at,
    )
