"""The auditor as a service: one instance finishes what retention and erasure left undone."""

from __future__ import annotations

import asyncio
import base64
import time
from pathlib import Path

from roggia_auditor.adapters.sqlite_payloads import SqliteCiphertexts, SqliteKeys
from roggia_auditor.payloads.envelope import MasterKey
from roggia_auditor.payloads.erasing import Eraser
from roggia_auditor.payloads.ports import Place
from roggia_auditor.payloads.vault import Vault
from roggia_runtime.settings import KafkaSettings

from tests.support.auditor_fleet import Auditor, prepare
from tests.support.kafka import Broker
from tests.support.retaining import KEY, ORIGIN, sqlite_ground

PLACE = Place("acme", "subject-7", "event-1", "prompt")


class Broken(Vault):
    """A vault whose process dies before a key is destroyed."""

    async def forget(self, key_id: str) -> bool:
        """Never comes that far."""
        raise ConnectionError(key_id)


async def test_the_service_seals_drops_and_finishes_an_erasure(devstack_alone: Broker, tmp_path: Path) -> None:
    """By its settings: months of long ago are sealed and dropped, and a key that an act has doomed is destroyed."""
    kafka = KafkaSettings(bootstrap=devstack_alone.bootstrap)
    await prepare(kafka, [])
    (tmp_path / "master.key").write_text(base64.b64encode(bytes(range(32))).decode())
    (tmp_path / "head.key").write_text(KEY.text())
    keys, bodies = SqliteKeys(tmp_path / "keys.sqlite3"), SqliteCiphertexts(tmp_path / "payloads.sqlite3")
    vault = Broken(MasterKey.read(tmp_path / "master.key"), keys, bodies)
    ground = sqlite_ground(tmp_path)
    await ground.ledger.start()
    await vault.start()
    await ground.month(1, 20)
    await ground.signed()
    await vault.put(PLACE, b"a prompt", 1)
    eraser = Eraser(ground.ledger, vault, "tester")
    try:
        await eraser.erase(await eraser.plan("acme", "subject-7"), "asked for")
    except ConnectionError:
        assert await vault.get(PLACE) == b"a prompt"
    auditor = Auditor(
        devstack_alone,
        f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
        tmp_path / "auditor.log",
        ROGGIA_AUDITOR_ORIGIN=ORIGIN,
        ROGGIA_AUDITOR_SIGNING_KEY=str(tmp_path / "head.key"),
        ROGGIA_AUDITOR_SEGMENTS=str(tmp_path / "segments"),
        ROGGIA_AUDITOR_SEAL_AFTER_DAYS="0",
        ROGGIA_AUDITOR_DROP_AFTER_DAYS="180",
        ROGGIA_AUDITOR_RETENTION_INTERVAL_S="0.3",
        ROGGIA_AUDITOR_PAYLOADS=f"sqlite:///{tmp_path / 'payloads.sqlite3'}",
        ROGGIA_AUDITOR_PAYLOAD_KEYS=f"sqlite:///{tmp_path / 'keys.sqlite3'}",
        ROGGIA_AUDITOR_PAYLOAD_MASTER_KEY=str(tmp_path / "master.key"),
    )
    await asyncio.to_thread(auditor.start)
    try:
        deadline = time.monotonic() + 90
        while not [one for one in await ground.ledger.segments() if one.dropped] or await vault.get(PLACE):
            assert time.monotonic() < deadline, (tmp_path / "auditor.log").read_text()[-3000:]
            await asyncio.sleep(0.2)
        assert await asyncio.to_thread(auditor.stop) == 0
    finally:
        auditor.kill()
    assert await ground.rows() == []
    assert (await ground.verified("acme"))["complete"] is False
    await vault.stop()
    await ground.ledger.stop()
