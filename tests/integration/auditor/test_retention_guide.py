"""docs/how-to/retention-and-erasure.md, as it stands: its commands in its order, on a ledger with two old months."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest
from roggia_auditor.adapters.sqlite_payloads import SqliteCiphertexts, SqliteKeys
from roggia_auditor.payloads.envelope import MasterKey
from roggia_auditor.payloads.ports import Place
from roggia_auditor.payloads.vault import Vault

from tests.support.guides import Guide, call
from tests.support.retaining import KEY, ORIGIN, in_month, sqlite_ground

GUIDE = Guide("retention-and-erasure.md")
PLACE = Place("acme", "subject-7", "event-1", "prompt")


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """Everything that the guide's settings name, below a folder of the test; two months, signed and told; a payload."""
    monkeypatch.chdir(tmp_path)
    exports = re.findall(r"^export (\w+)=(\S+)", GUIDE.blocks("bash")[0], re.MULTILINE)
    named = {name: value.replace("/srv/roggia", str(tmp_path)) for name, value in exports}
    named["ROGGIA_AUDITOR_PAYLOAD_MASTER_KEY"] = str(tmp_path / "master.key")
    (tmp_path / "head.key").write_text(KEY.text())
    own = {"LEDGER": f"sqlite:///{tmp_path / 'ledger.sqlite3'}", "ORIGIN": ORIGIN, "SIGNING_KEY": "head.key"}
    for name, value in {**named, **{f"ROGGIA_AUDITOR_{name}": value for name, value in own.items()}}.items():
        monkeypatch.setenv(name, value)
    subprocess.run(["sh", "-c", GUIDE.script("umask")], check=True, cwd=tmp_path, timeout=20)
    assert not (tmp_path / "master.key").stat().st_mode & 0o077
    made = Vault(
        MasterKey.read(tmp_path / "master.key"),
        SqliteKeys(tmp_path / "keys" / "keys.sqlite3"),
        SqliteCiphertexts(tmp_path / "payloads.sqlite3"),
    )
    asyncio.run(filled(tmp_path, made))
    return made


async def filled(path: Path, vault: Vault) -> None:
    """January and February of 2025."""
    ground = sqlite_ground(path)
    await ground.ledger.start()
    await ground.month(1, 30)
    await ground.month(2, 30)
    await ground.signed()
    await ground.ledger.stop()
    await vault.start()
    await vault.put(PLACE, b"a prompt", in_month(3))
    await vault.stop()


async def kept(vault: Vault) -> bytes | None:
    """The payload."""
    await vault.start()
    try:
        return await vault.get(PLACE)
    finally:
        await vault.stop()


@pytest.mark.usefixtures("vault")
def test_seal_hold_and_drop(tmp_path: Path) -> None:
    """Plans change nothing; what is held stays; what is dropped is told, and the verifier refuses it where asked to."""
    plan, seal, listed, check = GUIDE.commands("audit segments")[:4]
    planned, drop = GUIDE.commands("audit segments drop")
    place, place_all, holds, lift, every = GUIDE.commands("audit hold")
    assert "2025-01-0-30" in call(plan)
    assert "No segments" in call(listed)
    call(seal)
    assert call(listed).count("sealed") == 2
    assert "2 segments: all of it holds" in call(check)
    assert "hold-2: placed" in call(place)
    assert "hold-3: placed" in call(place_all)
    assert "matter 17" in call(holds)
    assert "hold-3 holds every tenant" in call(f"{planned} --json")
    assert "review over" not in call(lift)
    assert "review over" in call(every)
    assert "hold-2 holds tenant acme" in call(planned)
    assert "is not '30 records'" in call(drop.replace('"30 records"', '"60 records"'), 2)
    assert "dropped" in call(drop)
    assert call(listed).count("dropped") == 1
    export, verify, complete = GUIDE.commands("audit export") + GUIDE.commands("audit verify")
    call(export)
    assert "NOT SHOWN: records 11 to 20" in call(verify.replace("$KEY", str(KEY.verifier())))
    assert "dropped" in call(complete.replace("$KEY", str(KEY.verifier())), 1)
    assert json.loads((tmp_path / "acme-export" / "manifest.json").read_text())["not_shown"] == "10"


def test_erase(vault: Vault) -> None:
    """The plan says what goes and changes nothing; a name that differs erases nothing; then no key is left."""
    plan, erase = GUIDE.commands("audit erase")
    assert "1 payload" in call(plan)
    assert "nothing was done" in call(erase.replace("--confirm subject-7", "--confirm subject-8"), 2)
    assert "nothing was done" in call(erase.replace("subject-7", "subject-9"), 1)
    assert "give --confirm" in call(erase.replace("--confirm subject-7", ""), 2)
    assert "say why" in call(erase.replace('--reason "asked for"', ""), 2)
    assert asyncio.run(kept(vault)) == b"a prompt"
    assert "act 0" in call(erase)
    assert asyncio.run(kept(vault)) is None
    assert "nothing was done" in call(erase, 1)


@pytest.mark.usefixtures("vault")
def test_what_is_given_wrongly_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reason, no tenant, a day that is none, a segment that is none, no folder: one line each, with the option."""
    assert "--tenant" in call("audit hold place --reason x", 2)
    assert "--from" in call("audit hold place --tenant acme --from tomorrow --reason x", 2)
    assert "--until" in call("audit hold place --tenant acme --from 2025-02-01 --until 2025-01-01 --reason x", 2)
    assert "--reason" in call('audit hold place --tenant acme --reason " "', 2)
    assert "hold-7" in call("audit hold lift hold-7 --reason x", 1)
    assert "NAMES" in call("audit segments drop", 2)
    assert "no segment" in call("audit segments drop inference.completed/x/0/2025-01-0-1", 2)
    call("audit segments seal --yes")
    assert "--reason" in call("audit segments drop --older-than 0", 2)
    assert "--confirm" in call("audit segments drop --older-than 0 --reason x", 2)
    monkeypatch.delenv("ROGGIA_AUDITOR_SEGMENTS")
    assert "ROGGIA_AUDITOR_SEGMENTS" in call("audit segments seal --yes", 2)
    assert json.loads(call("audit hold list --json")) == []
