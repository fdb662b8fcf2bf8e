"""`roggia prices check`, `apply` and `list`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from roggia_auditor.adapters.price_log import KafkaPrices
from roggia_auditor.pricing import book
from roggia_auditor.pricing.changes import event, news
from roggia_auditor.pricing.classes import TokenClass
from roggia_auditor.pricing.entries import MARGIN_MS, Entry
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.producer import Producer
from roggia_schemas import topics

from roggia.cli import options
from roggia.cli.asking import agreed
from roggia.cli.connected import codec_of
from roggia.cli.named_files import text_of
from roggia.cli.output import counted, emit, folding, out
from roggia.connection import Connection, Named, resolve
from roggia.publishing.publisher import kafka_settings

app = typer.Typer(no_args_is_help=True, help="The price book: what models cost, from when until when.")
File = Annotated[Path, typer.Argument(help="YAML file with `version:` and `prices:`; `-` reads standard input.")]


@app.command("check")
def check(file: File, json: options.Json = False) -> None:
    """Read a price book and show what it says. Needs nothing that runs."""
    _show(book.parse(text_of("FILE", file)), json=json)


@app.command("apply")
def apply(
    file: File,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: options.DryRun = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Enter a price book's new entries. Entries are never changed: a correction is a new version of the book.

    They hold for inferences that reach the log a minute later or more. What was rated before stays as it is.
    """
    wanted = book.parse(text_of("FILE", file))
    where = resolve(Named(data, bootstrap, registry))
    new = news(wanted, asyncio.run(_held(where)))
    _show(new, json=json)
    if not new or dry_run:
        return
    if not yes:
        agreed(
            f"Enter {counted(len(new), 'price')}?",
            otherwise="--yes: nobody is there to confirm; give --yes to enter them",
            refused="nothing was changed",
        )
    asyncio.run(_enter(where, new))
    if not json:
        out.print(f"Entered; they hold for inferences from {MARGIN_MS // 1000} s from now on.")


@app.command("list")
def list_(
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Show every entry of the log, the oldest first."""
    _show(asyncio.run(_held(resolve(Named(data, bootstrap, registry)))), json=json)


async def _held(where: Connection) -> list[Entry]:
    async with _prices(where) as (prices, _):
        return sorted(await prices.current(), key=lambda one: (one.known_from, one.tariff, one.effective_from))


async def _enter(where: Connection, new: list[Entry]) -> None:
    async with _prices(where) as (_, codec):
        producer = Producer(kafka_settings(where), "roggia-prices")
        await producer.start()
        try:
            await producer.send_all([codec.output(topics.PRICE_CHANGED, event(one, now_ms())) for one in new])
        finally:
            await producer.stop()


@asynccontextmanager
async def _prices(where: Connection) -> AsyncIterator[tuple[KafkaPrices, EventCodec]]:
    async with codec_of(where, "prices") as codec:
        await codec.start()
        prices = KafkaPrices(kafka_settings(where), codec)
        await prices.start()
        try:
            yield prices, codec
        finally:
            await prices.stop()


def _show(entries: list[Entry] | tuple[Entry, ...], *, json: bool) -> None:
    if json:
        emit([_row(one) for one in entries])
        return
    if not entries:
        out.print("Nothing to do.")
        return
    table = folding("provider", "model", "from", "until", "US dollars per million tokens", "version")
    for one in entries:
        row = _row(one)
        said = ", ".join(f"{name} {text}" for name, text in row["usd_per_million"].items())
        model = " ".join(part for part in (one.tariff.model, one.tariff.tier, "batch" * one.tariff.batch) if part)
        band = f" from {one.band_from:,} input tokens" if one.band_from else ""
        cells = (one.tariff.provider, model + band, row["from"], row["to"] or "–", said, one.version)
        table.add_row(*map(escape, cells))
    out.print(table)


def _row(one: Entry) -> dict[str, Any]:
    return {
        "provider": one.tariff.provider,
        "model": one.tariff.model,
        "tier": one.tariff.tier,
        "batch": one.tariff.batch,
        "band_from": one.band_from,
        "from": _time(one.effective_from),
        "to": None if one.effective_to is None else _time(one.effective_to),
        "usd_per_million": {name.value: _usd(pico, 10**6) for name, pico in _tokens(one)},
        "usd_per_request": _usd(one.pico_usd.get(TokenClass.REQUEST, 0), 10**12),
        "version": one.version,
        "sha256": one.sha256,
    }


def _tokens(one: Entry) -> list[tuple[TokenClass, int]]:
    return [(name, pico) for name, pico in one.pico_usd.items() if name is not TokenClass.REQUEST]


def _usd(pico: int, factor: int) -> str:
    """An exact decimal: integers alone, no float on the way."""
    whole, rest = divmod(pico, factor)
    digits = f"{rest:0{len(str(factor)) - 1}}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat().replace("+00:00", "Z")
