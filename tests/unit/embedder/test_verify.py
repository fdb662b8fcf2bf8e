"""Verification of an index on the store in memory: what it says of each kind of damage, and that it says no more."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace

import pytest
from roggia.cli import verify_repair
from roggia.cli.verify_repair import Consent
from roggia.errors import UsageError
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.ports import Document, Head, Passage
from roggia_embedder.verify.errors import BadRequestError
from roggia_embedder.verify.kafka_log import Stages, check_whole
from roggia_embedder.verify.scope import Scope, scope_of
from roggia_operator.repair.plan import FEW, GONE, UNREADABLE, planned
from roggia_runtime.errors import AdminError
from roggia_runtime.findings import Finding, Kind, Mark, Repair, VerifyRequest
from roggia_runtime.records import Record
from roggia_schemas import topics
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.names import Version

from tests.support.ingesting import change, delete
from tests.support.spoiling import MemorySpoiler, Vandal
from tests.support.stream import Stream
from tests.support.verifying import COLLECTION, documents, found, repaired

FREE = uuid.UUID(int=7, version=4)


@pytest.fixture
def stream() -> Stream:
    """The pipeline's handlers on a store in memory."""
    return Stream(MemoryStore(), MemoryCatalogue())


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
    damage = vandal.spoil(name, *(await documents(stream.store))["d3"])
    findings, summary = await found(stream)
    assert {finding.point_id: finding.kind for finding in findings} == damage.says
    assert len(findings) == len(damage.says)
    assert not summary.clean


async def passage_of(stream: Stream, doc_id: str) -> Passage:
    """One passage of a document."""
    return (await documents(stream.store))[doc_id][1][0]


def put(stream: Stream, what: Head | Passage, collection: str = COLLECTION) -> None:
    """Store a point as given."""
    point = what.id if isinstance(what, Head) else what.attributes.chunk_id
    MemorySpoiler(stream.store).put(collection, point, what)  # type: ignore[arg-type]


def brief(findings: list[Finding]) -> set[tuple[Kind, str, Repair]]:
    """Kind, document and repair."""
    return {(one.kind, one.doc_id, one.repair) for one in findings}


async def test_what_is_on_its_way_is_pending_and_no_finding(stream: Stream) -> None:
    """A revision that embed has not seen is counted, not reported, and the run is not called clean."""
    await filled(stream, 2)
    await stream.publish(change("d0", 9), delete("d1", 9), change("new", 1))
    findings, summary = await found(stream)
    assert (findings, summary.pending, summary.clean) == ([], 3, False)
    await stream.deliver()
    assert (await found(stream))[1].clean


async def test_a_version_above_the_log_cannot_be_mended_and_says_how(stream: Stream) -> None:
    """An `ahead` passage blocks a renewal of its document: no repair is offered, the remedy names the revision."""
    await filled(stream, 2)
    one = await passage_of(stream, "d0")
    put(stream, replace(one, attributes=replace(one.attributes, version=Version(41, 0), acl=("spies",))))
    findings, _ = await found(stream)
    assert brief(findings) == {(Kind.AHEAD, "d0", Repair.NONE)}
    assert "above 41" in findings[0].remedy
    await stream.publish(change("d0", 42))
    await stream.deliver()
    assert (await found(stream))[1].clean


async def test_points_of_a_deleted_document_are_deleted_again(stream: Stream) -> None:
    """A living head and a passage of a document that the log has deleted: found, and gone after the repair."""
    await stream.publish(change("a", 1))
    await stream.deliver()
    (head, passages) = (await documents(stream.store))["a"]
    await stream.publish(delete("a", 2))
    await stream.deliver()
    put(stream, head)
    put(stream, passages[0])
    findings, _ = await found(stream)
    assert brief(findings) == {(Kind.TOMBSTONE, "a", Repair.DELETE), (Kind.ORPHAN, "a", Repair.DELETE)}
    await repaired(stream, findings)
    assert (await found(stream))[1].clean
    assert (await documents(stream.store))["a"][1] == []


