"""Events of publications, their revisions, and the count of what became of them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace
from roggia.cli.publish import follow
from roggia.errors import UsageError
from roggia.publishing import events
from roggia.publishing.files import Candidate, gather
from roggia.publishing.job import Job
from roggia.publishing.publisher import Publisher, watched
from roggia.publishing.revision import RevisionClock
from roggia.publishing.tracker import Tracker
from roggia.publishing.watch import Tree, watching
from roggia_runtime.ids import uuid7
from roggia_schemas.events import DocUpserted, Operation
from roggia_schemas.names import check_revision
from watchfiles import Change

TARGET = events.Target("acme", "handbook", ("staff",))


def _source(content: bytes) -> events.Source:
    return events.Source("a.md", "text/markdown", content, "/docs/a.md", "A")


def _upserted(doc_id: str, revision: int, tenant: str = "acme", chunks: int = 3) -> DocUpserted:
    return DocUpserted(
        event_id=uuid7(), parent_event_id=uuid7(), occurred_at=1, indexed_at=2, tenant_id=tenant, domain="handbook",
        doc_id=doc_id, revision=revision, epoch=0, deleted=False, generation=1, collection="kb", model="m",
        chunks=chunks, added=chunks, kept=0, removed=0, embedded=chunks, cached=0,
    )  # fmt: skip


def test_revisions_grow_even_when_the_clock_stands_still_or_goes_back() -> None:
    """A revision that does not grow would be dropped as stale; each fits into 53 bits."""
    times = iter([2_000_000_000_000_000, 2_000_000_000_000_000, 1_000, 1_900_000_000_000_000_000])
    clock = RevisionClock(lambda: next(times))

    given = [clock.next() for _ in range(4)]

    assert given == sorted(set(given))
    assert given[0] == 2_000_000_000_000
    assert check_revision(given[-1]) == 1_900_000_000_000_000


def test_small_content_travels_inside_the_event_with_its_acl() -> None:
    """Exactly one of content and content_ref is set; who may read travels with the document."""
    event = events.changed(_source(b"# A"), TARGET, 7)

    assert (event.operation, event.content, event.content_ref) == (Operation.UPSERT, b"# A", None)
    assert (event.tenant_id, event.domain, event.doc_id, event.revision) == ("acme", "handbook", "a.md", 7)
    assert (event.acl, event.title, event.source) == (("staff",), "A", "/docs/a.md")


def test_large_content_goes_to_the_store_and_is_named_by_its_hash(tmp_path: Path) -> None:
    """The reference holds URI, SHA-256 and size of a copy, which stays what it is when the user's file changes."""
    content = b"x" * (events.INLINE_BYTES + 1)
    event = events.changed(_source(content), TARGET, 7, events.ContentStore(tmp_path))

    assert event.content is None
    assert event.content_ref is not None
    assert event.content_ref.sha256 == hashlib.sha256(content).hexdigest()
    assert event.content_ref.size == len(content)
    assert Path(urlsplit(event.content_ref.uri).path).read_bytes() == content
    assert tmp_path in Path(urlsplit(event.content_ref.uri).path).parents


def test_large_content_without_a_store_is_refused_with_the_remedy() -> None:
    """With a Kafka of the user's own there is no folder to guess: the message names the option."""
    with pytest.raises(UsageError, match=r"a\.md: 262145 bytes .*--content-dir"):
        events.changed(_source(b"x" * (events.INLINE_BYTES + 1)), TARGET, 7)


def test_a_deletion_carries_no_content() -> None:
    """DELETE has neither content nor ACL, and names the document exactly."""
    event = events.deleted("acme", "handbook", "a.md", 8)

    assert (event.operation, event.content, event.acl, event.doc_id) == (Operation.DELETE, None, (), "a.md")


def test_a_publication_settles_with_its_revision_or_a_later_one_of_its_tenant() -> None:
    """Older revisions, other tenants, other documents and an index that nobody reads settle nothing."""
    tracker = Tracker("acme", 1)
    tracker.expect("a.md", 10)
    others = (_upserted("a.md", 9), _upserted("b.md", 11), _upserted("a.md", 11, tenant="other"))
    for event in (*others, replace(_upserted("a.md", 11), generation=2)):
        tracker.upserted(event)
    assert tracker.settled == 0

    tracker.upserted(_upserted("a.md", 11))

    assert (tracker.settled, tracker.chunks, tracker.waiting) == (1, 3, {})


def test_a_dead_letter_settles_a_publication_as_failed_with_its_reason() -> None:
    """What went to a DLQ never becomes searchable: waiting for it would never end."""
    tracker = Tracker("acme", 1)
    tracker.expect("a.md", 10)
    tracker.dead_letter(b"other/a.md", {"__dlq.errors.message": "not ours"})
    tracker.dead_letter(b"acme/b.md", {"__dlq.errors.message": "not ours"})
    tracker.dead_letter(b"acme/a.md", {"__dlq.errors.message": "content: broken PDF"})

    assert [(one.doc_id, one.reason) for one in tracker.failed] == [("a.md", "content: broken PDF")]
    assert not tracker.waiting


