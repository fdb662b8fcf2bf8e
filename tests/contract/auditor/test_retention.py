"""One suite for every ledger: records that move into segments, are held, and dropped."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_auditor.adapters.postgres_ledger import PostgresLedger
from roggia_auditor.adapters.segment_files import FolderSegments
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.correcting.choosing import Choice
from roggia_auditor.errors import HeldError, LedgerConflictError, LedgerError, ProofError, SegmentError
from roggia_auditor.ledger.judging import Rules, judge
from roggia_auditor.ledger.model import ACTS, CORRECTIONS, Draft, Stream
from roggia_auditor.retention.acts import Kind
from roggia_auditor.retention.checking import check
from roggia_auditor.retention.history import history, next_acts
from roggia_auditor.retention.keeper import Keeper
from roggia_auditor.retention.planning import droppable, sealable
from roggia_auditor.retention.segment import Segment

from tests.support.auditing import BOOK, STREAM, TOPIC, TOPIC_ID, inference, read
from tests.support.correcting import price, rerate
from tests.support.retaining import LATER, ORIGIN, TENANTS, Ground, hidden, in_month, sqlite_ground

OTHER = Stream(TOPIC, TOPIC_ID, 1)


@pytest.fixture(params=["sqlite", "postgres"])
async def ground(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ground]:
    """Every implementation of the port, with records of three months over more than two tiles, signed and told."""
    made = sqlite_ground(tmp_path)
    if request.param == "postgres":
        made.ledger = PostgresLedger(request.getfixturevalue("postgres_dsn"), segments=made.files)
    await made.ledger.start()
    for month, count in ((1, 300), (2, 150), (3, 160)):
        await made.month(month, count)
    await made.signed()
    yield made
    await made.ledger.stop()


async def test_months_are_told_by_the_brokers_clock_and_close_after_their_grace(ground: Ground) -> None:
    """Each month is one span of leaves; one that is not over, or so lately that it may still take events, is none."""
    plan = await sealable(ground.ledger, ORIGIN, LATER)
    assert [(one.span.month, one.span.first, one.span.end) for one in plan.spans] == [
        ("2025-01", 0, 300), ("2025-02", 300, 450), ("2025-03", 450, 610),
    ]  # fmt: skip
    assert [one.waits for one in plan.spans] == ["", "", ""]
    end = in_month(4) - 36 * 3_600_000
    day = 24 * 3_600_000
    assert [one.span.month for one in (await sealable(ground.ledger, ORIGIN, end + day)).spans][-1] == "2025-02"
    assert [one.span.month for one in (await sealable(ground.ledger, ORIGIN, end + day + 1)).spans][-1] == "2025-03"


async def test_what_has_moved_is_read_as_if_it_had_not(ground: Ground) -> None:
    """Records, one tenant's records, look-ups, tiles, sums: byte for byte what they were, whatever page they are on."""
    rows, root = await ground.rows(), await ground.root()
    usage = [await ground.ledger.usage(tenant, "") for tenant in TENANTS]
    of_beta = list(await ground.ledger.tenant_rows(STREAM, "beta", 1, 1000))
    assert len(await ground.seal()) == 3
    assert await ground.rows() == rows
    assert await ground.root() == root
    assert list(await ground.ledger.tenant_rows(STREAM, "beta", 1, 1000)) == of_beta
    assert list(await ground.ledger.tenant_rows(STREAM, "beta", 95, 20)) == of_beta[94:114]
    assert [row.index for row in await ground.ledger.rows(STREAM, 298, 4)] == [298, 299, 300, 301]
    for field, value in (("request_id", "req-7"), ("event_id", inference(7).event_id)):
        ((stream, leaf, index),) = await ground.ledger.find(field, value, 10)
        assert await ground.ledger.find(field, value, 10, [leaf.tenant]) == [(stream, leaf, index)]
        assert await ground.ledger.find(field, value, 10, ["nobody"]) == []
        assert (stream, leaf.offset, index) == (STREAM, 6, 6)
    assert [await ground.ledger.usage(tenant, "") for tenant in TENANTS] == usage
    report = await ground.verified("acme")
    assert (report["complete"], report["records"]) == (True, 204)