@pytest.mark.parametrize("told", [True, False], ids=["the log names the domain", "the log does not"])
async def test_what_stayed_in_a_former_domain_goes(stream: Stream, told: bool) -> None:
    """A passage in a domain that the document is not in: mended by a renewal where the log knows that it was there, by
    a deletion where it does not; the document itself stays."""
    await stream.publish(change("a", 1, domain="docs" if told else "wiki"), change("x", 1))
    await stream.publish(change("a", 2, domain="wiki"))
    await stream.deliver()
    one = await passage_of(stream, "x")
    former = Document("acme", "docs", "a")
    put(stream, replace(one, attributes=replace(one.attributes, chunk_id=str(FREE), document=former)))
    findings, _ = await found(stream)
    assert brief(findings) == {(Kind.ORPHAN, "a", Repair.RENEW if told else Repair.DELETE)}
    await repaired(stream, findings)
    assert (await found(stream))[1].clean
    assert len((await documents(stream.store, "kb_acme_wiki__g1"))["a"][1]) == 1


async def test_a_point_that_no_event_reaches_is_told_with_its_remedy(stream: Stream) -> None:
    """A passage of a stranger, in another tenant's collection: no deletion of the stream would meet it there."""
    await filled(stream, 2)
    one = await passage_of(stream, "d0")
    stranger = Document("evil", "elsewhere", "d0")
    put(stream, replace(one, attributes=replace(one.attributes, chunk_id=str(FREE), document=stranger)))
    findings, _ = await found(stream)
    assert brief(findings) == {(Kind.ORPHAN, "d0", Repair.NONE)}
    assert "by its id" in findings[0].remedy


async def test_what_the_log_has_forgotten_may_have_the_head_of_a_deletion_and_nothing_else(stream: Stream) -> None:
    """After a Kafka null a deleted head is right; a living passage is an orphan."""
    await filled(stream, 2)
    await stream.publish(change("a", 1), delete("a", 2))
    await stream.deliver()
    stream.chunked.append(Record(topics.doc_chunked(1), 0, len(stream.chunked), 0, b"acme/a", None))
    stream.delivered += 1
    assert (await found(stream))[1].clean
    one = await passage_of(stream, "d0")
    put(
        stream,
        replace(one, attributes=replace(one.attributes, chunk_id=str(FREE), document=Document("acme", "docs", "a"))),
    )
    assert brief((await found(stream))[0]) == {(Kind.ORPHAN, "a", Repair.DELETE)}


async def test_a_run_keeps_to_what_it_was_asked_for(stream: Stream) -> None:
    """Tenant, domain, collection and documents narrow both sides; another collection is compared with the same log."""
    await filled(stream, 3)
    await stream.publish(change("w", 1, domain="wiki"), change("o", 1, tenant_id="other"))
    await stream.deliver()
    for collection, doc_id in ((COLLECTION, "d1"), ("kb_acme_wiki__g1", "w"), ("kb_other_docs__g1", "o")):
        put_away = (await documents(stream.store, collection))[doc_id][1][0].attributes.chunk_id
        MemorySpoiler(stream.store).remove(collection, put_away)  # type: ignore[arg-type]

    async def asked(**request: object) -> tuple[set[str], int]:
        findings, summary = await found(stream, scope_of(VerifyRequest(**request), 1))  # type: ignore[arg-type]
        return {one.doc_id for one in findings}, summary.documents

    assert await asked() == ({"d1", "w", "o"}, 5)
    assert await asked(tenant="other") == ({"o"}, 1)
    assert await asked(tenant="acme", domain="wiki") == ({"w"}, 1)
    assert await asked(collection=COLLECTION) == ({"d1"}, 3)
    assert await asked(tenant="acme", doc_ids=("d0", "d1", "unknown")) == ({"d1"}, 2)
    empty, documents_there = await asked(collection="kb_acme_docs__trial")
    assert (empty, documents_there) == ({"d0", "d1", "d2"}, 3)


