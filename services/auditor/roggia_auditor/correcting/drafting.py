"""The leaves of the correction log: what a batch of corrections changes in the ledger. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from roggia_auditor.correcting.correction import Correction, Ground
from roggia_auditor.leaf import Leaf, Status
from roggia_auditor.ledger.judging import Before
from roggia_auditor.ledger.model import CORRECTIONS, Corrected, Draft, row_of


class Made(NamedTuple):
    """A correction, and the bytes of its event."""

    correction: Correction
    value: bytes


def draft(batch: Sequence[Made], before: Before, ground: Ground) -> Draft:
    """For one transaction. It holds under `before`: whoever corrects at the same time makes it void."""
    found = Draft(CORRECTIONS, before.head, before.head)
    for one in batch:
        _enter(found, one, before, ground)
    found.close(before.head.frontier.size + len(found.rows), ground.limits)
    return found


def _enter(found: Draft, one: Made, before: Before, ground: Ground) -> None:
    correction, tenant = one.correction, one.correction.row.leaf.tenant
    number = found.number(tenant, before.sequences)
    index = before.head.frontier.size + len(found.rows)
    leaf = _leaf(one, index, number, ground.at)
    of = correction.row
    found.rows.append(row_of(leaf, index, ground.at, of.day, of.lookup, one.value))
    found.corrected[of.leaf.event_id] = Corrected(ground.at, correction.new_pico, correction.new_version)
    for key, more in correction.deltas.items():
        found.count(key, more)


def _leaf(one: Made, index: int, number: int, at: int) -> Leaf:
    """`offset` is the leaf's index, `cost_pico` what the correction adds, `reason` which event it is of."""
    correction = one.correction
    of = correction.row.leaf
    return Leaf(
        topic_id=CORRECTIONS.topic_id,
        partition=CORRECTIONS.partition,
        offset=index,
        appended_at=at,
        event_id=correction.event_id,
        tenant=of.tenant,
        tenant_seq=number,
        status=Status.RATED,
        reason=f"rerated: {of.event_id}",
        period=of.period,
        booked=correction.booked,
        cost_pico=correction.delta_pico,
        price_version=correction.new_version,
        value_sha256=hashlib.sha256(one.value).digest(),
    )
