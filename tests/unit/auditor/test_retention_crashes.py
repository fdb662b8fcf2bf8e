"""A crash at any step of sealing or dropping: nothing is lost, nothing is there twice, and the next run goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from roggia_auditor.adapters.segment_files import FolderSegments
from roggia_auditor.errors import LedgerConflictError, ProofError
from roggia_auditor.ledger.model import Row
from roggia_auditor.retention.acts import Kind
from roggia_auditor.retention.checking import check, covering, under
from roggia_auditor.retention.history import history
from roggia_auditor.retention.keeper import Keeper, again
from roggia_auditor.retention.planning import sealable
from roggia_auditor.retention.segment import Segment
from roggia_auditor.retention.worker import Policy, Retention
from roggia_auditor.tlog import checkpoint, hashes, note

from tests.support.auditing import STREAM
from tests.support.retaining import LATER, ORIGIN, Ground, hidden, sqlite_ground

WATCHED = ("seal", "move", "drop", "write", "manifest", "remove", "before")
"""Calls of ledger and files that a crash may come before or after."""


class Crash(BaseException):
    """The process is gone: nobody catches it."""


class Dying:
    """A ledger or a place for files that dies at one of its calls, before or after it is done."""

    def __init__(self, inner: Any, countdown: list[int]) -> None:
        self._inner, self._countdown = inner, countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in WATCHED:
            return found

        async def call(*given: Any, **named: Any) -> Any:
            self._tick()
            result = await found(*given, **named)
            self._tick()
            return result

        return call

    def _tick(self) -> None:
        self._countdown[0] -= 1
        if self._countdown[0] == 0:
            raise Crash


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """Two months over two tiles, signed and told."""
    made = sqlite_ground(tmp_path)
    await made.ledger.start()
    await made.month(1, 280)
    await made.month(2, 60)
    await made.signed()
    yield made
    await made.ledger.stop()


def worker(ledger: Any, files: Any, drop: int | None) -> Retention:
    """Retention as the service does it."""
    return Retention(ledger, files, Policy(ORIGIN, 0, drop), now=lambda: LATER)


async def dies(ground: Ground, step: int, drop: int | None) -> bool:
    """Work until the step; whether it came that far."""
    countdown = [step]
    try:
        await worker(Dying(ground.ledger, countdown), Dying(ground.files, countdown), drop).once()
    except Crash:
        return True
    return False


@pytest.mark.parametrize("step", range(1, 26))
async def test_a_crash_while_sealing_loses_nothing(ground: Ground, step: int) -> None:
    """After the crash everything is read as before; the next run seals what is left, once."""
    rows, root = await ground.rows(), await ground.root()
    await dies(ground, step, None)
    assert await ground.rows() == rows
    assert await ground.root() == root
    assert (await ground.verified("acme"))["complete"]
    await worker(ground.ledger, ground.files, None).once()
    assert await ground.rows() == rows
    assert await ground.root() == root
    assert [one.span.month for one in await ground.ledger.segments()] == ["2025-01", "2025-02"]
    assert [act.kind for act in (await history(ground.ledger)).acts] == [Kind.SEGMENT_SEALED] * 2
    for one in await ground.ledger.segments():
        await check(ground.ledger, ground.files, one)
        assert not await ground.ledger.move(one.span, 1)
    assert not list(ground.place.rglob("*.new"))


@pytest.mark.parametrize("step", range(1, 22))
async def test_a_crash_while_dropping_leaves_all_of_it_or_an_act(ground: Ground, step: int) -> None:
    """Either the records are there whole, or the acts say that they are not; the next run removes what is left."""
    await ground.seal()
    root = await ground.root()
    await dies(ground, step, 0)
    report, left = await ground.verified("beta"), len(await ground.rows())
    assert left == 340 - sum(one.span.end - one.span.first for one in await ground.ledger.segments() if one.dropped)
    assert hidden(report) == (0 if left == 340 else 93 if left == 60 else 113)
    await worker(ground.ledger, ground.files, 0).once()
    assert await ground.root() == root
    assert await ground.rows() == []
    assert not list(ground.place.rglob("*.parquet"))
    told = [act for act in (await history(ground.ledger)).acts if act.kind is Kind.RECORDS_DROPPED]
    assert len(told) == 6
    assert hidden(await ground.verified("beta")) == 113


async def test_every_step_is_among_those_that_crash(ground: Ground) -> None:
    """The numbers above reach beyond the last step: otherwise a step would not be tried."""
    assert await dies(ground, 18, None)
    assert not await dies(ground, 60, None)
    assert await dies(ground, 8, 0)
    assert not await dies(ground, 60, 0)


async def test_half_a_segment_is_none(ground: Ground) -> None:
    """What a crash left of the files is written over: a folder without its name, one without its act."""
    for name in ("2025-01-0-280.new", "2025-01-0-280"):
        place = ground.place / STREAM.topic / STREAM.topic_id / "0" / name
        place.mkdir(parents=True)
        (place / "records.parquet").write_bytes(b"half")
    rows = await ground.rows()
    assert len(await ground.seal()) == 2
    assert await ground.rows() == rows


async def test_a_segment_that_does_not_read_back_is_not_sealed(ground: Ground) -> None:
    """A disk that keeps other bytes than it was given: the records stay in the tables, and the worker goes on."""

    class Forgetful(Dying):
        def __getattr__(self, name: str) -> Any:
            if name != "write":
                return getattr(self._inner, name)

            async def write(*given: Any) -> Any:
                made = await self._inner.write(*given)
                path = ground.place / made.span.name / "records.parquet"
                raw = bytearray(path.read_bytes())
                raw[len(raw) // 3] ^= 1
                path.write_bytes(bytes(raw))
                os.sync()
                return made

            return write

    rows = await ground.rows()
    await worker(ground.ledger, Forgetful(ground.files, [0]), None).once()
    assert await ground.ledger.segments() == []
    assert await ground.rows() == rows
    assert not (await history(ground.ledger)).acts


def other_value(rows: Sequence[Row]) -> Sequence[Row]:
    """One value is another."""
    return [replace(rows[0], value=b"other"), *rows[1:]]


def other_entry(rows: Sequence[Row]) -> Sequence[Row]:
    """One amount is another, and the leaf hash fits it."""
    leaf = replace(rows[0].leaf, cost_pico=1)
    return [replace(rows[0], leaf=leaf, leaf_hash=hashes.leaf(leaf.encoded())), *rows[1:]]


def other_hash(rows: Sequence[Row]) -> Sequence[Row]:
    """One leaf hash is another."""
    return [replace(rows[0], leaf_hash=bytes(32)), *rows[1:]]


def one_less(rows: Sequence[Row]) -> Sequence[Row]:
    """A record is left out."""
    return [rows[0], *rows[2:]]


def swapped(rows: Sequence[Row]) -> Sequence[Row]:
    """Two records have changed places."""
    return [rows[1], rows[0], *rows[2:]]


@pytest.mark.parametrize("wrong", [other_value, other_entry, other_hash, one_less, swapped])
async def test_what_was_written_wrongly_is_not_sealed(
    ground: Ground, wrong: Callable[[Sequence[Row]], Sequence[Row]]
) -> None:
    """A writer with a fault, whose manifest fits what it wrote: the records themselves tell, and stay in the tables."""

    class Faulty(Dying):
        def __getattr__(self, name: str) -> Any:
            if name != "write":
                return getattr(self._inner, name)
            return lambda segment, pages, tiles: self._inner.write(segment, changed(pages), tiles)

    async def changed(pages: AsyncIterator[Sequence[Row]]) -> AsyncIterator[Sequence[Row]]:
        async for rows in pages:
            yield wrong(rows)

    rows = await ground.rows()
    await worker(ground.ledger, Faulty(ground.files, [0]), None).once()
    assert await ground.ledger.segments() == []
    assert await ground.rows() == rows


async def test_tiles_that_do_not_lead_to_the_signed_root_are_found(ground: Ground) -> None:
    """Any one hash of any tile over a segment that is another: none goes unseen between leaves and root."""
    found = (await sealable(ground.ledger, ORIGIN, LATER)).spans[0]
    signed = checkpoint.of(note.parse(found.checkpoint))
    tiles = await covering(ground.ledger, found.span, signed.size)
    leaves = [row.leaf_hash for row in await ground.rows()][: found.span.end]
    under(found.span, leaves, signed, tiles)
    assert {tile.path() for tile in tiles} == {"tile/0/000", "tile/0/001.p/84", "tile/1/000.p/1"}
    for tile, held in tiles.items():
        for at in (0, len(held) - 1):
            bad = {**tiles, tile: [bytes(32) if n == at else one for n, one in enumerate(held)]}
            with pytest.raises(ProofError):
                under(found.span, leaves, signed, bad)


async def test_the_worker_does_only_what_its_settings_say(ground: Ground) -> None:
    """Without a number of days nothing is sealed or dropped; with one, what is old enough and not held."""
    await Retention(ground.ledger, ground.files, Policy(ORIGIN, None, None), now=lambda: LATER).once()
    assert await ground.ledger.segments() == []
    name = await ground.hold("beta")
    await worker(ground.ledger, ground.files, 180).once()
    assert await ground.ledger.segments() == []
    await ground.lift(name)
    await worker(ground.ledger, ground.files, 699).once()
    assert [one.dropped for one in await ground.ledger.segments()] == [True, False]


async def test_two_who_seal_at_once_leave_one_segment_and_its_files(ground: Ground) -> None:
    """The service and somebody at the command line: the second is refused, also with an old plan."""
    plan = await sealable(ground.ledger, ORIGIN, LATER)
    other = FolderSegments(ground.place)
    second = Keeper(ground.ledger, other, ORIGIN, "somebody else", lambda: LATER)
    first = plan.spans[0]
    both = await asyncio.gather(
        ground.keeper.seal(first, plan.judged, "one"), second.seal(first, plan.judged, "two"), return_exceptions=True
    )
    assert [type(one) for one in both] == [Segment, LedgerConflictError], both
    with pytest.raises(LedgerConflictError, match="sealed meanwhile"):
        await second.seal(first, plan.judged, "with the plan of before")
    (sealed,) = await ground.ledger.segments()
    await check(ground.ledger, ground.files, sealed)
    assert await second.seal(plan.spans[1], await again(ground.ledger, plan.judged), "the next month")