async def test_another_collection_is_filled_again_not_renewed(stream: Stream) -> None:
    """What a replay into a side collection lacks is not mended by renewing the index in use."""
    await filled(stream, 1)
    findings, _ = await found(stream, Scope("trial", "acme", "docs"))
    assert {(one.kind, one.repair) for one in findings} == {(Kind.MISSING, Repair.NONE)}
    assert {"replay" in one.remedy for one in findings} == {True}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (VerifyRequest(collection="docs"), "collection"),
        (VerifyRequest(collection=COLLECTION, tenant="other"), "collection"),
        (VerifyRequest(doc_ids=("a",)), "doc_ids"),
        (VerifyRequest(tenant="No Name"), "tenant"),
    ],
)
def test_a_wrong_request_names_its_field(request_: VerifyRequest, field: str) -> None:
    """Nothing is guessed."""
    with pytest.raises((BadRequestError, InvalidNameError)) as raised:
        scope_of(request_, 1)
    assert raised.value.field == field


def test_a_plan_has_one_repair_per_document_and_tells_the_rest() -> None:
    """Renewals are one per document, deletions are at the highest version named, what is lost is beyond."""

    def one(doc_id: str, repair: Repair, end: Mark) -> Finding:
        return Finding(
            kind=Kind.ORPHAN, tenant="acme", domain="docs", doc_id=doc_id, collection=COLLECTION, point_id=str(FREE),
            repair=repair, delete_at=end,
        )  # fmt: skip

    plan = planned(
        [one("a", Repair.RENEW, Mark(1)), one("a", Repair.RENEW, Mark(1)), one("b", Repair.RENEW, Mark(1)),
         one("c", Repair.DELETE, Mark(3, 2)), one("c", Repair.DELETE, Mark(2, 9)), one("d", Repair.NONE, Mark(1))]
    )  # fmt: skip
    assert list(plan.renewals) == ["acme/a", "acme/b"]
    assert list(plan.deletions.values()) == [Mark(3, 2)]
    left = plan.without(["acme/a"])
    assert (list(left.renewals), left.documents) == (["acme/a"], {"acme": ["a", "c"]})
    assert [(finding.doc_id, finding.remedy) for finding in left.beyond] == [("d", ""), ("b", GONE)]


async def test_a_log_that_is_not_whole_makes_a_repair_that_is_to_be_doubted(stream: Stream) -> None:
    """An emptied or wrong topic makes orphans of everything: so many deletions need more than a yes."""
    await filled(stream, FEW + 1)
    stream.chunked.clear()
    findings, summary = await found(stream)
    plan = planned(findings)
    assert len(plan.deletions) == FEW + 1
    assert plan.drastic(summary.documents)
    with pytest.raises(UsageError, match=f"--delete {FEW + 1}"):
        verify_repair.confirm_deletions(plan, summary, Consent(yes=True))
    verify_repair.confirm_deletions(plan, summary, Consent(yes=True, delete=FEW + 1))
    assert not plan.drastic(100 * FEW)


async def test_nothing_is_deleted_as_unknown_while_the_log_has_records_that_cannot_be_read(stream: Stream) -> None:
    """The document may be in one of them: an index that shows its last good version is better than none."""
    await filled(stream, 1)
    stream.chunked.clear()
    findings, _ = await found(stream)
    plan = planned(findings, unreadable=1)
    assert plan.empty
    assert {finding.remedy for finding in plan.beyond} == {UNREADABLE}


def test_a_log_that_embed_has_read_further_than_it_goes_is_not_whole() -> None:
    """A topic that was created anew is no ground for findings: the run fails and names it."""
    stages = Stages("doc.chunked.c1", "doc.embedded.g1", "roggia.embed.g1", "roggia.upsert.g1")
    check_whole(stages, {0: 7, 1: 0}, {0: 7})
    with pytest.raises(AdminError, match="created anew"):
        check_whole(stages, {0: 8}, {0: 7})
