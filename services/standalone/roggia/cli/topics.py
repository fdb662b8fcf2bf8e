"""The commands of `roggia topics`; `list` and `tail` stand here, the others beside it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from rich.markup import escape
from roggia_operator.reading.records import decoded, plain
from roggia_operator.reading.tail import tail as records_of

from roggia.cli import options
from roggia.cli.connected import codec_of
from roggia.cli.output import emit, emit_line, folding, out
from roggia.cli.topic_acls import acls
from roggia.cli.topic_plan import apply, plan
from roggia.connection import Connection, Named, resolve
from roggia.inspect.topics import list_topics
from roggia.publishing.publisher import kafka_settings

app = typer.Typer(no_args_is_help=True, help="Kafka topics: make them, list them, look into them.")


app.command("plan")(plan)
app.command("apply")(apply)
app.command("acls")(acls)


@app.command("list")
def list_(data: options.Data = None, bootstrap: options.Bootstrap = "", json: options.Json = False) -> None:
    """List topics with their partitions and the offsets they span (records, and the markers of transactions)."""
    where = resolve(Named(data, bootstrap))
    found = asyncio.run(list_topics(kafka_settings(where)))
    if json:
        emit(found)
        return
    table = folding("topic", "partitions", "offsets", "owner")
    for topic in found:
        table.add_row(topic["topic"], str(topic["partitions"]), f"{topic['offsets']:,}", topic["owner"])
    out.print(table)


@app.command("tail")
def tail(
    topic: Annotated[str, typer.Argument(help="Topic to look into.")],
    *,
    decode: Annotated[bool, typer.Option("--decode", help="Decode values as the topic's event.")] = False,
    last: Annotated[int, typer.Option("--last", "-n", min=0, help="Records per partition to begin with.")] = 10,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on as records come.")] = True,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Show the newest records of a topic, and those that come. Changes nothing: it belongs to no consumer group."""
    where = resolve(Named(data, bootstrap, registry))
    asyncio.run(_tail(where, topic, decode=decode, last=last, follow=follow, json=json))


async def _tail(where: Connection, topic: str, *, decode: bool, last: int, follow: bool, json: bool) -> None:
    async with codec_of(where, "tail") as codec:
        async for record in records_of(kafka_settings(where), topic, last=last, follow=follow):
            shown = await decoded(record, codec) if decode else plain(record)
            emit_line(shown) if json else _show(shown)


def _show(record: dict[str, Any]) -> None:
    out.print(f"[dim]{record['partition']}:{record['offset']}[/dim] {escape(str(record['key']))}")
    if "error" in record:
        out.print(f"    cannot be decoded: {record['error']}", markup=False)
    for name, value in (record.get("value") or {}).items():
        text = str(value)
        out.print(f"    {name}: {text if len(text) <= 160 else text[:160] + ' …'}", markup=False, soft_wrap=True)
