"""A ledger and exports under one published checkpoint, and so many attacks on them: none may pass."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.checking.fsck import Check, Means
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.heads.sealing import Sealed, Sealer
from roggia_auditor.ledger.judging import Read
from roggia_auditor.ledger.model import Stream
from roggia_auditor.tlog.note import Note
from roggia_schemas.events import InferenceCompleted

from tests.support.anchoring import KEY, NEXT_KEY, ORIGIN, enter
from tests.support.attacking import Export, on_ledger
from tests.support.auditing import TOPIC, TOPIC_ID, inference, record
from tests.support.ingesting import codec

STREAMS = [Stream(TOPIC, TOPIC_ID, n) for n in range(2)]
TENANTS = ("acme", "beta", "gamma")
COUNTS = (90, 4)
"""Records of each partition between two seals: the first one gets more than a tile."""
SEALS = 3


def as_it_was(partition: int, at: int) -> InferenceCompleted:
    """The inference at a place: one in ten is acme's, so that its export is small."""
    tenant = "acme" if at % 10 == 3 else TENANTS[1 + at % 2]
    return inference(partition * 10_000 + at + 1, tenant_id=tenant)


async def filled(path: Path, made: Callable[[int, int], InferenceCompleted] = as_it_was) -> tuple[SqliteLedger, Sealed]:
    """Two partitions, sealed three times; the last seal. `made` says what is where."""
    ledger = SqliteLedger(path)
    await ledger.start()
    for part in range(SEALS):
        for n, (stream, count) in enumerate(zip(STREAMS, COUNTS, strict=True)):
            await enter(ledger, [_read(made, n, at) for at in range(part * count, (part + 1) * count)], stream)
        sealed = await Sealer(ledger, ORIGIN, KEY).seal()
    return ledger, sealed


def _read(made: Callable[[int, int], InferenceCompleted], partition: int, at: int) -> Read:
    event = made(partition, at)
    return Read(record(event, at, partition=partition), event)


def against(published: Note) -> Means:
    """What `roggia audit fsck --checkpoint` goes by: the log's keys, old and new, and what was published."""
    return Means(codec(), ORIGIN, keys=[KEY.verifier(), NEXT_KEY.verifier()], published=published)


async def check(ledger: SqliteLedger, means: Means) -> list[str]:
    """What does not hold."""
    return [f"{place}: {what}" for place, what in (await Check(ledger, means).run()).findings]


async def attack_ledger(path: Path, attacks: int, seed: int) -> None:
    """So many attacks, each on a fresh copy. Fails on the first that is not found, or not named."""
    ledger, sealed = await filled(path)
    chance, held = random.Random(seed), ledger._connection
    assert held is not None
    held.execute("PRAGMA journal_mode = DELETE")  # no copy in memory can have a write-ahead log
    whole, rules = held.serialize(), against(sealed.checkpoint)
    for number in range(attacks):
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        copy.deserialize(whole)
        attack = on_ledger(copy, chance)
        ledger._connection = copy
        found = await check(ledger, rules)
        copy.close()
        assert found, f"attack {number}, {attack.what}, was not found"
        assert any(place in one for one in found for place in attack.places), (number, attack, found)
    ledger._connection = held
    await ledger.stop()


async def attack_exports(folder: Path, attacks: int, seed: int) -> None:
    """The same with a tenant's export, by somebody who mends the manifest each time."""
    ledger, sealed = await filled(folder / "ledger.sqlite3")
    streams = {stream.origin(ORIGIN): stream for stream in STREAMS}
    for tenant in ("acme", "beta"):
        await TenantExport(ledger, sealed, streams).write(tenant, folder / tenant)
    await ledger.stop()
    export, chance = Export(folder / "acme", folder / "bad", folder / "beta"), random.Random(seed)
    places = ("records.jsonl:", "proof.json", "head.checkpoint", f"{ORIGIN}/")
    for number in range(attacks):
        kind, why = export.attack(chance)
        assert why, f"attack {number}, {kind}, was not found"
        assert any(name in why for name in places), (number, kind, why)
