"""Topic names. Everybody who names a topic calls one of these; nobody spells one out."""

from __future__ import annotations

import re

from roggia_schemas.errors import InvalidNameError

DOC_CHANGED = "doc.changed"
DOC_UPSERTED = "doc.upserted"
RETRIEVAL_SERVED = "retrieval.served"
RETRIEVAL_SHADOWED = "retrieval.shadowed"
OPS_JOB = "ops.job"
TENANT_CONFIG = "tenant.config"
INDEX_GENERATION = "index.generation"
DOC_POPULARITY = "doc.popularity"
INFERENCE_COMPLETED = "inference.completed"
PRICE_CHANGED = "price.changed"
AUDIT_RECORDED = "audit.recorded"
AUDIT_CHECKPOINT = "audit.checkpoint"
TENANT_USAGE = "tenant.usage"
TENANT_BUDGET = "tenant.budget"
USAGE_ADJUSTED = "usage.adjusted"
AUDIT_ALERT = "audit.alert"

MAX_GENERATION = 2**31 - 1
_LANE = re.compile(r"\.(dlq|replay)\Z")


def doc_chunked(k: int) -> str:
    """Topic of the corpus as chunker generation `k` (from 1) cut it. Raises `InvalidNameError`."""
    return f"doc.chunked.c{_generation(k)}"


def doc_embedded(g: int) -> str:
    """Topic between embed and upsert for index generation `g` (from 1). Raises `InvalidNameError`."""
    return f"doc.embedded.g{_generation(g)}"


def dlq(topic: str) -> str:
    """Dead-letter topic of `topic`. A DLQ has none of its own, so asking for one raises `InvalidNameError`."""
    if topic.endswith(".dlq"):
        raise InvalidNameError("topic", topic, "name the source topic: a DLQ has no DLQ")
    return f"{topic}.dlq"


def replay(topic: str) -> str:
    """Replay lane of `topic`, read by the same group after the live topic. Lanes and DLQs have none."""
    if _LANE.search(topic):
        raise InvalidNameError("topic", topic, "name the live topic: a lane or DLQ has no replay lane")
    return f"{topic}.replay"


def base(topic: str) -> str:
    """The live topic behind a DLQ or a replay lane (also behind the DLQ of a lane), else `topic` itself."""
    while (shorter := _LANE.sub("", topic)) != topic:
        topic = shorter
    return topic


def _generation(number: int) -> int:
    if not 1 <= number <= MAX_GENERATION:
        raise InvalidNameError("generation", str(number), "generations count from 1")
    return number
