"""The verdicts of ingest, one promise per test."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from roggia_ingest.errors import ContentUnavailableError
from roggia_ingest.handlers import REFERENCED_AT_ONCE
from roggia_ingest.prepare import Job, Prepared
from roggia_runtime import replay
from roggia_runtime.records import DeadLetter, Done, Drop, Partition, Record
from roggia_schemas import topics
from roggia_schemas.events import ContentRef

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


async def test_an_older_or_equal_revision_changes_nothing() -> None:
    """Revision 2 after 3 is counted under `stale`, revision 3 once more under `duplicate`."""
    handler = ingesting.handler()
    await handler.handle([record(change(revision=3), 0)])
    verdicts = await handler.handle([record(change(revision=2), 1), record(change(revision=3), 2)])
    assert verdicts == [Drop("stale"), Drop("duplicate")]


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


async def test_a_long_source_is_kept_whole_and_a_title_is_cut() -> None:
    """A source is a link: cut, it would lead nowhere. Invisible characters go from both."""
    source = "https://example.org/" + "a" * 2_000 + "\u202e"
    done = await ingesting.handler().handle([record(change(source=source, title="t\n" * 2_000), 0)])
    got = decoded(outputs(done)[0])
    assert got.source == source[:-1]
    assert len(got.title or "") == 300


async def test_a_chunk_set_above_the_limit_is_refused_with_its_size() -> None:
    """One event holds a document's whole chunk set; what would not fit is a dead letter that says how large it is."""
    small = ingesting.handler(event_bytes=20_000)
    (verdict,) = await small.handle([record(change(content=b"Water turns the wheel. " * 800), 0)])
    assert isinstance(verdict, DeadLetter)
    assert (verdict.kind, verdict.field) == ("oversize", "chunks")
    assert "bytes are more than max_event_bytes (20000)" in verdict.message


async def test_one_document_that_must_wait_makes_the_batch_wait_and_leaves_no_trace() -> None:
    """A content server that is down: unavailable, nothing saved; afterwards the same batch goes through."""

    class Down:
        async def fetch(self, ref: ContentRef) -> bytes:
            raise ContentUnavailableError("content_ref.uri: down")

    catalogue = ingesting.MemoryCatalogue()
    ref = ContentRef(uri="https://a.example/b", sha256="0" * 64, size=4)
    batch = [record(change("a"), 0), record(change("b", content=None, content_ref=ref), 1)]
    with pytest.raises(ContentUnavailableError):
        await ingesting.handler(catalogue, content=Down()).handle(batch)
    assert catalogue.entries == {}
    up = ingesting.StoredContent({ref.uri: b"Text"})
    assert len(outputs(await ingesting.handler(catalogue, content=up).handle(batch))) == 2


async def test_a_null_older_than_the_catalogue_or_in_a_replay_lane_changes_nothing() -> None:
    """Only its offset says that a null is old (the group was set back to 3), and a lane has none to compare."""
    handler = ingesting.handler()
    for revision, offset in enumerate((5, 10, 15)):
        await handler.handle([record(change(revision=revision), offset)])
    assert await handler.handle([record(None, 3)]) == [Drop("stale")]
    lane = dataclasses.replace(record(None, 99), topic="doc.changed.replay")
    assert await handler.handle([lane]) == [Drop("stale")]


async def test_chunk_ids_follow_the_text_not_its_place() -> None:
    """Text keeps its id when something is put above it; repeated text is told apart; another domain differs."""
    handler = ingesting.handler()
    body = b"# One\n\nSame.\n\n# One\n\nSame.\n"
    batch = [
        record(change(revision=1, content=body), 0),
        record(change(revision=2, content=b"# New\n\nText.\n\n" + body), 1),
        record(change(revision=3, content=body, domain="wiki"), 2),
    ]
    first, second, third = [decoded(output) for output in outputs(await handler.handle(batch))]
    ids = [chunk.chunk_id for chunk in first.chunks]
    assert len(set(ids)) == 2
    assert [chunk.chunk_id for chunk in second.chunks][1:] == ids
    assert not {chunk.chunk_id for chunk in third.chunks} & set(ids)


async def test_an_empty_document_is_a_chunk_set_without_chunks() -> None:
    """Its old text must leave the index, so it is neither dropped nor refused."""
    (output,) = outputs(await ingesting.handler().handle([record(change(content=b" \n"), 0)]))
    assert (decoded(output).chunks, decoded(output).deleted) == ((), False)


async def test_an_empty_acl_is_refused() -> None:
    """Nothing becomes public by omission."""
    (verdict,) = await ingesting.handler().handle([record(change(acl=()), 0)])
    assert isinstance(verdict, DeadLetter)
    assert (verdict.kind, verdict.field) == ("invalid", "acl")


