"""docs/how-to/costs-and-corrections.md, as it stands: a wrong price, its correction, the check, and an invoice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_auditor import periods
from roggia_auditor.adapters.price_log import entry_of
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ledger.model import CORRECTIONS
from roggia_auditor.pricing.entries import MARGIN_MS, PriceBook
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics
from roggia_schemas.events import PriceChanged

from tests.support.auditing import inference, read
from tests.support.auditor_fleet import prepare, price
from tests.support.correcting import KEY, ORIGIN, enter
from tests.support.guides import Guide, call
from tests.support.kafka import Broker
from tests.support.replaying import codec, records

GUIDE = Guide("costs-and-corrections.md")


@pytest.fixture
async def month(devstack_alone: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A price that is wrong, twelve inferences by it in a sealed ledger, and the settings that name all of it; the
    month that they are in."""
    kafka = KafkaSettings(bootstrap=devstack_alone.bootstrap)
    await prepare(kafka, [price()])
    (record,) = await records(kafka, topics.PRICE_CHANGED)
    entry = entry_of(await codec().decode(PriceChanged, record), record.timestamp_ms)
    at = record.timestamp_ms + MARGIN_MS  # the first instant at which the price holds, and no later one does
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    await ledger.start()
    await enter(ledger, [read(inference(n + 1, occurred_at=at), n, at=at) for n in range(12)], book=PriceBook([entry]))
    await Sealer(ledger, ORIGIN, KEY).seal()
    await ledger.stop()
    (tmp_path / "head.key").write_text(KEY.text())
    monkeypatch.setenv("ROGGIA_KAFKA_BOOTSTRAP", devstack_alone.bootstrap)
    monkeypatch.delenv("ROGGIA_REGISTRY_URL", raising=False)
    monkeypatch.setenv("ROGGIA_AUDITOR_LEDGER", f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    monkeypatch.setenv("ROGGIA_AUDITOR_ORIGIN", ORIGIN)
    monkeypatch.setenv("ROGGIA_AUDITOR_SIGNING_KEY", str(tmp_path / "head.key"))
    monkeypatch.chdir(tmp_path)
    yield periods.month(periods.day(at, "UTC"))


async def said(command: str, status: int = 0) -> str:
    """What a command says."""
    return await asyncio.to_thread(call, command, status)


@pytest.mark.timeout(120)
async def test_the_guides_commands_do_what_it_says(month: str, tmp_path: Path) -> None:
    """In the guide's order, with its price book and its invoice."""
    (tmp_path / "prices.yaml").write_text(GUIDE.blocks("yaml")[0])
    (tmp_path / "invoice.csv").write_text(GUIDE.blocks("csv")[0])
    check, apply, dry, act, again, fsck, reconcile = GUIDE.commands()
    assert "2026-10-15" in await said(check)
    assert "Entered" in await said(apply)
    assert "To correct: 12 records, -0.00084 US dollars" in await said(dry)
    assert "--confirm: the plan corrects 12, not 11" in await said(act.replace("12", "11"), 2)
    assert "--why" in await said(act.split(" --why")[0] + " --confirm 12", 2)
    assert "Corrected 12 records: -0.00084 US dollars." in await said(act)
    assert "Nothing to correct." in await said(again)
    assert "Nothing to correct." in await said(again.replace("audit", "auditor"))
    assert "the ledger holds" in await said(fsck)
    agreed = await said(reconcile.replace("2026-10", month))
    assert f"{month}: sums and records agree" in agreed
    assert f"{month}: records and invoice agree" in agreed


@pytest.mark.timeout(120)
async def test_what_differs_is_said_and_the_exit_status_says_so(month: str, tmp_path: Path) -> None:
    """An invoice that bills more, a line that nobody called, a file that is none; a sum that somebody changed."""
    lines = [
        "provider,model,class,tokens,amount",
        "openai,example-4,input,1201,0.003",
        "openai,example-4,output,120,0.0012",
    ]
    (tmp_path / "invoice.csv").write_text("\n".join([*lines, "openai,other,input,5,1"]) + "\n")
    told = await said(f"audit reconcile --month {month} --invoice invoice.csv", 1)
    assert "records and invoice differ on 2 lines" in told
    assert "1,200" in told and "1,201" in told
    (tmp_path / "invoice.csv").write_text("\n".join(lines).replace("1201,0.003", "1200,0.0031"))
    assert "differ on 1 lines" in await said(f"audit reconcile --month {month} --invoice invoice.csv", 1)
    await said(f"audit reconcile --month {month} --invoice invoice.csv --tolerance 0.0001")
    (tmp_path / "invoice.csv").write_text("provider,model\n")
    assert "amount, class, tokens is no column" in await said(
        f"audit reconcile --month {month} --invoice invoice.csv", 2
    )
    assert "no month" in await said("audit reconcile --month 2026-13", 2)
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    await ledger.start()
    await ledger._run(lambda held: held.execute("UPDATE usage SET pico_usd = pico_usd + 1"))
    assert await ledger.heads([CORRECTIONS]) == {}
    await ledger.stop()
    assert "usage acme" in await said("audit fsck", 1)
    assert "usage acme" in await said("audit fsck --offline", 1)
    assert "usage acme" in await said(f"audit reconcile --month {month}", 1)
    (tmp_path / "ledger.sqlite3").write_bytes(b"no database at all" * 100)
    assert "ROGGIA_AUDITOR_LEDGER" in await said("audit fsck", 2)
