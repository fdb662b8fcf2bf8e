"""The worker that seals and anchors, and keys that change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.errors import AnchorError, LedgerUnavailableError, NoteError, OvertakenError
from roggia_auditor.heads import continuing, rotation
from roggia_auditor.heads.anchoring import Anchoring
from roggia_auditor.heads.sealing import Sealer, Sealing, sealed_and_witnessed
from roggia_auditor.tlog import checkpoint, hashes, note, proofs
from roggia_auditor.tlog.note import Note, Signature

from tests.support.anchoring import HEAD, KEY, NEXT_KEY, NOW, ORIGIN, WITNESS, FakeAnchor, grow


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """Three records of two tenants."""
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    await made.start()
    await grow(made)
    yield made
    await made.stop()


def worker(ledger: SqliteLedger, **anchors: FakeAnchor) -> Sealing:
    """A worker with stores under these names; one that is called witness is a witness."""
    witnesses = {name: one for name, one in anchors.items() if name == "witness"}
    stores = {name: one for name, one in anchors.items() if name != "witness"}
    return Sealing(Sealer(ledger, ORIGIN, KEY), 0.01, Anchoring(ledger, HEAD, witnesses, stores, timeout_s=0.2))


async def sizes(ledger: SqliteLedger) -> list[int]:
    """Indexes of the head log's leaves."""
    return [one.index for one in await ledger.head_entries(0, 100)]


async def test_it_seals_what_is_new_and_nothing_else(ledger: SqliteLedger) -> None:
    """One leaf for the records that are there, none while nothing comes, one more for what comes then."""
    store = FakeAnchor()
    sealing = worker(ledger, store=store)
    running = asyncio.create_task(sealing.run())
    while not store.taken:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert await sizes(ledger) == [0]
    await grow(ledger)
    while len(store.taken) < 2:
        await asyncio.sleep(0.01)
    sealing.stop()
    await running
    assert await sizes(ledger) == [0, 1]
    assert [checkpoint.of(one).size for one in store.taken] == [1, 2]
    for one in store.taken:
        assert one.verified([KEY.verifier()]) == (KEY.verifier(),)


async def test_what_came_last_is_sealed_before_it_stops(ledger: SqliteLedger) -> None:
    """A service that ends between two looks leaves nothing without a checkpoint."""
    store = FakeAnchor()
    sealing = Sealing(Sealer(ledger, ORIGIN, KEY), 3600, Anchoring(ledger, HEAD, {}, {"store": store}))
    sealing.stop()
    await sealing.run()
    assert (await sizes(ledger), len(store.taken)) == ([0], 1)


async def test_an_anchor_that_was_away_catches_up(ledger: SqliteLedger) -> None:
    """Its trouble is a note with its name, the others go on; once it is back it has the newest, and the note goes."""
    good, bad = FakeAnchor(), FakeAnchor()
    sealing = worker(ledger, good=good, bad=bad)
    bad.trouble = AnchorError("it is away")
    await sealing._once()
    await grow(ledger)
    await sealing._once()
    assert [checkpoint.of(one).size for one in good.taken] == [1, 2]
    assert sealing.notes() == ["bad: checkpoint 2 not anchored: it is away"]
    assert sealing.health() == []
    bad.trouble = None
    await sealing._once()
    assert [checkpoint.of(one).size for one in bad.taken] == [2]
    assert len(good.taken) == 2
    assert sealing.notes() == []


async def test_an_anchor_that_hangs_holds_nothing_up(ledger: SqliteLedger) -> None:
    """It is given up after its time, and said to hang; the seal is there, the others have it."""

    class Hanging(FakeAnchor):
        async def publish(self, checkpoint: Note) -> tuple[Signature, ...]:
            await asyncio.Event().wait()
            return ()

    good = FakeAnchor()
    sealing = worker(ledger, good=good, hangs=Hanging())
    await sealing._once()
    assert sealing.notes() == ["hangs: checkpoint 1 not anchored: no answer within 0.2 s"]
    assert len(good.taken) == 1


async def test_after_a_restart_the_newest_checkpoint_is_brought_again(ledger: SqliteLedger) -> None:
    """Nobody knows what an anchor has taken: one that died before it had published is made up for."""
    await Sealer(ledger, ORIGIN, KEY).seal()
    store = FakeAnchor()
    await worker(ledger, store=store)._once()
    assert await sizes(ledger) == [0]
    assert [checkpoint.of(one).size for one in store.taken] == [1]


async def test_what_a_witness_signs_is_kept_and_goes_to_the_stores(ledger: SqliteLedger) -> None:
    """The checkpoint in the ledger, and that in the stores, hold the witness's signature; exports show it."""
    store = FakeAnchor()
    await worker(ledger, witness=FakeAnchor(WITNESS), store=store)._once()
    kept = await ledger.kept(HEAD)
    assert kept is not None
    both = [KEY.verifier(), WITNESS.verifier()]
    for one in (note.parse(kept[1]), store.taken[0]):
        assert one.verified(both) == tuple(both)
    assert note.witnessed_at(store.taken[0].signatures[1]) == NOW


async def test_a_checkpoint_is_not_kept_in_the_place_of_a_newer_one(ledger: SqliteLedger) -> None:
    """A witness that answers late signs what is no longer the newest: the ledger keeps the newest."""
    sealer = Sealer(ledger, ORIGIN, KEY)
    first = await sealer.seal()
    second = await sealer.seal()
    await ledger.keep(HEAD, 1, str(first.checkpoint))
    assert await ledger.kept(HEAD) == (2, str(second.checkpoint))