async def test_a_redelivery_that_ends_otherwise_takes_the_first_try_back() -> None:
    """Revision 2 was handled but never committed, and its content has gone since: revision 1 is what a null ends."""
    ref = ContentRef(uri="u", sha256="0" * 64, size=4)
    content, catalogue = ingesting.StoredContent({"u": b"Text"}), ingesting.MemoryCatalogue()
    second = record(change(revision=2, content=None, content_ref=ref), 1)
    await ingesting.handler(catalogue).handle([record(change(revision=1), 0)])
    await ingesting.handler(catalogue, content=content).handle([second])
    content.contents.clear()
    refused, ended = await ingesting.handler(catalogue, content=content).handle([second, record(None, 2)])
    assert isinstance(refused, DeadLetter)
    got = decoded(outputs([ended])[0])
    assert (got.revision, got.epoch, got.deleted) == (1, 1, True)


class Held(ingesting.Direct):
    """Content and preparer in one, which count the contents that were fetched and not yet prepared."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def fetch(self, ref: ContentRef) -> bytes:
        """One byte."""
        self.now += 1
        self.most = max(self.most, self.now)
        return b"x"

    async def prepare(self, job: Job) -> Prepared:
        """Take a turn of the event loop, in which everything that may fetch does."""
        await asyncio.sleep(0)
        self.now -= 1
        return await super().prepare(job)


async def test_contents_by_reference_are_not_all_in_memory_at_once() -> None:
    """A batch of 40 small events may name 40 times the largest content: few of them are held at a time."""
    held = Held()
    fields = {"content": None, "content_ref": ContentRef(uri="u", sha256="0" * 64, size=1)}
    batch = [record(change(f"d{number}", **fields), number) for number in range(40)]
    done = await ingesting.handler(content=held, preparer=held).handle(batch)
    assert len(outputs(done)) == 40
    assert held.most == REFERENCED_AT_ONCE


def laned(sent: Record, offset: int, mode: str = "same") -> Record:
    """A record as a replay job sends it through the lane."""
    headers = (("roggia_replay_job", b"j1"), ("roggia_replay_mode", mode.encode()))
    return dataclasses.replace(sent, topic="doc.changed.replay", offset=offset, headers=headers)


@pytest.mark.parametrize("end", ["delete", "null", "nothing"])
async def test_a_lane_shows_the_newest_state_again_byte_for_byte(end: str) -> None:
    """The newest revision, alive or ended by whatever, is emitted again as it was; older ones are dropped as stale."""
    handler = ingesting.handler()
    log = [record(change(revision=1, domain="old"), 0), record(change(revision=2), 1)]
    log += {"delete": [record(delete(revision=3), 2)], "null": [record(None, 2)], "nothing": []}[end]
    first = outputs(await handler.handle(log))
    again = await handler.handle([laned(sent, place) for place, sent in enumerate(log)])
    assert again[0] == Drop("stale")
    shown = outputs(again)
    assert {output.value for output in shown} == {first[-1].value}
    assert ("roggia_replay_job", b"j1") in shown[-1].headers
    assert len(shown) == (2 if end == "null" else 1)


async def test_renew_raises_the_epoch_and_the_catalogue_remembers() -> None:
    """`renew` shows the newest state one epoch later, once per record; a redelivery of it gives the same bytes."""
    catalogue = ingesting.MemoryCatalogue()
    handler = ingesting.handler(catalogue)
    sent = record(change(revision=2), 0)
    await handler.handle([sent])
    (first,) = outputs(await handler.handle([laned(sent, 5, "renew")]))
    fresh = ingesting.handler(catalogue)
    fresh.assigned({Partition("doc.changed.replay", 0): 5, Partition("doc.changed", 0): 1})
    (redelivered,) = outputs(await fresh.handle([laned(sent, 5, "renew")]))
    (second,) = outputs(await fresh.handle([laned(sent, 6, "renew")]))
    assert first.value == redelivered.value
    assert [decoded(output).epoch for output in (first, second)] == [1, 2]
    assert decoded(second).event_id == decoded(first).event_id


async def test_renew_ends_what_is_deleted_again() -> None:
    """A record of a document that has ended since shows its deletion under a new epoch, never its content."""
    handler = ingesting.handler()
    sent = record(change(revision=2), 0)
    await handler.handle([sent, record(None, 1)])
    (output,) = outputs(await handler.handle([laned(sent, 0, "renew")]))
    assert (decoded(output).deleted, decoded(output).epoch) == (True, 2)
    (again,) = outputs(await handler.handle([laned(sent, 1, "renew")]))
    assert (decoded(again).epoch, decoded(again).event_id) == (3, decoded(output).event_id)


async def test_another_event_under_the_newest_revision_is_taken_by_renew_alone() -> None:
    """The first event won; compaction may leave only a second that says the same, so a repair takes that one."""
    handler = ingesting.handler()
    await handler.handle([record(change(revision=2), 0)])
    other = record(change(revision=2, event_id=ingesting.ID.format(77)), 1)
    assert await handler.handle([laned(other, 0)]) == [Drop("duplicate")]
    (output,) = outputs(await handler.handle([laned(other, 1, "renew")]))
    assert (decoded(output).revision, decoded(output).epoch) == (2, 1)
    assert decoded(output).parent_event_id == change(revision=2).event_id


async def test_a_live_state_that_was_never_committed_is_no_lane_records_past() -> None:
    """A crash left revision 2 in the catalogue alone: the lane's record of it is new, the live one then nothing new."""
    catalogue = ingesting.MemoryCatalogue()
    await ingesting.handler(catalogue).handle([record(change(revision=1), 0)])
    sent = record(change(revision=2), 1)
    await ingesting.handler(catalogue).handle([sent])
    handler = ingesting.handler(catalogue)
    handler.assigned({Partition("doc.changed", 0): 1, Partition("doc.changed.replay", 0): 0})
    (output,) = outputs(await handler.handle([laned(sent, 0, "renew")]))
    assert (decoded(output).revision, decoded(output).epoch) == (2, 0)
    assert await handler.handle([sent]) == [Drop("duplicate")]


