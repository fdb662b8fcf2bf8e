"""What the console makes of the operator's values, before any page is drawn."""

from __future__ import annotations

from collections import Counter

import pytest
from roggia_operator.console import picture
from roggia_operator.console.live_jobs import selection_of
from roggia_operator.console.live_letters import shown
from roggia_operator.dlq.jobs import Task
from roggia_operator.dlq.planning import Plan
from roggia_operator.dlq.selection import Selection
from roggia_operator.lag.history import GroupReport, LagReport, TopicReport
from roggia_operator.lag.monitor import Snapshot
from roggia_operator.lag.rates import Rates
from roggia_operator.lag.rules import Status
from roggia_operator.lag.searchable import Recent
from roggia_operator.lag.values import Freshness


def test_open_letters_are_counted_once_however_many_groups_a_stage_has() -> None:
    """Two generations are two groups of embed; its letters are the stage's all the same."""
    seen = _seen(Freshness(0.0, {}, exact=True, unconsumed={}), "roggia.embed.g1", "roggia.embed.g2")

    found = picture.pipeline(seen, Counter({"embed": 3, "query": 1}), 30.0)

    assert [hop.dead_letters for hop in found.hops] == [3, 3]
    assert found.dead_letters == 4


def test_the_oldest_event_is_unknown_when_some_group_could_not_be_measured() -> None:
    """The page must not show the oldest of those that happened to be read."""
    seen = _seen(Freshness(None, {"roggia.embed.g1": None}, exact=False, unconsumed={}), "roggia.embed.g1")

    fresh = picture.pipeline(seen, {}, 30.0).freshness

    assert (fresh.oldest_s, fresh.oldest_exact) == (None, False)


@pytest.mark.parametrize(
    ("send", "overtaken", "refused", "verb", "possible"),
    [
        (2, 1, {}, "Send 2 letters again", True),
        (0, 3, {}, "Close 3 without sending", True),
        (0, 0, {"has no key": 4}, "Send 0 letters again", False),
    ],
)
def test_letters_that_were_overtaken_can_be_closed(
    send: int, overtaken: int, refused: dict[str, int], verb: str, possible: bool
) -> None:
    """As on the command line: a redrive takes them off the list, though it sends nothing."""
    found = shown(
        Plan(
            Task(action="redrive", selection=Selection(fingerprint="0a1b2c3d4e5f")), send, overtaken, 0, refused, 0, 0,
            {}, {},
        )
    )  # fmt: skip

    assert found.verb == verb
    assert (found.refused == "") is possible


def test_a_time_with_a_zone_is_taken_at_its_word() -> None:
    """Eight in the morning two hours east of Greenwich is six there."""
    form = {"topic": "doc.changed", "since": "2026-01-31T08:00:00+02:00", "until": "2026-01-31T06:00:01"}

    found = selection_of(form)

    assert (found.to_ms or 0) - (found.from_ms or 0) == 1000


def _seen(fresh: Freshness, *groups: str) -> Snapshot:
    topic = TopicReport("doc.chunked.c1", Status.OK, 0, 0.0, 0.0, 0, Rates(0.0, 0.0, 0.0), ())
    reports = tuple(GroupReport(name, Status.OK, "Stable", 1, (topic,)) for name in groups)
    return Snapshot(LagReport(0, 60.0, reports, fresh), Recent().summary(), "")