def test_the_letters_of_an_index_that_nobody_reads_are_not_watched() -> None:
    """What a generation that fills cannot index is none of the publisher's business: readers have another one."""
    letters = ["doc.changed.dlq", "doc.chunked.c1.dlq", "doc.embedded.g1.dlq", "doc.embedded.g12.dlq"]
    assert watched([*letters, "doc.changed", "ops.job.dlq"], 1) == ["doc.upserted", *letters[:3]]
    assert watched(letters, 12) == ["doc.upserted", *letters[:2], letters[3]]


def test_watching_deletes_only_what_was_seen_to_go(tmp_path: Path) -> None:
    """A changed file is published, a vanished one deleted; one that was rewritten in place is never both."""
    kept, rewritten = tmp_path / "kept.md", tmp_path / "rewritten.md"
    kept.write_text("# kept")
    rewritten.write_text("# new")
    burst = [
        (Change.modified, kept),
        (Change.deleted, rewritten),  # editors delete and create: the file is there when we look
        (Change.deleted, tmp_path / "gone.md"),
        (Change.added, tmp_path / "never-there.md"),
        (Change.deleted, tmp_path / ".swp.md"),
        (Change.deleted, tmp_path / "picture.png"),  # was never published
    ]

    changes = Tree([tmp_path]).sort_out(burst)

    assert {one.doc_id for one in changes.files} == {"kept.md", "rewritten.md"}
    assert changes.gone == ("gone.md",)


def test_a_watched_file_keeps_the_source_that_publish_gave_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system reports absolute paths; a folder named `notes` gives `notes/a.md` all the same, as citations show."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("# a")

    changes = Tree([Path("notes")]).sort_out([(Change.modified, tmp_path.resolve() / "notes" / "a.md")])

    assert [str(one.path) for one in changes.files] == ["notes/a.md"]


def test_a_directory_that_comes_or_goes_takes_its_files_along(tmp_path: Path) -> None:
    """The kernel names the directory alone: its files are published, or deleted when it was moved away."""
    top = tmp_path / "docs"
    (top / "old" / "deep").mkdir(parents=True)
    (top / "old" / "deep" / "a.md").write_text("# a")
    (top / "older.md").write_text("# b")
    tree = Tree([top], "team")
    (top / "old").rename(tmp_path / "away")
    (top / "new" / ".git").mkdir(parents=True)
    (top / "new" / "c.md").write_text("# c")
    (top / "new" / ".git" / "d.md").write_text("# d")

    changes = tree.sort_out([(Change.added, top / "new"), (Change.deleted, top / "old")])
    assert [one.doc_id for one in changes.files] == ["team/new/c.md"]
    assert changes.gone == ("team/old/deep/a.md",)

    (top / "new").rename(top / "newer")
    changes = tree.sort_out([(Change.added, top / "newer"), (Change.deleted, top / "new")])
    assert [one.doc_id for one in changes.files] == ["team/newer/c.md"]
    assert changes.gone == ("team/new/c.md",)


async def test_a_file_that_cannot_be_published_does_not_end_the_watch(tmp_path: Path) -> None:
    """Gone again before it was read, or too large for this publisher: the others of the burst are published."""
    names = ("gone.md", "large.md", "good.md")
    burst = []
    for name in names:
        (tmp_path / name).write_bytes(b"x" * (events.INLINE_BYTES + 1 if name == "large.md" else 1))
        burst.append((Change.added, tmp_path / name))
    changes = Tree([tmp_path]).sort_out(burst)
    (tmp_path / "gone.md").unlink()
    published: list[events.Source] = []

    class Recorded(Job):
        async def publish(self, documents: Iterable[events.Source], *_: object, **__: object) -> Tracker:
            published.extend(documents)
            return Tracker("acme", 1)

    publisher = Publisher.__new__(Publisher)
    await follow(Recorded(publisher, TARGET, RevisionClock()), changes)
    assert [one.doc_id for one in published] == ["good.md"]


def test_a_folder_whose_name_is_not_unicode_can_be_published(tmp_path: Path) -> None:
    """The place that citations show is for people: what cannot be written there is replaced, the document arrives."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "a.md").write_text("# a")
    (found,) = gather([folder])
    assert isinstance(found, Candidate)
    event = events.changed(events.source(found), TARGET, 1)
    assert (event.doc_id, event.source) == ("a.md", f"{tmp_path}/caf?/a.md")


async def test_a_change_between_the_start_of_watching_and_the_first_look_is_not_missed(tmp_path: Path) -> None:
    """While `publish --watch` is still busy with what is there, files may change: they come with the first burst."""
    async with watching([tmp_path], "team") as bursts:
        (tmp_path / "new.md").write_text("# new")
        async with asyncio.timeout(20):
            changes = await anext(bursts)

    assert [one.doc_id for one in changes.files] == ["team/new.md"]