async def test_new_records_go_on_behind_a_segment(ground: Ground) -> None:
    """A tile that is half in a segment and half in the tables makes the same tree; a later month is sealed behind."""
    await ground.seal()
    await ground.month(4, 200)
    await ground.signed()
    rows, root = await ground.rows(), await ground.root()
    assert len(rows) == 810
    assert root == (await ground.ledger.heads([STREAM]))[STREAM].frontier.root()
    assert len(await ground.seal()) == 1
    assert await ground.rows() == rows
    assert await ground.root() == root


@pytest.mark.parametrize("dropped", [False, True])
async def test_events_stay_known_after_their_records_moved(ground: Ground, dropped: bool) -> None:
    """The window of duplicates is as long as the ledger: also for entries that are in a segment, or gone."""
    first = await ground.seal()
    assert bool(await ground.drop(["2025-01"])) if dropped else first
    twice = inference(1, tenant_id="acme", occurred_at=in_month(1))
    made = await ground.enter([read(twice, 610), read(inference(1, request_id="other"), 611)])
    assert not made.rows
    assert [(one.same, one.tenant) for one in made.duplicates] == [(True, "acme"), (False, "acme")]


async def test_an_auditor_that_slept_cannot_enter_an_event_again(ground: Ground) -> None:
    """Judged before the event was there, written after its record moved: refused whole."""
    event = inference(9_001, tenant_id="acme", occurred_at=in_month(3))
    late = read(event, 0, at=in_month(3))
    found = await ground.ledger.before({OTHER: ["acme"]}, [event.event_id])
    stale = judge(OTHER, [late], found.streams[OTHER], {}, Rules(BOOK, {}))
    await ground.enter([read(event, 610, at=in_month(3) + 700 * 60_000)])
    await ground.signed()
    await ground.seal()
    with pytest.raises(LedgerConflictError):
        await ground.ledger.append([stale])
    assert OTHER not in await ground.ledger.streams()


async def test_a_dropped_segment_leaves_hashes_numbers_and_an_act(ground: Ground) -> None:
    """Entries and values are gone, files too; tree, sums and proofs stand, and every tenant is told which numbers."""
    root, usage = await ground.root(), await ground.ledger.usage("acme", "")
    await ground.seal()
    names = await ground.drop(["2025-02"])
    assert names
    assert {path.name[:7] for path in ground.place.glob("*/*/*/*")} == {"2025-01", "2025-03"}
    assert [row.index for row in await ground.rows()] == [*range(300), *range(450, 610)]
    assert await ground.ledger.find("request_id", "req-301", 5) == []
    assert await ground.root() == root
    assert await ground.ledger.usage("acme", "") == usage
    told = await history(ground.ledger)
    assert [act.kind for act in told.acts] == [Kind.SEGMENT_SEALED] * 3 + [Kind.RECORDS_DROPPED] * 3
    report = await ground.verified("acme")
    assert (report["complete"], report["records"], hidden(report)) == (False, 154 + 1, 50)
    (part,) = report["not_shown"]  # type: ignore[misc]
    assert (part["first"], part["last"], part["month"], part["by"]) == (101, 150, "2025-02", "tester")
    assert part["pico_usd"] == str(50 * 350_000_000)


async def test_who_kept_an_export_can_tell_what_was_dropped(ground: Ground) -> None:
    """The act holds the hash over the leaf hashes of the tenant's records, in their order."""
    before = await ground.ledger.tenant_rows(STREAM, "gamma", 1, 100)
    await ground.seal()
    await ground.drop(["2025-01"])
    (part,) = (await ground.verified("gamma"))["not_shown"]  # type: ignore[misc]
    kept = before[part["first"] - 1 : part["last"]]
    assert part["leaves_sha256"] == hashlib.sha256(b"".join(row.leaf_hash for row in kept)).hexdigest()