async def test_a_ledger_that_is_away_is_said(ledger: SqliteLedger) -> None:
    """The worker goes on, and seals when it is back."""
    store = FakeAnchor()
    sealing = worker(ledger, store=store)
    await ledger.stop()
    await sealing._once()
    assert ["seal: " in one for one in sealing.notes()] == [True]
    await ledger.start()
    await sealing._once()
    assert (sealing.notes(), len(store.taken)) == ([], 1)


async def test_an_export_seals_again_when_the_service_came_between(ledger: SqliteLedger) -> None:
    """A witness signs no smaller tree: the export takes a seal that it signs. Without any it is given up in the end."""
    anchors = Anchoring(ledger, HEAD, {"w": (fake := FakeAnchor(WITNESS))})

    class Once(FakeAnchor):
        async def publish(self, checkpoint: Note) -> list[Signature]:
            self.trouble = OvertakenError("larger") if not self.taken else None
            self.taken.append(checkpoint)
            if self.trouble is not None:
                raise self.trouble
            return [note.cosign(checkpoint.text, WITNESS, NOW)]

    sealer = Sealer(ledger, ORIGIN, KEY)
    found = await sealed_and_witnessed(sealer, Anchoring(ledger, HEAD, {"w": Once()}))
    assert (found.head_log.size, len(found.checkpoint.signatures)) == (2, 2)
    fake.trouble = OvertakenError("larger")
    found = await sealed_and_witnessed(sealer, anchors)
    assert (found.head_log.size, len(found.checkpoint.signatures)) == (5, 1)
    fake.trouble = AnchorError("away")
    found = await sealed_and_witnessed(sealer, anchors)
    assert (found.head_log.size, len(found.checkpoint.signatures)) == (6, 1)
    assert anchors.notes() == ["w: checkpoint 6 not anchored: away"]


async def test_everything_is_let_go(ledger: SqliteLedger) -> None:
    """Witnesses and stores."""
    witness, store = FakeAnchor(), FakeAnchor()
    await Anchoring(ledger, HEAD, {"w": witness}, {"s": store}).close()
    assert witness.closed
    assert store.closed


async def test_a_key_takes_another_s_place_in_the_open(ledger: SqliteLedger) -> None:
    """While both sign, whoever trusts either is served, and the log names both; once the old one is put away, the log
    names the new one alone. The leaves that say so are never the last ones under a checkpoint."""
    old, new = KEY.verifier(), NEXT_KEY.verifier()
    await Sealer(ledger, ORIGIN, KEY).seal()
    overlap = await Sealer(ledger, ORIGIN, NEXT_KEY, KEY).seal_new()
    assert overlap is not None, "other keys are a reason to seal"
    assert await Sealer(ledger, ORIGIN, NEXT_KEY, KEY).seal_new() is None
    for signed in (overlap.checkpoint, *overlap.logs.values()):
        assert signed.verified([old]) == (old,)
        assert signed.verified([new]) == (new,)
    after = await Sealer(ledger, ORIGIN, NEXT_KEY).seal_new()
    assert after is not None
    assert after.checkpoint.verified([old, new]) == (new,)
    with pytest.raises(NoteError, match="not trusted"):
        after.checkpoint.verified([old])
    kinds = [rotation.decoded(one.entry) for one in await ledger.head_entries(0, 10)]
    assert [None if keys is None else set(keys) for keys in kinds] == [None, {old, new}, None, {new}, None]


async def test_proofs_hold_across_a_rotation(ledger: SqliteLedger) -> None:
    """The newest leaf's path, and consistency from every earlier size of the head log to the last."""
    for keys in ((KEY,), (NEXT_KEY, KEY), (NEXT_KEY,)):
        sealed = await Sealer(ledger, ORIGIN, *keys).seal()
    size, root = sealed.head_log.size, sealed.head_log.root()
    leaf = hashes.leaf(sealed.state.head().encoded())
    proofs.check_inclusion(leaf, size - 1, size, sealed.path, root)
    for old in range(1, size + 1):
        before = (await continuing.edge(ledger, old)).root()
        proofs.check_consistency(old, size, await continuing.consistency(ledger, old, size), before, root)


async def test_a_seal_that_was_cut_off_behind_the_keys_is_made_up_for(ledger: SqliteLedger) -> None:
    """A crash between the two leaves: the keys are named once more, the checkpoint ends with a state."""
    await Sealer(ledger, ORIGIN, KEY).seal()
    held = (await ledger.everything()).head_log
    await ledger.append_head(held, rotation.encoded([NEXT_KEY.verifier()]), {})
    sealed = await Sealer(ledger, ORIGIN, NEXT_KEY).seal_new()
    assert sealed is not None
    assert sealed.head_log.size == 4
    assert (await ledger.head_entries(3, 1))[0].entry == sealed.state.head().encoded()


async def test_a_witness_s_signature_is_no_change_of_keys(ledger: SqliteLedger) -> None:
    """Kept with the checkpoint, it makes nobody write a leaf."""
    sealing = worker(ledger, witness=FakeAnchor(WITNESS))
    await sealing._once()
    await sealing._once()
    assert await sizes(ledger) == [0]


async def test_the_anchors_say_what_the_ledger_cannot_keep(ledger: SqliteLedger) -> None:
    """A ledger that went away while a witness signed is an error of the ledger, not of the witness."""
    sealed = await Sealer(ledger, ORIGIN, KEY).seal()
    await ledger.stop()
    with pytest.raises(LedgerUnavailableError):
        await Anchoring(ledger, HEAD, {"w": FakeAnchor(WITNESS)}).bring(sealed.checkpoint)
