"""Ingest's metrics. The loop counts records, drops and dead letters; here is what only ingest knows."""

from __future__ import annotations

from roggia_runtime.metrics import counter, histogram

DOCUMENTS = counter("roggia_ingest_documents_total", "Documents turned into chunk sets, by media type", ["media_type"])
DELETIONS = counter("roggia_ingest_deletions_total", "Deletions emitted, by cause: delete, null, expiry", ["cause"])
REPLAYED = counter("roggia_ingest_replayed_total", "Newest revisions emitted again from the lane, by mode", ["mode"])
CHUNKS = counter("roggia_ingest_chunks_total", "Chunks emitted")
TOKENS = counter("roggia_ingest_tokens_total", "Tokens of the chunks emitted, overlap included")
CONTENT_BYTES = counter("roggia_ingest_content_bytes_total", "Bytes of content read, by media type", ["media_type"])
PREPARE = histogram(
    "roggia_ingest_prepare_seconds",
    "Extraction, normalisation, tokenising and chunking of one document",
    ["media_type"],
)
PREPARE_CPU = counter(
    "roggia_ingest_prepare_cpu_seconds_total",
    "CPU seconds of preparing small text and Markdown in the service's own process: its computing, apart from the hop",
)
EVENT_BYTES = histogram(
    "roggia_ingest_event_bytes",
    "Size of one doc.chunked value before compression",
    buckets=[2**power for power in range(10, 24)],
)