async def test_a_hold_stops_sealing_and_dropping_of_what_it_touches(ground: Ground) -> None:
    """By tenant and time: what it does not touch goes; once lifted, the rest goes as well. Both stay in the log."""
    name = await ground.hold("beta", since=in_month(2), until=in_month(3) - 48 * 3_600_000)
    assert [one.rsplit("/", 1)[1][:7] for one in await ground.seal()] == ["2025-01", "2025-03"]
    plan = await sealable(ground.ledger, ORIGIN, LATER)
    assert [(one.span.month, name in one.waits) for one in plan.spans] == [("2025-02", True)]
    with pytest.raises(HeldError, match=name):
        await ground.keeper.seal(plan.spans[0], plan.judged, "test")
    await ground.lift(name)
    await ground.seal()
    everything = await ground.hold()
    assert await ground.drop() == []
    await ground.lift(everything)
    assert len(await ground.drop()) == 3
    (first, second) = (await history(ground.ledger)).holds
    assert (first.reason, first.lifted and first.lifted.reason, second.tenant) == ("a matter", "over", "")
    with pytest.raises(HeldError, match="lifted already"):
        await ground.lift(name)


async def test_a_hold_touches_corrections_of_what_it_holds(ground: Ground) -> None:
    """An inference of January, corrected in May: May's segment of the correction log waits for a hold of January."""
    book = BOOK.extended([price("half", in_month(4))])
    await rerate(ground.ledger, book, Choice(tenant="beta"), at=in_month(5))
    await ground.signed()
    name = await ground.hold("beta", since=in_month(1), until=in_month(1) + 24 * 3_600_000)
    waits = {one.span.stream: one.waits for one in (await sealable(ground.ledger, ORIGIN, ground.now)).spans}
    assert waits[CORRECTIONS].startswith(f"{name} holds tenant beta")
    await ground.lift(name)
    await ground.hold("beta", since=in_month(7))
    waits = {one.span.stream: one.waits for one in (await sealable(ground.ledger, ORIGIN, ground.now)).spans}
    assert waits[CORRECTIONS] == "", "no hold, and nothing else, is in the way"


async def test_a_hold_that_comes_between_plan_and_act_wins(ground: Ground) -> None:
    """Whoever planned before it is refused, and nothing has moved: acts have one order, each knows those before."""
    plan = await sealable(ground.ledger, ORIGIN, LATER)
    await ground.hold("acme")
    with pytest.raises(LedgerConflictError):
        await ground.keeper.seal(plan.spans[0], plan.judged, "test")
    assert await ground.ledger.segments() == []
    await ground.lift("hold-0")
    await ground.seal()
    dropping = await droppable(ground.ledger, LATER)
    await ground.hold("acme")
    with pytest.raises(LedgerConflictError):
        await ground.keeper.drop(dropping.segments[0], dropping.judged, "test")
    assert not [one for one in await ground.ledger.segments() if one.dropped]
    assert len(await ground.rows()) == 610


async def test_a_segment_is_sealed_once_and_dropped_once(ground: Ground) -> None:
    """The same leaves cannot be in two segments, nothing is dropped twice, and not while records are in the tables."""
    await ground.seal()
    one = (await ground.ledger.segments())[0]
    with pytest.raises(LedgerConflictError):
        await ground.ledger.seal(one, await acts(ground))
    await ground.ledger.drop(one.span, await acts(ground))
    with pytest.raises(LedgerConflictError):
        await ground.ledger.drop(one.span, await acts(ground))


async def acts(ground: Ground) -> Draft:
    """Some act, as a draft."""
    judged = await history(ground.ledger)
    return await next_acts(ground.ledger, judged, [judged.acts[0]])


async def test_records_in_the_tables_are_not_dropped(ground: Ground) -> None:
    """A segment that was entered and not emptied cannot be dropped: its records would be read as if they were kept."""
    await ground.hold("nobody-else")
    last = (await sealable(ground.ledger, ORIGIN, LATER)).spans[-1]
    await ground.ledger.seal(Segment(last.span, last.newest, last.shares, last.checkpoint), await acts(ground))
    with pytest.raises(LedgerError, match="still in the tables"):
        await ground.ledger.drop(last.span, await acts(ground))
    assert await ground.ledger.move(last.span, 2) == 160
    assert await ground.ledger.move(last.span, 2) == 0


