"""Two events under one revision of one document: the first holds, and a second that says something else is told."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest
from roggia_ingest.adapters.rows import from_row, to_row
from roggia_ingest.admission import Admission
from roggia_ingest.handlers import IngestHandler, Limits
from roggia_runtime.records import DeadLetter, Done, Drop, Record, Verdict
from roggia_runtime.tenancy import Tenancy
from roggia_schemas.events import ContentRef

from tests.support import ingesting
from tests.support.ingesting import MemoryCatalogue, change, decoded, delete, outputs, record
from tests.support.tenants import config

OTHER_ID = ingesting.ID.format(77)
FIRST = change(revision=5, title="First", acl=("staff", "board"), metadata={"b": "2", "a": "1"})
OTHERWISE: list[dict[str, Any]] = [
    {"content": b"# a\n\nSomething else.\n"},
    {"acl": ("board",)},
    {"domain": "wiki"},
    {"title": None},
    {"metadata": {"a": "1"}},
    {"expires_at": 1_800_000_000_000},
    {"content_type": "text/plain"},
    {"content": b"# a\n\nThe publisher's id too.\n", "event_id": FIRST.event_id},
]
ALIKE: list[dict[str, Any]] = [
    {"event_id": OTHER_ID},
    {"occurred_at": FIRST.occurred_at + 60_000},
    {"acl": ("board", "staff", "board")},
    {"metadata": {"a": "1", "b": "2"}},
]


def again(**fields: Any) -> Record:
    """The first event once more, a place further, with other fields."""
    values: dict[str, Any] = {name: getattr(FIRST, name) for name in ("title", "acl", "metadata")}
    return record(change(**values | {"revision": 5, "event_id": OTHER_ID} | fields), 1)


def laned(sent: Record, offset: int, mode: str) -> Record:
    """A record as a replay job sends it through the lane."""
    headers = (("roggia_replay_job", b"j1"), ("roggia_replay_mode", mode.encode()))
    return dataclasses.replace(sent, topic="doc.changed.replay", offset=offset, headers=headers)


def told(verdict: Verdict) -> bool:
    """Whether a dead letter says which revision and event it is about, and what to do."""
    assert isinstance(verdict, DeadLetter), verdict
    words = ("revision: 5 ", FIRST.event_id, "higher revision")
    return (verdict.kind, verdict.field) == ("invalid", "revision") and all(word in verdict.message for word in words)


@pytest.mark.parametrize("apart", [False, True], ids=["one batch", "after a restart"])
@pytest.mark.parametrize("fields", OTHERWISE, ids=str)
async def test_other_content_under_a_known_revision_is_a_dead_letter(fields: dict[str, Any], apart: bool) -> None:
    """It neither wins nor is lost: the letter names revision and remedy, and the catalogue keeps what came first."""
    catalogue, sent = MemoryCatalogue(), [record(FIRST, 0), again(**fields)]
    if apart:
        await ingesting.handler(catalogue).handle(sent[:1])
        (verdict,) = await ingesting.handler(catalogue).handle(sent[1:])
    else:
        first, verdict = await ingesting.handler(catalogue).handle(sent)
        assert isinstance(first, Done)
    assert told(verdict)
    (kept,) = catalogue.entries.values()
    assert kept.current is not None
    assert (kept.current.event_id, kept.current.offset) == (FIRST.event_id, 0)


@pytest.mark.parametrize("fields", ALIKE, ids=str)
async def test_the_same_under_a_known_revision_is_a_duplicate(fields: dict[str, Any]) -> None:
    """A publisher that sends once more, under another id, at another time or in another order, has made no mistake."""
    verdicts = await ingesting.handler().handle([record(FIRST, 0), again(**fields)])
    assert verdicts[1] == Drop("duplicate")


async def test_content_is_the_same_inline_and_by_reference() -> None:
    """Where the bytes lie is not what the document says; other bytes at the same address are another content."""
    content = FIRST.content or b""
    refs = [
        ContentRef(uri="u", sha256=hashlib.sha256(one).hexdigest(), size=len(one)) for one in (content, content + b"!")
    ]
    same, other = (again(content=None, content_ref=ref) for ref in refs)
    _, first, second = await ingesting.handler().handle([record(FIRST, 0), same, dataclasses.replace(other, offset=2)])
    assert first == Drop("duplicate")
    assert told(second)


async def test_a_deletion_under_the_revision_of_the_content_is_told() -> None:
    """Dropped in silence, the document would stay for ever while its publisher thinks it gone; nor the other way."""
    ended = record(delete(revision=5, event_id=OTHER_ID), 1)
    assert told((await ingesting.handler().handle([record(FIRST, 0), ended]))[1])
    first = delete(revision=5, event_id=FIRST.event_id)
    verdicts = await ingesting.handler().handle([record(first, 0), again(), dataclasses.replace(ended, offset=2)])
    assert told(verdicts[1])
    assert verdicts[2] == Drop("duplicate")


async def test_a_null_does_not_make_the_mistake_good() -> None:
    """What was ended by a null stays ended: the same event is stale, another under its revision is told."""
    same, other = again(), again(content=b"Else.")
    sent = [
        record(FIRST, 0),
        record(None, 1),
        dataclasses.replace(same, offset=2),
        dataclasses.replace(other, offset=3),
    ]
    verdicts = await ingesting.handler().handle(sent)
    assert verdicts[2] == Drop("stale")
    assert told(verdicts[3])


async def test_an_older_revision_is_stale_whatever_it_says() -> None:
    """Only the newest revision is known by its content."""
    newer = record(change(revision=6), 1)
    sent = dataclasses.replace(again(content=b"Else."), offset=2)
    assert (await ingesting.handler().handle([record(FIRST, 0), newer, sent]))[2] == Drop("stale")


@pytest.mark.parametrize("mode", ["same", "renew"])
async def test_a_lane_takes_neither_for_the_other(mode: str) -> None:
    """Replayed, the first is shown again and the second is a letter again, also in `renew`, which makes a new epoch."""
    handler, sent = ingesting.handler(), [record(FIRST, 0), again(content=b"# a\n\nSomething else.\n")]
    (first,) = outputs(await handler.handle(sent))
    shown, refused = await handler.handle([laned(one, place, mode) for place, one in enumerate(sent)])
    assert told(refused)
    got = decoded(outputs([shown])[0])
    assert (got.content_sha256, got.chunks) == (decoded(first).content_sha256, decoded(first).chunks)
    assert got.epoch == (1 if mode == "renew" else 0)


async def test_a_redelivered_batch_is_judged_the_same() -> None:
    """After an abort the letters too come again as they were, not one verdict for another."""
    catalogue = MemoryCatalogue()
    batch = [record(FIRST, 0), again(content=b"Else."), dataclasses.replace(again(), offset=2)]
    first = await ingesting.handler(catalogue).handle(batch)
    assert await ingesting.handler(catalogue).handle(batch) == first


async def test_a_row_of_an_older_version_accuses_nobody() -> None:
    """A row that does not say what its event said: an equal revision is dropped as stale, and renewal fills it in."""
    catalogue, sent = MemoryCatalogue(), again(content=b"Else.")
    await ingesting.handler(catalogue).handle([record(FIRST, 0)])
    ((key, entry),) = catalogue.entries.items()
    row = to_row((key, entry))
    assert row is not None
    old = from_row((row[0], row[1], row[10].replace(f'"digest":"{entry.current.digest}",', ""), row[11]))  # type: ignore[union-attr]
    catalogue.entries = dict([old])
    handler = ingesting.handler(catalogue)
    assert await handler.handle([sent]) == [Drop("stale")]
    assert len(outputs(await handler.handle([laned(sent, 0, "renew")]))) == 1
    assert told((await handler.handle([dataclasses.replace(again(), offset=2)]))[0])


async def test_a_tenants_new_retention_makes_no_contradiction() -> None:
    """What is compared is what the publisher said, not what a configuration added that may have changed since."""
    catalogue = MemoryCatalogue()

    def handler(days: int | None) -> IngestHandler:
        return IngestHandler(
            topic=ingesting.TOPIC, codec=ingesting.codec(), catalogue=catalogue, content=ingesting.StoredContent(),
            preparer=ingesting.Direct(), chunker=ingesting.chunker(), limits=Limits(8 << 20, 64 << 20),
            admission=Admission(Tenancy({"acme": config("acme", retention_days=days)})),
        )  # fmt: skip

    await handler(30).handle([record(FIRST, 0)])
    assert await handler(7).handle([again()]) == [Drop("duplicate")]
