"""`roggia dlq list` and `roggia dlq show`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from msgspec import structs
from rich.markup import escape
from rich.table import Table
from roggia_operator.dlq.kafka_log import KafkaLog
from roggia_operator.dlq.looking import DeadLetters
from roggia_operator.dlq.selection import Selection, dlqs, place
from roggia_operator.dlq.shown import group_row
from roggia_operator.dlq.times import moment
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec

from roggia.cli import options
from roggia.cli.output import counted, emit, out
from roggia.connection import Connection, Named, resolve
from roggia.publishing.publisher import kafka_settings, registry_settings

app = typer.Typer(no_args_is_help=True, help="Dead letters: what was refused, why, and what to do about it.")
T = TypeVar("T")

Topic = Annotated[str, typer.Argument(help="Only this DLQ; a live topic means its DLQ and its lane's.")]
Stage = Annotated[str, typer.Option("--stage", help="Only letters of this stage.")]
Kind = Annotated[str, typer.Option("--kind", help="Only letters of this kind: schema, invalid, oversize, …")]
TenantOf = Annotated[str, typer.Option("--tenant", help="Only this tenant's letters, by the key.")]
Since = Annotated[str, typer.Option("--since", help="Only letters that came since: 30m, 2h, 7d ago, or an ISO time.")]


@app.command("list")
def list_(
    topic: Topic = "",
    stage: Stage = "",
    kind: Kind = "",
    tenant: TenantOf = "",
    since: Since = "",
    newest: Annotated[
        int, typer.Option("--newest", "-n", min=0, help="Read only so many letters of each DLQ partition; 0 reads all.")
    ] = 0,
    every: Annotated[bool, typer.Option("--all", help="Also causes of which no letter is open.")] = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """List dead letters by their cause, each with a place to look at."""
    asked = Selection(stage=stage, kind=kind, tenant=tenant, since_ms=_moment("--since", since))
    where = resolve(Named(data, bootstrap, registry))

    async def look(letters: DeadLetters, log: KafkaLog) -> list[dict[str, Any]]:
        meant = await _within(log, topic, asked)
        return [group_row(group) for group in await letters.groups(meant, newest=newest, every=every)]

    found = asyncio.run(_looking(where, look))
    if json:
        emit(found)
    elif not found:
        out.print("No dead letters." if every else "No open dead letters.")
    else:
        _show_groups(found)


@app.command("show")
def show(
    which: Annotated[str, typer.Argument(metavar="FINGERPRINT|DLQ", help="A cause, or the DLQ of one letter.")],
    at: Annotated[str, typer.Argument(metavar="[PLACE]", help="PARTITION:OFFSET of the letter in that DLQ.")] = "",
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Show a letter, or the newest of a cause: why it failed, what to do, and its content as far as it can be read."""
    wanted = place(which, at) if at else None
    where = resolve(Named(data, bootstrap, registry))

    async def look(letters: DeadLetters, _: KafkaLog) -> dict[str, Any]:
        if wanted is not None:
            return await letters.letter(wanted)
        group, example = await letters.example(which)
        return example | {"cause": group_row(group)}

    found = asyncio.run(_looking(where, look))
    emit(found) if json else _show_letter(found)


async def _looking(where: Connection, look: Callable[[DeadLetters, KafkaLog], Awaitable[T]]) -> T:
    codec = EventCodec(registry_settings(where), source="roggia/dlq")
    try:
        async with KafkaLog(kafka_settings(where)) as log:
            return await look(DeadLetters(log, codec), log)
    finally:
        await codec.stop()


async def _within(log: KafkaLog, topic: str, meant: Selection) -> Selection:
    """The selection, narrowed to a topic's DLQs where one is named."""
    return structs.replace(meant, topics=dlqs(tuple(await log.partitions()), topic)) if topic else meant


def _moment(option: str, text: str) -> int | None:
    return moment(option, text, now_ms()) if text else None


def _show_groups(found: list[dict[str, Any]]) -> None:
    table = Table("cause", "stage", "kind", "field", "open", "ended", "first seen", "last seen", "example", box=None)
    for one in found:
        ended = one["letters"] - one["open"]
        example = f"{one['example']['topic']} {one['example']['place']}"
        seen = (_time(one["first_seen_ms"]), _time(one["last_seen_ms"]))
        row = (one["fingerprint"], one["stage"], one["kind"], one["field"], f"{one['open']:,}", f"{ended:,}", *seen)
        table.add_row(*map(escape, row), escape(example))
    out.print(table)
    for one in found:
        out.print(f"\n{one['fingerprint']}", markup=False)
        for reason in one["reasons"]:
            out.print(f"  {reason['letters']:,} × {reason['message']}", markup=False, soft_wrap=True)
    out.print("\nOne of them in full: roggia dlq show CAUSE", markup=False)


def _show_letter(found: dict[str, Any]) -> None:
    lines = {
        "letter": f"{found['topic']} {found['place']}, came {_time(found['timestamp_ms'])}, {found['status']}"
        + (f" by {found['closed_by']}" if found["closed_by"] else ""),
        "record": f"{found['origin']}, key {found['key']}",
        "refused by": f"{found['stage']} (group {found['group']}), cause {found['fingerprint']}",
        "redriven": counted(found["redrives"], "time") if found["redrives"] else "never",
        "error": f"{found['kind']}: {found['message']}",
        "what to do": found["remedy"],
    }
    for name, text in lines.items():
        out.print(f"{name + ':':<12} {text}", markup=False, soft_wrap=True)
    _show_content(found)


def _show_content(found: dict[str, Any]) -> None:
    if "error" in found:
        out.print(f"\ncannot be read as {found['event']}: {found['error']}", markup=False, soft_wrap=True)
        out.print(f"{found['size']:,} bytes, the first of them: {found['hex']}", markup=False, soft_wrap=True)
        return
    out.print(f"\n{found['event']}:", markup=False)
    for name, value in (found["value"] or {"(null)": "a deletion"}).items():
        text = str(value)
        out.print(f"  {name}: {text if len(text) <= 300 else text[:300] + ' …'}", markup=False, soft_wrap=True)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", "seconds").removesuffix("+00:00")
