"""doc.embedded → the index → doc.upserted: the verdicts of the upsert role."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from roggia_runtime import ids, replay
from roggia_runtime.clock import now_ms
from roggia_runtime.records import DeadLetter, Done, Drop, Output, Record, Verdict
from roggia_runtime.tenancy import EVERYBODY_STAYS, OFFBOARDED, Tenants
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocEmbedded, DocUpserted
from roggia_schemas.names import alias_name, parse_document_key
from roggia_schemas.topics import DOC_UPSERTED

from roggia_embedder import metrics
from roggia_embedder.errors import ModelMismatchError
from roggia_embedder.indexing.checks import RefusedError, check, side_collection
from roggia_embedder.indexing.deliveries import collections, deliveries, specification
from roggia_embedder.indexing.departures import of_tenant
from roggia_embedder.indexing.writer import Complete, Conflict, Delivery, IndexWriter, Outcome, Stale
from roggia_embedder.ports import CollectionSpec, IndexBinding, IndexCatalogue, VectorStore
from roggia_embedder.ports.codec import EventCodec

STAGE = "upsert"


@dataclass(frozen=True, slots=True)
class _Work:
    """One event that passed every check."""

    record: Record
    event: DocEmbedded
    spec: CollectionSpec
    suffix: str = ""
    """Of the side collection that it goes to; empty: it goes where readers look."""


class UpsertHandler:
    """The runtime's `Handler` for doc.embedded of one generation.

    A batch is written collection by collection, with few store calls; documents keep the order of their records. A
    version that is indexed already is answered with the same `doc.upserted` again (the first may not have reached
    the brokers), and nothing is written. A record that asks to be renewed has every passage written anew.

    `serves` says whether the generation serves a tenant's domain now, so that it takes an alias that nobody has; `made`
    is told of every collection that is met for the first time.
    """

    def __init__(
        self,
        *,
        codec: EventCodec,
        store: VectorStore,
        catalogue: IndexCatalogue,
        generation: int,
        clock: Callable[[], int] = now_ms,
        tenants: Tenants = EVERYBODY_STAYS,
        serves: Callable[[str, str], bool] = lambda _tenant, _domain: True,
        made: Callable[[], None] = lambda: None,
    ) -> None:
        self._tenants = tenants
        self._serves = serves
        self._made = made
        self._codec = codec
        self._store = store
        self._catalogue = catalogue
        self._generation = generation
        self._writer = IndexWriter(store, clock)
        self._prepared: dict[str, CollectionSpec] = {}

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Judge a batch. Raises `UnavailableError` when store or registry does not answer."""
        read = [await self._read(record) for record in batch]
        work = [item for item in read if isinstance(item, _Work)]
        outcomes = iter(await self._write(work))
        return [self._verdict(item, next(outcomes)) if isinstance(item, _Work) else item for item in read]

    def forget(self, tenant_id: str) -> None:
        """Collections of a tenant may have been dropped: look again before the next write."""
        self._prepared = {name: spec for name, spec in self._prepared.items() if not of_tenant(name, tenant_id)}

    async def _read(self, record: Record) -> _Work | Verdict:
        if record.value is None:
            return Drop("tombstone")
        try:
            event = await self._codec.decode(DocEmbedded, record)
            check(event, parse_document_key(record.key), self._generation)
            if self._tenants.gone(event.tenant_id) or (self._tenants.leaving(event.tenant_id) and not event.deleted):
                return Drop(OFFBOARDED)
            suffix = side_collection(replay.header(record.headers, replay.COLLECTION))
            spec = specification(event, suffix)
            if spec is None:
                return Drop("absent")
            for name in collections(event, suffix):
                await self._prepare(event, replace(spec, name=name), suffix)
        except SchemasError as error:
            return DeadLetter("schema", str(error), getattr(error, "field", ""))
        except RefusedError as error:
            return DeadLetter(error.kind, str(error), error.field)
        except ModelMismatchError as error:
            return DeadLetter("policy", f"model: {error}; a new model needs a new generation", "model")
        return _Work(record, event, spec, suffix)

    async def _prepare(self, event: DocEmbedded, spec: CollectionSpec, suffix: str) -> None:
        """Collection and alias are there. Only a generation that serves takes an alias that nobody has; a side
        collection has none."""
        held = self._prepared.get(spec.name)
        if held == spec:
            return
        await self._store.ensure_collection(spec)
        if suffix:
            self._prepared[spec.name] = spec
            return
        domain = spec.name.removeprefix(f"kb_{event.tenant_id}_").rpartition("__g")[0]
        serves = self._serves(event.tenant_id, domain)
        if serves and await self._catalogue.resolve(event.tenant_id, domain) is None:
            alias = alias_name(event.tenant_id, domain)
            await self._catalogue.bind(IndexBinding(alias, spec.name, spec.generation, spec.model, spec.dimension))
        self._prepared[spec.name] = spec
        self._made()

    async def _write(self, work: Sequence[_Work]) -> list[Outcome]:
        """One outcome per event: that of its own domain, with what left other domains counted in."""
        batches: dict[str, list[tuple[int, Delivery]]] = defaultdict(list)
        for index, item in enumerate(work):
            rewrite = replay.renewed(item.record.headers)
            for name, delivery in deliveries(item.event, item.suffix, rewrite=rewrite):
                batches[name].append((index, delivery))
        found: dict[int, dict[str, Outcome]] = defaultdict(dict)
        for name, numbered in batches.items():
            outcomes = await self._writer.write(name, [delivery for _, delivery in numbered])
            for (index, _), outcome in zip(numbered, outcomes, strict=True):
                found[index][name] = outcome
        return [_merged(found[index], item.spec.name) for index, item in enumerate(work)]

    def _verdict(self, work: _Work, outcome: Outcome) -> Verdict:
        if isinstance(outcome, Complete):
            _count(outcome)
            return Done((self._upserted(work, outcome),))
        if isinstance(outcome, Stale):
            return Drop("stale")
        if isinstance(outcome, Conflict):
            event = work.event
            return DeadLetter(
                "invalid",
                f"revision: {work.spec.name} holds other content under revision {event.revision}, epoch {event.epoch}; "
                "publish changed content under a higher revision",
                "revision",
            )
        return Done()

    def _upserted(self, work: _Work, complete: Complete) -> Output:
        event = work.event
        upserted = DocUpserted(
            event_id=ids.derived(event.parent_event_id, STAGE, work.spec.name),
            parent_event_id=event.parent_event_id,
            occurred_at=event.occurred_at,
            indexed_at=complete.indexed_at,
            tenant_id=event.tenant_id,
            domain=event.domain,
            doc_id=event.doc_id,
            revision=event.revision,
            epoch=event.epoch,
            deleted=event.deleted,
            generation=event.generation,
            collection=work.spec.name,
            model=event.model,
            chunks=complete.chunks,
            added=complete.added,
            kept=complete.kept,
            removed=complete.removed,
            embedded=complete.embedded,
            cached=complete.cached,
        )
        return self._codec.output(DOC_UPSERTED, upserted, parent_headers=work.record.headers)


def _merged(outcomes: dict[str, Outcome], own: str) -> Outcome:
    """The own domain's outcome, unless another domain holds other content under this version."""
    outcome = outcomes[own]
    if any(isinstance(other, Conflict) for other in outcomes.values()):
        return Conflict()
    if not isinstance(outcome, Complete):
        return outcome
    left = [other.removed for name, other in outcomes.items() if name != own and isinstance(other, Complete)]
    return replace(outcome, removed=outcome.removed + sum(left))


def _count(complete: Complete) -> None:
    metrics.DOCUMENTS.inc()
    for change in ("added", "kept", "removed"):
        metrics.POINTS.labels(change).inc(getattr(complete, change))
