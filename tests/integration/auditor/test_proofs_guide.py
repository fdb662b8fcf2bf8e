"""The guide to anchors and proofs, as it stands: each command that it shows is run, on a ledger with a witness."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.settings import AuditorOptions
from roggia_auditor.tlog.keys import SignerKey
from roggia_auditor.witness.settings import WitnessSettings

from tests.support.anchoring import ORIGIN, WitnessProcess, grow
from tests.support.guides import Guide, call

GUIDE = Guide("proofs.md")


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteLedger:
    """Some records, in the working directory, as the guide's settings name it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROGGIA_AUDITOR_LEDGER", "sqlite:///ledger.sqlite3")
    monkeypatch.setenv("ROGGIA_AUDITOR_ORIGIN", ORIGIN)
    monkeypatch.setenv("ROGGIA_AUDITOR_SIGNING_KEY", "head.key")
    made = SqliteLedger(tmp_path / "ledger.sqlite3")

    async def fill() -> None:
        await made.start()
        await grow(made, 20)
        await made.stop()

    asyncio.run(fill())
    return made


@pytest.fixture
def witness(ledger: SqliteLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Both keys made by the guide's commands, and the witness of one by the other; the variables of its commands."""
    log, other = GUIDE.commands("audit key")
    keys = {"$PUBLIC_KEY": call(log).strip(), "$WITNESS_KEY": call(other).strip()}
    own = SignerKey.parse((tmp_path / "witness.key").read_text())
    made = WitnessProcess(tmp_path / "witness", SignerKey.parse((tmp_path / "head.key").read_text()), key=own)
    made.start()
    monkeypatch.setenv("ROGGIA_AUDITOR_ANCHOR__WITNESSES", f"{keys['$WITNESS_KEY']} {made.url}")
    yield keys
    made.stop()


def test_the_guide_s_commands_do_what_it_says(ledger: SqliteLedger, witness: dict[str, str], tmp_path: Path) -> None:
    """A record proven and verified, a tenant exported and verified with the witness, all logs, and two checkpoints."""

    async def seal() -> str:
        await ledger.start()
        sealed = await Sealer(ledger, ORIGIN, SignerKey.parse((tmp_path / "head.key").read_text())).seal()
        await ledger.stop()
        return str(sealed.checkpoint)

    (tmp_path / "earlier.checkpoint").write_text(asyncio.run(seal()))
    for command in GUIDE.commands("audit"):
        if not command.startswith("audit key"):
            call(re.sub(r"\$\w+", lambda found: witness[found[0]], command))
    assert "holds" in call(f"audit verify acme --key {witness['$PUBLIC_KEY']}")
    assert (tmp_path / "everything" / "head" / "checkpoint").exists()
    assert (tmp_path / "later.proof").read_text()


def test_the_guide_names_settings_that_there_are() -> None:
    """Every setting that it shows is one of the auditor or of the witness."""
    named = set(re.findall(r"ROGGIA_(?:AUDITOR|WITNESS)_\w+", GUIDE.text))
    own = {f"ROGGIA_AUDITOR_{name.upper()}" for name in AuditorOptions.model_fields}
    own |= {f"ROGGIA_WITNESS_{name.upper()}" for name in WitnessSettings.model_fields}
    assert named - {"ROGGIA_AUDITOR_"} <= own
    anchors = set(re.findall(r"`ANCHOR__(\w+)`", GUIDE.text))
    assert anchors <= {name.upper() for name in type(AuditorOptions().anchor).model_fields}
