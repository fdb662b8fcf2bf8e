"""Metrics of the embed and upsert roles: what the loop, which counts records and dead letters, cannot know."""

from __future__ import annotations

from roggia_runtime.metrics import counter

EMBEDDED = counter("roggia_embed_vectors_computed_total", "Vectors computed by the model")
CACHED = counter("roggia_embed_vectors_cached_total", "Vectors taken from the cache: embeddings avoided")
BILLED = counter("roggia_embed_tokens_billed_total", "Tokens of embeddings that were told as inference.completed")
MODEL_REQUESTS = counter(
    "roggia_model_server_requests_total",
    "Requests to a model server by end: answered, refused (for what was asked), limited (too many), failed",
    ["end"],
)
DOCUMENTS = counter("roggia_upsert_documents_total", "Document versions complete in the index, redeliveries included")
POINTS = counter("roggia_upsert_points_total", "Points by what a version did to them: added, kept, removed", ["change"])
WRITTEN = counter("roggia_upsert_points_written_total", "Writes of points, by kind: upsert, bump, head", ["kind"])
SWEPT = counter("roggia_upsert_heads_swept_total", "Heads of deletions removed after the retention")
