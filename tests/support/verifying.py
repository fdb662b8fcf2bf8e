"""Runs of verification over a stream of handlers, and its repair carried out by them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from roggia_embedder.ports import Head, Passage, VectorStore
from roggia_embedder.verify.limits import Pace
from roggia_embedder.verify.run import verify
from roggia_embedder.verify.scope import Scope
from roggia_operator.repair.deleting import deletion, output
from roggia_operator.repair.plan import RepairPlan, planned
from roggia_runtime import replay
from roggia_runtime.findings import Finding, Summary
from roggia_schemas import topics

from tests.support.ingesting import codec
from tests.support.stream import Stream, StreamLog

COLLECTION = "kb_acme_docs__g1"
EVERYTHING = Scope("g1")
AT_ONCE = Pace(pause_s=0.0, patience_s=0.0)


async def found(
    stream: Stream, scope: Scope = EVERYTHING, pace: Pace = AT_ONCE, log: StreamLog | None = None
) -> tuple[list[Finding], Summary]:
    """What a run says."""
    messages = [message async for message in verify(stream.store, log or StreamLog(stream), scope, pace)]
    (summary,) = [message for message in messages if isinstance(message, Summary)]
    return [message for message in messages if isinstance(message, Finding)], summary


async def documents(store: VectorStore, collection: str = COLLECTION) -> dict[str, tuple[Head, list[Passage]]]:
    """Heads and passages of a collection, by document id."""
    heads: dict[str, Head] = {}
    passages: dict[str, list[Passage]] = defaultdict(list)
    async for point in store.scan(collection):
        if isinstance(point, Head):
            heads[point.document.doc_id] = point
        else:
            passages[point.attributes.document.doc_id].append(point)
    return {doc_id: (head, passages[doc_id]) for doc_id, head in heads.items()}


async def repaired(stream: Stream, findings: Sequence[Finding]) -> RepairPlan:
    """Do what the plan says, as the operator service and the command would; what doc.changed has lost stays."""
    plan = planned(findings)
    present = []
    for key in plan.renewals:
        tenant, _, doc_id = key.partition("/")
        headers = ((replay.JOB, b"verify-test"), (replay.MODE, replay.RENEW.encode()))
        if await stream.again(tenant, doc_id, headers):
            present.append(key)
    for place, version in plan.deletions.items():
        event = deletion(place, version, 1_700_000_000_000)
        await stream.send([output(codec(), topics.doc_chunked(1), event, "verify-test")])
    return plan.without(present)
