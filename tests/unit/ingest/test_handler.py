"""The verdicts of ingest, one promise per test."""

from __future__ import annotations

from roggia_runtime.records import DeadLetter, Done, Drop

from tests.support import ingesting
from tests.support.ingesting import change, decoded, delete, outputs, record


async def test_an_upsert_becomes_one_chunk_set_under_the_same_key() -> None:
    """A valid UPSERT gives exactly one doc.chunked record with its text, version and parent."""
    event = change()
    (verdict,) = await ingesting.handler().handle([record(event, 0)])
    assert isinstance(verdict, Done)
    (output,) = verdict.outputs
    got = decoded(output)
    assert (output.topic, output.key) == ("doc.chunked.c1", b"acme/a")
    assert (got.parent_event_id, got.revision, got.epoch, got.deleted) == (event.event_id, 1, 0, False)
    assert [chunk.text for chunk in got.chunks] == ["# a\n\nRevision 1."]
    assert got.acl == ("*",)
    assert got.title == "a"


async def test_an_older_or_equal_revision_is_dropped_as_stale() -> None:
    """Revision 2 after 3, and a second revision 3, change nothing and are counted under `stale`."""
    handler = ingesting.handler()
    await handler.handle([record(change(revision=3), 0)])
    verdicts = await handler.handle([record(change(revision=2), 1), record(change(revision=3), 2)])
    assert verdicts == [Drop("stale"), Drop("stale")]


async def test_a_redelivery_of_the_same_offset_emits_the_same_bytes() -> None:
    """The first try of a batch may have been aborted: its redelivery gives identical values."""
    handler = ingesting.handler()
    batch = [record(change(revision=1), 0), record(change(revision=2, domain="other"), 1)]
    first = await handler.handle(batch)
    again = await handler.handle(batch)
    assert [output.value for output in outputs(first)] == [output.value for output in outputs(again)]
    assert len(outputs(again)) == 2


async def test_delete_and_null_end_as_deletions_in_version_order() -> None:
    """DELETE keeps its revision; a Kafka null takes the catalogue's revision, one epoch later."""
    handler = ingesting.handler()
    done = await handler.handle([record(change(revision=1), 0), record(None, 1), record(delete(revision=2), 2)])
    got = [decoded(output) for output in outputs(done)]
    versions = [(event.revision, event.epoch, event.deleted) for event in got]
    assert versions == [(1, 0, False), (1, 1, True), (2, 0, True)]
    assert got[1].chunks == ()


async def test_a_null_of_an_unknown_or_deleted_document_changes_nothing() -> None:
    """Nothing is known to inherit from, or nothing is left to delete: dropped with the reason."""
    handler = ingesting.handler()
    done = await handler.handle([record(None, 0), record(delete(), 1), record(None, 2)])
    assert (done[0], done[2]) == (Drop("unknown"), Drop("deleted"))


async def test_a_move_names_every_domain_that_was_left() -> None:
    """A move lists every former domain, so that a consumer that missed one still deletes there."""
    handler = ingesting.handler()
    batch = [record(change(revision=n, domain=name), n) for n, name in enumerate(["docs", "wiki", "blog", "docs"])]
    got = [decoded(output) for output in outputs(await handler.handle(batch))]
    assert [event.left_domains for event in got] == [(), ("docs",), ("docs", "wiki"), ("blog", "wiki")]


async def test_an_empty_acl_is_refused() -> None:
    """Nothing becomes public by omission."""
    (verdict,) = await ingesting.handler().handle([record(change(acl=()), 0)])
    assert isinstance(verdict, DeadLetter)
    assert (verdict.kind, verdict.field) == ("invalid", "acl")
