"""Topics: their names, and the catalogue that says who owns them, how they are keyed, kept and checked."""

from roggia_schemas.topics.catalogue import TopicFile, catalogue, files, spec
from roggia_schemas.topics.names import (
    DOC_CHANGED,
    DOC_POPULARITY,
    DOC_UPSERTED,
    INDEX_GENERATION,
    OPS_JOB,
    RETRIEVAL_SERVED,
    RETRIEVAL_SHADOWED,
    TENANT_CONFIG,
    base,
    dlq,
    doc_chunked,
    doc_embedded,
    replay,
)
from roggia_schemas.topics.spec import TopicSpec

__all__ = [
    "DOC_CHANGED",
    "DOC_POPULARITY",
    "DOC_UPSERTED",
    "INDEX_GENERATION",
    "OPS_JOB",
    "RETRIEVAL_SERVED",
    "RETRIEVAL_SHADOWED",
    "TENANT_CONFIG",
    "TopicFile",
    "TopicSpec",
    "base",
    "catalogue",
    "dlq",
    "doc_chunked",
    "doc_embedded",
    "files",
    "replay",
    "spec",
]
