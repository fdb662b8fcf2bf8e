"""Who is believed about replays: lanes and our own stages, never publishers."""

from __future__ import annotations

import pytest
from aiokafka.structs import ConsumerRecord
from roggia_runtime import clients, replay
from roggia_runtime.records import Headers
from roggia_schemas import topics

CLAIMS: Headers = (
    (replay.JOB, b"replay-1"),
    (replay.MODE, b"renew"),
    (replay.COLLECTION, b"elsewhere"),
    (replay.TOPIC, b"doc.changed"),
    (replay.PARTITION, b"0"),
    (replay.OFFSET, b"7"),
    ("roggia_dlq_redrives", b"99"),
)
OWN: Headers = (("ce_id", b"1"), ("traceparent", b"00-1"))


def _headers(topic: str) -> Headers:
    consumed = ConsumerRecord(topic, 0, 3, 5, 0, b"acme/a", b"x", 0, 6, 1, OWN + CLAIMS)
    return clients.record(consumed).headers


def test_a_publisher_cannot_mark_its_records_as_replayed() -> None:
    """Such a mark would hide a document from bills and freshness, or send it to a collection where nobody looks."""
    assert _headers(topics.DOC_CHANGED) == OWN


@pytest.mark.parametrize(
    "topic", [topics.replay(topics.DOC_CHANGED), topics.dlq(topics.DOC_CHANGED), topics.doc_chunked(1)]
)
def test_lanes_and_stages_are_believed(topic: str) -> None:
    """A lane's headers, and what ingest hands on to the live topic of chunk sets, stay as they are."""
    assert _headers(topic) == OWN + CLAIMS
