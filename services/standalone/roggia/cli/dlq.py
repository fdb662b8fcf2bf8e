"""`roggia dlq`: the commands that look. Those that act are in `dlq_redrive`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer
from roggia_operator.dlq.kafka_log import KafkaLog
from roggia_operator.dlq.looking import DeadLetters
from roggia_operator.dlq.selection import Selection, place
from roggia_operator.dlq.shown import group_row
from roggia_runtime.codec import EventCodec

from roggia.cli import options
from roggia.cli.dlq_common import Kind, Since, Stage, TenantOf, Topic, looking, moment_of, within
from roggia.cli.dlq_redrive import drop, jobs, redrive
from roggia.cli.dlq_views import show_groups, show_letter
from roggia.cli.output import emit, out
from roggia.connection import Named, resolve

app = typer.Typer(no_args_is_help=True, help="Dead letters: what was refused, why, and what to do about it.")


@app.command("list")
def list_(
    topic: Topic = "",
    *,
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
    asked = Selection(stage=stage, kind=kind, tenant=tenant, since_ms=moment_of("--since", since))
    where = resolve(Named(data, bootstrap, registry))

    async def look(log: KafkaLog, codec: EventCodec) -> list[dict[str, Any]]:
        meant = await within(log, topic, asked)
        return [group_row(group) for group in await DeadLetters(log, codec).groups(meant, newest=newest, every=every)]

    found = asyncio.run(looking(where, look))
    if json:
        emit(found)
    elif not found:
        out.print("No dead letters." if every else "No open dead letters.")
    else:
        show_groups(found)


@app.command("show")
def show(
    which: Annotated[
        str, typer.Argument(metavar="CAUSE|DLQ", help="A cause by its fingerprint, or the DLQ of one letter.")
    ],
    at: Annotated[str, typer.Argument(metavar="PLACE", help="PARTITION:OFFSET of the letter in that DLQ.")] = "",
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Show a letter, or the newest of a cause: why it failed, what to do, and its content as far as it can be read."""
    wanted = place(which, at) if at else None
    where = resolve(Named(data, bootstrap, registry))

    async def look(log: KafkaLog, codec: EventCodec) -> dict[str, Any]:
        letters = DeadLetters(log, codec)
        if wanted is not None:
            return await letters.letter(wanted)
        group, example = await letters.example(which)
        return example | {"cause": group_row(group)}

    found = asyncio.run(looking(where, look))
    emit(found) if json else show_letter(found)


for command in (redrive, drop, jobs):
    app.command()(command)
