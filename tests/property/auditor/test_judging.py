"""What batches come to: the same however the log is cut, whatever comes twice."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_auditor import leaf as leaves
from roggia_auditor.leaf import Leaf, Status
from roggia_auditor.ledger.judging import Before, Read, Rules, judge
from roggia_auditor.ledger.model import Head, Known, Usage, UsageKey
from roggia_auditor.tlog import hashes

from tests.support.auditing import BOOK, NOON, STREAM, attempt, inference, read, record, root_of, usage

RULES = Rules(BOOK, {"beta": "Europe/Rome"})
TEXT = st.text(max_size=20)


def log(seed: int, count: int) -> list[Read]:
    """Inferences of three tenants, with duplicates, unpriced models, wrong clocks and unreadable bytes between."""
    chance, found = random.Random(seed), []
    for offset in range(count):
        kind = chance.random()
        event = inference(offset + 1, tenant_id=chance.choice(["acme", "beta", "gamma"]))
        if kind < 0.1 and found and (twin := chance.choice(found)).event is not None:
            found.append(read(twin.event, offset))
        elif kind < 0.15:
            found.append(Read(record(event, offset), None, "schema: not Avro"))
        elif kind < 0.2:
            found.append(read(event, offset, at=NOON - 400_000))
        elif kind < 0.3:
            found.append(read(inference(offset + 1, attempts=(attempt(model="unknown"), attempt())), offset))
        else:
            used = usage(input=chance.randrange(1000), output=chance.randrange(100))
            found.append(read(inference(offset + 1, tenant_id=event.tenant_id, attempts=(attempt(used),)), offset))
    return found


class Whole:
    """A ledger in memory: what drafts add up to."""

    def __init__(self) -> None:
        self.head, self.known = Head(), dict[str, Known]()
        self.sequences, self.usage = dict[str, int](), dict[UsageKey, Usage]()
        self.entries, self.duplicates = list[Leaf](), list[int]()

    def take(self, batch: list[Read]) -> None:
        """Judge and enter."""
        draft = judge(STREAM, batch, Before(self.head, self.sequences), self.known, RULES)
        self.head = draft.after
        self.sequences |= draft.sequences
        self.entries += [row.leaf for row in draft.rows]
        self.duplicates += [one.offset for one in draft.duplicates]
        for key, more in draft.usage.items():
            self.usage.setdefault(key, Usage()).add(more)

    def state(self) -> object:
        """Everything, for comparison."""
        return self.head, self.sequences, self.usage, self.entries, self.duplicates


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 5))
def test_the_same_log_makes_the_same_ledger_however_it_is_cut(seed: int, cuts: list[int], back: int) -> None:
    """Batches of any size, records that come again after a crash: leaves, sums, sequences and root are the same."""
    records = log(seed, sum(cuts))
    whole, pieces = Whole(), Whole()
    whole.take(records)
    at = 0
    for cut in cuts:
        pieces.take(records[max(0, at - back) : at + cut])
        at += cut
    assert pieces.state() == whole.state()
    assert whole.head.next_offset == len(records)
    assert whole.head.frontier.root() == root_of([hashes.leaf(one.encoded()) for one in whole.entries])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_leaves_tell_what_the_sums_hold(seed: int) -> None:
    """The amounts of rated leaves are the sums; a tenant's numbers have no gap; no event is there twice."""
    whole = Whole()
    whole.take(log(seed, 60))
    rated = [one for one in whole.entries if one.status is Status.RATED]
    assert sum(one.cost_pico or 0 for one in rated) == sum(cell.pico_usd for cell in whole.usage.values())
    counted = [one for one in whole.entries if one.status in {Status.RATED, Status.UNPRICED}]
    assert len(counted) == sum(cell.requests for cell in whole.usage.values())
    for tenant, last in whole.sequences.items():
        assert [one.tenant_seq for one in whole.entries if one.tenant == tenant] == list(range(1, last + 1))
    ids = [one.event_id for one in whole.entries if one.status is not Status.UNREADABLE]
    assert len(set(ids)) == len(ids)
    assert len(whole.entries) + len(whole.duplicates) == 60


def test_what_is_not_counted_is_in_the_tree_with_its_reason() -> None:
    """A wrong clock, an old event, a wrong key, counts that cannot be, a value of a later version: parked, not lost."""
    month = 31 * 24 * 3_600_000
    cases = [
        (read(inference(1), 0, at=NOON - 300_001), "occurred_at"),
        (read(inference(2), 1, at=NOON + month + 5 * 24 * 3_600_000), "occurred_at"),
        (Read(record(inference(3), 2), inference(3, tenant_id="other")), "key"),
        (read(inference(4, attempts=(attempt(usage(input=1, cache_read=2)),)), 3), "usage.input"),
        (read(inference(5, origin="UNKNOWN"), 4), "origin"),
    ]
    draft = judge(STREAM, [one for one, _ in cases], Before(Head(), {}), {}, RULES)
    assert [row.leaf.status for row in draft.rows] == [Status.PARKED] * len(cases)
    assert [row.leaf.reason.split(":")[0] for row in draft.rows] == [field for _, field in cases]
    assert not draft.usage
    assert draft.sequences == {"acme": 4}


@given(
    st.builds(
        Leaf,
        topic_id=st.uuids().map(str),
        partition=st.integers(0, 2**32 - 1),
        offset=st.integers(0, 2**63 - 1),
        appended_at=st.integers(0, 2**63 - 1),
        event_id=st.uuids().map(str),
        tenant=TEXT,
        tenant_seq=st.integers(0, 2**63 - 1),
        status=st.sampled_from(Status),
        reason=TEXT,
        period=TEXT,
        booked=TEXT,
        cost_pico=st.none() | st.integers(-(2**63), 2**63 - 1),
        price_version=TEXT,
        value_sha256=st.binary(min_size=32, max_size=32),
    )
)
def test_a_leaf_is_read_as_it_was_written(one: Leaf) -> None:
    """Every field survives; two leaves that differ have different bytes."""
    assert leaves.decoded(one.encoded()) == one
