"""Warnings and durations of a plan, from facts that the test makes up; the pace from what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from roggia_operator.replay.bounds import Bounds
from roggia_operator.replay.estimate import Figure
from roggia_operator.replay.outside import Newer
from roggia_operator.replay.pace import Pace, of_times
from roggia_operator.replay.plan import Plan, duration, embedding, lost, overtaken
from roggia_operator.replay.selection import OffsetRange, Selection
from roggia_operator.replay.survey import Found
from roggia_operator.replay.warnings import Facts, warnings
from roggia_runtime.ranges import Span
from roggia_runtime.records import Partition
from roggia_schemas.events import TenantStatus

DAY_MS = 86_400_000
ONE = Partition("doc.embedded.g1", 0)
FOUND = Found(
    keys=frozenset({b"a/1"}),
    records=Figure.counted(100),
    documents=Figure.counted(1),
    tokens=Figure.counted(5000),
    bytes=Figure.counted(10_000),
    overtaken=0,
    read=100,
    unreadable=0,
    oldest_ms=10 * DAY_MS,
)
LANE = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
COMPACT = {"cleanup.policy": "compact", "delete.retention.ms": str(DAY_MS)}
KNOWN = Facts(
    {"doc.changed": COMPACT, "doc.changed.replay": LANE, "doc.embedded.g1": LANE, "doc.embedded.g1.replay": LANE},
    {"a": TenantStatus.ACTIVE},
    (),
    11 * DAY_MS,
)
LEFT = replace(KNOWN, tenants={"a": TenantStatus.OFFBOARDED})
LEAVING = replace(KNOWN, tenants={"a": TenantStatus.OFFBOARDING})
CHANGED = Selection(topic="doc.changed", tenant="a")


def test_a_plan_without_a_flaw_warns_of_nothing() -> None:
    """A warning that always comes is one that nobody reads."""
    assert warnings(CHANGED, FOUND, [], KNOWN, 60) == []


@pytest.mark.parametrize(
    ("selection", "found", "known", "seconds", "words"),
    [
        (CHANGED, FOUND, replace(KNOWN, configs={"doc.changed": COMPACT}), 1, "the lane doc.changed.replay does not"),
        (CHANGED, replace(FOUND, overtaken=3), KNOWN, 1, "3 documents have a newer version outside"),
        (
            CHANGED,
            replace(FOUND, overtaken=None, newer=Newer(90, Figure(9, 4, 20))),
            KNOWN,
            1,
            "4 or more of the 90 doc",
        ),
        (CHANGED, replace(FOUND, unreadable=2), KNOWN, 1, "2 records cannot be read"),
        (CHANGED, FOUND, replace(KNOWN, running=("replay-x",)), 1, "job replay-x is open"),
        (CHANGED, FOUND, KNOWN, 2 * 86_400, "keeps deletions 24.0 h"),
        (CHANGED, FOUND, KNOWN, 8 * 86_400, "its lane keeps records for 7.0 d"),
        (Selection(topic="doc.embedded.g1"), replace(FOUND, oldest_ms=3 * DAY_MS), KNOWN, 1, "retention of doc.embed"),
        (
            Selection(topic="doc.changed", tenant="nobody"),
            replace(FOUND, keys=frozenset()),
            KNOWN,
            1,
            "tenant 'nobody' was found, and tenant.config does not have it",
        ),
        (
            Selection(topic="doc.changed", tenant="a", domain="dcos"),
            replace(FOUND, keys=frozenset()),
            KNOWN,
            1,
            "no record of tenant 'a' in domain 'dcos' was found",
        ),
        (
            Selection(topic="doc.changed", documents=("a/1", "a/2")),
            FOUND,
            KNOWN,
            1,
            "1 of 2 documents have no record",
        ),
        (CHANGED, replace(FOUND, keys=frozenset()), LEFT, 1, "tenant 'a' is OFFBOARDED: every stage drops its records"),
        (
            Selection(topic="doc.changed", documents=("a/2",)),
            FOUND,
            LEFT,
            1,
            "roggia tenants apply FILE --reactivate a",
        ),
        (Selection(topic="doc.changed"), FOUND, LEAVING, 1, "tenant 'a' is OFFBOARDING"),
    ],
)
def test_what_an_operator_should_know_is_said(
    selection: Selection, found: Found, known: Facts, seconds: float, words: str
) -> None:
    """Each danger by itself, in one line."""
    assert any(words in line for line in warnings(selection, found, [], known, seconds))


def test_a_range_that_the_topic_no_longer_holds_is_named() -> None:
    """By offsets it is certain; by time it is certain when the oldest record kept is younger than the range."""
    where = Bounds({ONE: Span(50, 90)}, {ONE: Span(50, 100)})
    assert lost(where, Selection(topic=ONE.topic, offsets=(OffsetRange(0, 10, 90),))) == [
        "offsets 10 to 50 of partition 0"
    ]
    assert lost(where, Selection(topic=ONE.topic, from_ms=1)) == ["what lay before offset 50 of partition 0"]
    assert lost(where, Selection(topic=ONE.topic)) == []
    assert lost(Bounds({ONE: Span(60, 90)}, where.held), Selection(topic=ONE.topic, from_ms=1)) == []


def test_the_slowest_of_limits_and_pace_says_how_long_it_takes() -> None:
    """Without any of them nobody can know, and the plan says so."""
    assert duration(FOUND, {}, Pace(0, "")) is None
    assert duration(FOUND, {"records": 10, "tokens": 100}, Pace(0, "")) == 50
    assert duration(FOUND, {"bytes": 1e6}, Pace(2, "")) == 50


def test_the_pace_is_that_of_busy_times() -> None:
    """Hours in which nothing was published do not make the pipeline slow; a handful of documents says nothing."""
    busy = [n * 100 for n in range(50)] + [10**7 + n * 100 for n in range(50)]
    assert of_times(busy).records_per_s == pytest.approx(10)
    assert of_times(busy[:5]).records_per_s == 0


@pytest.mark.parametrize(
    ("count", "newer", "words"),
    [
        (3, None, "3 documents"),
        (None, Newer(90, Figure.counted(4)), "4 of the 90 documents looked at"),
        (None, Newer(90, Figure(9, 4, 20)), "4 to 20 of the 90 documents looked at, from a sample"),
        (None, Newer(90, Figure(0, 0, 90)), "none seen to 90 of the 90 documents looked at, from a sample"),
    ],
)
def test_what_is_overtaken_is_counted_or_said_to_be_from_a_sample(
    count: int | None, newer: Newer | None, words: str
) -> None:
    """In words, and for scripts with its bounds."""
    f = FOUND
    planned = Plan(CHANGED, f.records, f.documents, f.bytes, f.tokens, count, 9, 9, {}, None, "", (), newer)
    assert overtaken(planned) == words
    seen = planned.as_json()["overtaken_of_seen"]
    assert (seen and (seen["documents"], seen["low"], seen["high"])) == (
        newer and (90, newer.found.low, newer.found.high)
    )


@pytest.mark.parametrize(
    ("topic", "tokens", "words"),
    [
        ("doc.chunked.c1", Figure.counted(5000), "at most 5,000; 0 where the vector cache holds them"),
        ("doc.changed", Figure.counted(5000), "at most about 5,000; 0 where the vector cache holds them"),
        ("doc.chunked.c1", Figure(5000, 4000, 6000), "at most about 6,000; 0 where the vector cache holds them"),
        ("doc.embedded.g1", Figure.counted(0), "none"),
    ],
)
def test_tokens_are_a_bound_and_called_one(topic: str, tokens: Figure, words: str) -> None:
    """Nobody reads the cost of a cold cache as the cost of the replay; of a sample, the upper end is the bound."""
    f = FOUND
    planned = Plan(
        Selection(topic=topic), f.records, f.documents, f.bytes, tokens, f.overtaken, 100, 100, {}, None, "", ()
    )
    assert embedding(planned) == words
    said = planned.as_json()
    assert said["tokens_at_most"] == tokens.high
    assert "tokens" not in said
