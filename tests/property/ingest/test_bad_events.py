"""Ten thousand records that can never be processed, with good ones between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_ingest.adapters.fetch import ContentFetcher, FetchPolicy
from roggia_runtime.records import DeadLetter, Done, Drop, Record, Verdict

from tests.support import bad_events, ingesting
from tests.support.bad_events import BadEvent

COUNT = 10_000
BATCH = 100


@pytest.fixture
async def fetcher(tmp_path: Path) -> AsyncIterator[ContentFetcher]:
    """Fetches from one host that is never reached, and from one folder."""
    policy = FetchPolicy(
        ("https", "file"), (bad_events.ALLOWED_HOST, "127.0.0.1", "[::1]", "::1"), (tmp_path,), False, 5
    )
    fetcher = ContentFetcher(policy)
    yield fetcher
    await fetcher.stop()


def as_record(bad: BadEvent, offset: int) -> Record:
    """The bad event at an offset."""
    return Record("doc.changed", 0, offset, 1_700_000_000_000, bad.key, bad.value)


def check(bad: BadEvent, verdict: Verdict) -> None:
    """The verdict is what the event says must become of it, and the message names the field."""
    if bad.drop:
        assert verdict == Drop(bad.drop), bad.name
        return
    assert isinstance(verdict, DeadLetter), (bad.name, verdict)
    assert verdict.kind == bad.kind, (bad.name, verdict)
    if bad.field:
        assert verdict.field == bad.field, (bad.name, verdict)
    assert verdict.message
    assert verdict.field in verdict.message
    assert "secret" not in verdict.message


async def test_every_bad_event_gets_its_reason_and_the_good_ones_between_arrive(
    fetcher: ContentFetcher, tmp_path: Path
) -> None:
    """Each is a dead letter that names its field, or a drop with its reason; every tenth record is good and is done."""
    handler = ingesting.handler(content=fetcher)
    await handler.handle([ingesting.record(bad_events.anchor(), 0)])
    seen: Counter[str] = Counter()
    offset = 1
    batch: list[tuple[BadEvent | None, Record]] = []
    for number, bad in enumerate(bad_events.generate(COUNT, 7, tmp_path)):
        batch.append((bad, as_record(bad, offset)))
        if number % 10 == 0:
            good = ingesting.change(f"good/{number}")
            batch.append((None, ingesting.record(good, offset + 1)))
        offset += 2
        if len(batch) >= BATCH or number == COUNT - 1:
            for (expected, _), verdict in zip(batch, await handler.handle([r for _, r in batch]), strict=True):
                if expected is None:
                    assert isinstance(verdict, Done)
                else:
                    check(expected, verdict)
                    seen[expected.name] += 1
            batch = []
    assert seen.total() == COUNT
    assert len(seen) >= 50