async def test_a_segment_that_was_changed_is_found(ground: Ground) -> None:
    """Any of its files, by the hash in its manifest; the manifest, by what was sealed."""
    await ground.seal()
    (one, *_) = await ground.ledger.segments()
    await check(ground.ledger, ground.files, one)
    place = ground.place / one.span.name
    for name in ("records.parquet", "tiles.tar", "manifest.json"):
        whole = (place / name).read_bytes()
        (place / name).write_bytes(whole.replace(b"acme", b"ACME") if name == "manifest.json" else whole[:-1] + b"?")
        with pytest.raises((SegmentError, ProofError), match=one.span.name):
            await check(ground.ledger, ground.files, one)
        (place / name).write_bytes(whole)
    await check(ground.ledger, ground.files, one)


async def test_a_segment_proves_itself_with_foreign_tools(ground: Ground) -> None:
    """Tiles in the layout of C2SP tlog-tiles; the manifest holds the signed checkpoint that they lead to."""
    await ground.seal()
    segment = (await ground.ledger.segments())[0]
    place = ground.place / segment.span.name
    said = json.loads((place / "manifest.json").read_text())
    assert said["checkpoint"].startswith(f"{STREAM.origin(ORIGIN)}\n610\n")
    with tarfile.open(place / "tiles.tar") as tiles:
        assert tiles.getnames() == ["tile/0/000", "tile/0/001", "tile/0/002.p/98", "tile/1/000.p/2"]
        first = tiles.extractfile("tile/0/000")
        assert first is not None
        assert first.read() == b"".join(row.leaf_hash for row in (await ground.rows())[:256])


async def test_what_is_not_signed_or_not_told_waits(ground: Ground) -> None:
    """No checkpoint over it, or records that consumers of audit.recorded have not been sent: it stays in the tables."""
    await ground.month(4, 20)
    plan = await sealable(ground.ledger, ORIGIN, LATER)
    assert "checkpoint" in plan.spans[-1].waits
    await ground.signed()
    await ground.ledger.tell_rows(STREAM, 629)
    plan = await sealable(ground.ledger, ORIGIN, LATER)
    assert "audit.recorded" in plan.spans[-1].waits
    await ground.seal()
    assert [one.span.month for one in (await sealable(ground.ledger, ORIGIN, LATER)).spans] == ["2025-04"]


async def test_acts_are_a_log_like_any_other_and_never_go(ground: Ground) -> None:
    """Their tree has the root that the head log commits to; a tenant sees its own, a hold is the operator's alone."""
    await ground.hold("acme")
    await ground.lift("hold-0")
    await ground.seal()
    await ground.drop()
    assert await ground.root(ACTS) == (await ground.ledger.heads([ACTS]))[ACTS].frontier.root()
    assert all(one.span.stream == STREAM for one in (await sealable(ground.ledger, ORIGIN, LATER * 2)).spans)
    report = await ground.verified("acme")
    assert report["records"] == 3
    assert hidden(report) == 204


async def test_a_ledger_that_was_not_told_where_its_segments_are_says_so(tmp_path: Path) -> None:
    """It names the setting; it does not pass off what has moved as what never was."""
    ground = sqlite_ground(tmp_path)
    await ground.ledger.start()
    await ground.month(1, 10)
    await ground.signed()
    await ground.seal()
    await ground.ledger.stop()
    other = SqliteLedger(tmp_path / "ledger.sqlite3")
    await other.start()
    with pytest.raises(SegmentError, match="ROGGIA_AUDITOR_SEGMENTS"):
        await other.rows(STREAM, 0, 10)
    await other.stop()


async def test_a_segment_that_is_elsewhere_is_not_dropped(ground: Ground, tmp_path: Path) -> None:
    """The wrong folder: an act that says that its entries are gone would be a lie."""
    await ground.seal()
    plan = await droppable(ground.ledger, LATER)
    elsewhere = Keeper(ground.ledger, FolderSegments(tmp_path / "elsewhere"), ORIGIN, "tester", lambda: LATER)
    with pytest.raises(SegmentError, match="not in this folder"):
        await elsewhere.drop(plan.segments[0], plan.judged, "test")
    assert len(await ground.rows()) == 610
