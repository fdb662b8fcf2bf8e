"""In which domain documents live, read from the corpus: so that a wrong domain is a question, not a deletion."""

from __future__ import annotations

from collections.abc import Collection

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Record
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import DocChunked
from roggia_schemas.names import document_key

CORPUS = topics.doc_chunked(1)


async def domains_of(admin: TopicAdmin, codec: EventCodec, tenant: str, ids: Collection[str]) -> dict[str, str]:
    """The domain of each document that lives; deleted and unknown ones are missing.

    Reads the whole corpus topic, comparing keys alone: seconds per gigabyte. A change still on its way is not seen.
    """
    wanted = {document_key(tenant, doc_id): doc_id for doc_id in ids}
    newest: dict[str, Record] = {}
    if CORPUS in await admin.topics():
        for partition in await admin.beginning_offsets(CORPUS):
            async for record in admin.read(CORPUS, partition, 0):
                if record.key in wanted:
                    newest[wanted[record.key]] = record
    found = {doc_id: await _domain(codec, record) for doc_id, record in newest.items()}
    return {doc_id: domain for doc_id, domain in found.items() if domain is not None}


async def _domain(codec: EventCodec, record: Record) -> str | None:
    if record.value is None:
        return None
    try:
        event = await codec.decode(DocChunked, record)
    except SchemasError:  # written by a newer version: what cannot be read refuses nothing
        return None
    return None if event.deleted else event.domain