def placed(sent: Record, offset: int) -> Record:
    """A lane's record that tells where it lay."""
    told = laned(sent, offset)
    more = {"topic": sent.topic, "partition": sent.partition, "offset": sent.offset}
    headers = tuple((f"roggia_replay_{name}", str(value).encode()) for name, value in more.items())
    return dataclasses.replace(told, headers=told.headers + headers)


async def test_a_null_outlasts_what_lay_before_it() -> None:
    """A redriven higher revision from before a null does not bring the document back; one from behind it does."""
    handler = ingesting.handler()
    await handler.handle([record(change(revision=1), 0), record(None, 5)])
    before, behind = record(change(revision=9), 3), record(change(revision=9), 6)
    assert await handler.handle([placed(before, 0), laned(before, 1)]) == [Drop("stale"), Drop("stale")]
    handler.assigned({Partition("doc.changed", 0): 7})
    assert len(outputs(await handler.handle([placed(behind, 2)]))) == 1


async def test_what_is_still_to_come_live_is_not_taken_from_the_lane() -> None:
    """A replay that reads beyond the group's position is ahead of live records that came first: those count."""
    handler = ingesting.handler()
    handler.assigned({Partition("doc.changed", 0): 1, Partition("doc.changed.replay", 0): 0})
    assert await handler.handle([placed(record(change(revision=2), 1), 0)]) == [Drop("ahead")]
    assert len(outputs(await handler.handle([placed(record(change(revision=1), 0), 1)]))) == 1


@pytest.mark.parametrize("moment", [10**18, 2**63 - 1, 253_402_300_800_000, -1])
async def test_a_null_of_any_time_ends_its_document(moment: int) -> None:
    """Publishers choose a record's timestamp: one that no calendar has must not stop ingest for everybody."""
    handler = ingesting.handler()
    await handler.handle([record(change(revision=1), 0)])
    (verdict,) = await handler.handle([dataclasses.replace(record(None, 1), timestamp_ms=moment)])
    (ended,) = outputs([verdict])
    assert decoded(ended).deleted


async def test_a_replay_into_another_collection_leaves_the_topic_of_chunk_sets_alone() -> None:
    """It goes on in the lane; one that is newer than what live has shown is left to live, which must not lose it."""
    handler = ingesting.handler()
    (live,) = outputs(await handler.handle([record(change(revision=1), 0)]))
    lane, headers = topics.replay(topics.DOC_CHANGED), ((replay.COLLECTION, b"trial"), (replay.MODE, b"renew"))
    one, two = (
        dataclasses.replace(record(change(revision=number), 5 + number), topic=lane, headers=headers)
        for number in (1, 2)
    )
    shown, newer = await handler.handle([one, two])
    (output,) = outputs([shown])
    assert (output.topic, output.value) == (topics.replay(live.topic), live.value)
    assert newer == Drop("aside")
    (after,) = outputs(await handler.handle([record(change(revision=2), 1)]))
    assert (after.topic, decoded(after).revision) == (live.topic, 2)
