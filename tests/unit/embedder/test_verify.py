"""Verification of an index on the store in memory: what it says of each kind of damage, and that it says no more."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.ports import Head, Passage
from roggia_embedder.verify.limits import Pace
from roggia_embedder.verify.run import verify
from roggia_embedder.verify.scope import Scope
from roggia_runtime.findings import Finding, Summary

from tests.support.ingesting import change, delete
from tests.support.spoiling import MemorySpoiler, Vandal
from tests.support.stream import Stream, StreamLog

COLLECTION = "kb_acme_docs__g1"
EVERYTHING = Scope("g1")
PACE = Pace(pause_s=0.0, patience_s=0.0)


@pytest.fixture
def stream() -> Stream:
    """The pipeline's handlers on a store in memory."""
    return Stream(MemoryStore(), MemoryCatalogue())


async def found(stream: Stream, scope: Scope = EVERYTHING) -> tuple[list[Finding], Summary]:
    """What a run says."""
    messages = [message async for message in verify(stream.store, StreamLog(stream), scope, PACE)]
    (summary,) = [message for message in messages if isinstance(message, Summary)]
    return [message for message in messages if isinstance(message, Finding)], summary


async def documents(stream: Stream, collection: str = COLLECTION) -> dict[str, tuple[Head, list[Passage]]]:
    """Heads and passages of a collection, by document id."""
    heads: dict[str, Head] = {}
    passages: dict[str, list[Passage]] = defaultdict(list)
    async for point in stream.store.scan(collection):
        if isinstance(point, Head):
            heads[point.document.doc_id] = point
        else:
            passages[point.attributes.document.doc_id].append(point)
    return {doc_id: (head, passages[doc_id]) for doc_id, head in heads.items()}


async def filled(stream: Stream, count: int = 5) -> None:
    """Some documents, each at its third revision."""
    for number in range(count):
        words = " ".join(f"word{number}x{i}" for i in range(300))
        content = f"# Title {number}\n\n{words}\n\n## Part\n\n{words[::-1]}\n".encode()
        for revision in (2, 3):
            await stream.publish(change(f"d{number}", revision, content=content, metadata={"team": "a"}))
    await stream.deliver()


async def test_a_clean_index_has_no_findings(stream: Stream) -> None:
    """Documents that changed, moved, were deleted or never had text: nothing is reported, everything is counted."""
    await filled(stream)
    await stream.publish(change("moved", 1), change("moved", 2, domain="wiki"), change("gone", 1), delete("gone", 2))
    await stream.publish(change("empty", 1, content=b""))
    await stream.deliver()
    findings, summary = await found(stream)
    assert (findings, summary.clean) == ([], True)
    assert summary.documents == 7
    assert summary.collections == (COLLECTION, "kb_acme_wiki__g1")


@pytest.mark.parametrize("name", sorted(Vandal(MemorySpoiler(MemoryStore()), "", random.Random(0)).kinds))
async def test_each_kind_of_damage_is_found_and_nothing_else(stream: Stream, name: str) -> None:
    """One damaged document among five: exactly the damaged points are reported, with their kind."""
    await filled(stream)
    vandal = Vandal(MemorySpoiler(stream.store), COLLECTION, random.Random(1))  # type: ignore[arg-type]
    damage = vandal.spoil(name, *(await documents(stream))["d3"])
    findings, summary = await found(stream)
    assert {finding.point_id: finding.kind for finding in findings} == damage.says
    assert len(findings) == len(damage.says)
    assert not summary.clean
