"""`roggia dlq list` and `roggia dlq show`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from roggia_operator.reading.records import decoded
from roggia_operator.reading.tail import one
from roggia_runtime.codec import EventCodec

from roggia.cli import options
from roggia.cli.output import emit, out
from roggia.connection import Connection, Named, resolve
from roggia.errors import UsageError
from roggia.inspect.dead_letters import causes, letters
from roggia.publishing.publisher import kafka_settings, registry_settings

app = typer.Typer(no_args_is_help=True, help="Dead letters: what was refused, and why.")


@app.command("list")
def list_(
    topic: Annotated[str, typer.Argument(help="Only this DLQ (or its source topic).")] = "",
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="Newest letters per DLQ to read.")] = 1000,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    json: options.Json = False,
) -> None:
    """List dead letters, grouped by cause, with one example each."""
    where = resolve(Named(data, bootstrap))
    found = asyncio.run(letters(kafka_settings(where), topic, last))
    if json:
        emit(found)
        return
    if not found:
        out.print("No dead letters.")
        return
    table = Table("DLQ", "letters", "kind", "field", "newest", "reason", box=None)
    for cause in causes(found):
        row = (cause["topic"], str(cause["count"]), cause["kind"], cause["field"], cause["place"], cause["message"])
        table.add_row(*map(escape, row))
    out.print(table)
    out.print("One of them in full: roggia dlq show TOPIC PARTITION:OFFSET", markup=False)


@app.command("show")
def show(
    topic: Annotated[str, typer.Argument(help="The DLQ.")],
    place: Annotated[str, typer.Argument(help="PARTITION:OFFSET of the letter.")],
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
) -> None:
    """Show one dead letter: why it failed, where it came from, and its content as far as it can be read (JSON)."""
    partition, offset = _place(place)
    where = resolve(Named(data, bootstrap, registry))
    emit(asyncio.run(_show(where, topic, partition, offset)))


def _place(text: str) -> tuple[int, int]:
    partition, colon, offset = text.partition(":")
    if not (colon and partition.isdigit() and offset.isdigit()):
        raise UsageError(f"PLACE: {text!r} is not PARTITION:OFFSET; `roggia dlq list` shows some")
    return int(partition), int(offset)


async def _show(where: Connection, topic: str, partition: int, offset: int) -> dict[str, Any]:
    codec = EventCodec(registry_settings(where), source="roggia/dlq")
    try:
        return await decoded(await one(kafka_settings(where), topic, partition, offset), codec)
    finally:
        await codec.stop()
