"""Deletions of what the log does not know: chunk sets without chunks, through the lane of `doc.chunked`."""

from __future__ import annotations

from roggia_runtime import replay
from roggia_runtime.codec import EventCodec
from roggia_runtime.findings import Mark
from roggia_runtime.ids import uuid7
from roggia_runtime.records import Output
from roggia_schemas import topics
from roggia_schemas.events import DocChunked

from roggia_operator.repair.plan import Place


def deletion(place: Place, version: Mark, now_ms: int) -> DocChunked:
    """The end of a document in one domain, at a version above everything that the index holds of it there."""
    new_id = uuid7()
    return DocChunked(
        event_id=new_id,
        parent_event_id=new_id,
        occurred_at=now_ms,
        tenant_id=place.tenant,
        domain=place.domain,
        doc_id=place.doc_id,
        revision=version.revision,
        epoch=version.epoch,
        deleted=True,
    )


def output(codec: EventCodec, chunked: str, event: DocChunked, job_id: str) -> Output:
    """The record for the lane. It carries a job's id: who bills or notifies skips what comes of it."""
    parent = ((replay.JOB, job_id.encode()), (replay.MODE, replay.RENEW.encode()))
    return codec.output(topics.replay(chunked), event, parent_headers=parent)
