"""What the log holds of tenants: counted from the records themselves, since no service is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from roggia_runtime.codec import EventCodec
from roggia_runtime.offsets import Offsets
from roggia_runtime.ranges import RangeReader, Span
from roggia_runtime.records import Partition, Record
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocChunked

CHUNKED = "doc.chunked."
EMBEDDED = "doc.embedded."


@dataclass(frozen=True, slots=True)
class Document:
    """The newest chunk set of one document."""

    deleted: bool
    domain: str
    left_domains: tuple[str, ...]
    texts: tuple[bytes, ...]


@dataclass(slots=True)
class Holdings:
    """What one tenant has on the log. `vectors`: distinct texts of its chunks, which is what the cache keeps."""

    documents: int = 0
    chunks: int = 0
    vectors: int = 0
    rows: int = 0
    """Documents that were ever there, deleted ones included: the catalogue has a row of each."""
    domains: set[str] = field(default_factory=set)
    by_topic: Counter[str] = field(default_factory=Counter)
    """Records per DLQ and lane."""


class Log:
    """Reads whole topics. Raises `UnavailableError` and `AdminError`."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka

    async def partitions(self) -> Mapping[str, tuple[Partition, ...]]:
        """Every topic with its partitions."""
        async with Offsets(self._kafka) as offsets:
            return await offsets.partitions()

    async def spans(self, names: Collection[str]) -> dict[Partition, Span]:
        """What topics hold now."""
        known = await self.partitions()
        async with RangeReader(self._kafka, "roggia-tenants") as reader:
            return await reader.spans([part for name in names for part in known.get(name, ())])

    async def read(self, spans: Mapping[Partition, Span], tenant_id: str = "") -> AsyncIterator[Record]:
        """Records of one tenant (empty: of all), each partition in order."""
        prefix = f"{tenant_id}/".encode() if tenant_id else b""
        async with RangeReader(self._kafka, "roggia-tenants") as reader:
            async for piece in reader.read(spans):
                for record in piece.records:
                    if record.key is not None and record.key.startswith(prefix):
                        yield record


def live(known: Iterable[str], prefix: str) -> list[str]:
    """Live topics of all generations whose name begins with `prefix`."""
    return sorted(name for name in known if name.startswith(prefix) and topics.base(name) == name)


async def survey(log: Log, codec: EventCodec, tenant_id: str = "") -> dict[str, Holdings]:
    """What each tenant holds on the corpus; for one tenant also its records on lanes and DLQs. Reads them whole."""
    known = await log.partitions()
    newest: dict[bytes, Document] = {}
    async for record in log.read(await log.spans(live(known, CHUNKED)), tenant_id):
        document = await _document(record, codec)
        if document is not None and record.key is not None:
            newest[record.key] = document
    found: dict[str, Holdings] = {}
    texts: dict[str, set[bytes]] = {}
    for key, document in newest.items():
        name = tenant_of(key)
        _count(found.setdefault(name, Holdings()), document)
        texts.setdefault(name, set()).update(document.texts)
    for name, holdings in found.items():
        holdings.vectors = len(texts[name])
    if tenant_id:
        await _aside(log, known, tenant_id, found.setdefault(tenant_id, Holdings()))
    return found


def tenant_of(key: bytes) -> str:
    """The tenant in a document's key."""
    return key.decode(errors="replace").partition("/")[0]


async def living(log: Log, codec: EventCodec, tenant_id: str) -> int:
    """Documents of a tenant whose newest chunk set, in whatever generation, is no deletion."""
    newest: dict[tuple[str, bytes], bool] = {}
    async for record in log.read(await log.spans(live(await log.partitions(), CHUNKED)), tenant_id):
        document = await _document(record, codec)
        if document is not None and record.key is not None:
            newest[record.topic, record.key] = not document.deleted
    return sum(newest.values())


async def _document(record: Record, codec: EventCodec) -> Document | None:
    """None for what no stage could read either."""
    if record.value is None:
        return Document(deleted=True, domain="", left_domains=(), texts=())
    try:
        event = await codec.decode(DocChunked, record)
    except SchemasError:
        return None
    texts = tuple(bytes.fromhex(chunk.text_sha256) for chunk in event.chunks)
    return Document(event.deleted, event.domain, event.left_domains, texts)


def _count(holdings: Holdings, document: Document) -> None:
    holdings.rows += 1
    holdings.domains |= {document.domain, *document.left_domains} - {""}
    if not document.deleted:
        holdings.documents += 1
        holdings.chunks += len(document.texts)


async def _aside(log: Log, known: Iterable[str], tenant_id: str, holdings: Holdings) -> None:
    aside = [name for name in known if topics.base(name) != name]
    async for record in log.read(await log.spans(aside), tenant_id):
        holdings.by_topic[record.topic] += 1
