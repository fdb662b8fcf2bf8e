"""`roggia status`: what is running, what is behind, what was refused, how fresh the index is."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live

from roggia.cli import options
from roggia.cli.output import emit, emit_line, out
from roggia.cli.status_view import shown
from roggia.connection import Connection, Named, data_directory, resolve
from roggia.errors import NotRunningError
from roggia.inspect.lag import LagView
from roggia.inspect.status import report
from roggia.publishing.publisher import kafka_settings, registry_settings
from roggia.stack.data import StackState

OPERATOR_VARIABLE = "ROGGIA_OPERATOR_URL"
BEHIND, BROKEN = 7, 8
_STATUSES = {"OK": 0, "WARN": BEHIND}
_READY = "/health/ready"


def status(
    partitions: Annotated[bool, typer.Option("--partitions", help="A line per partition, with what is wrong.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.5, help="Seconds between two looks of --watch.")] = 2.0,
    operator_url: Annotated[
        str,
        typer.Option(help="URL of the operator (default: ROGGIA_OPERATOR_URL, else the running stack's)."),
    ] = "",
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Show processes, lag and status per group and topic, freshness of the index, and dead letters.

    Exit status: 0 every group is OK, 7 one is behind (WARN), 8 one does not work (STALL, STOP, REWIND).
    """
    where = resolve(Named(data, bootstrap, registry))
    stack = None if bootstrap else _stack(data)
    url = operator_url or os.environ.get(OPERATOR_VARIABLE, "") or _operator(stack)
    if watch:
        asyncio.run(_watch(where, stack, url, every, partitions=partitions, json=json))
    found = asyncio.run(_once(where, stack, url))
    emit(found) if json else out.print(Group(*shown(found, partitions=partitions)))
    raise typer.Exit(exit_status(found))


def exit_status(found: dict[str, Any]) -> int:
    """What a script learns: the worst group's status."""
    lag = found["lag"]
    return _STATUSES.get(lag["status"], BROKEN) if lag else 0


async def _once(where: Connection, stack: StackState | None, url: str) -> dict[str, Any]:
    async with _view(where, url) as view:
        return await report(kafka_settings(where), registry_settings(where), view, stack)


async def _watch(
    where: Connection, stack: StackState | None, url: str, every: float, *, partitions: bool, json: bool
) -> None:
    """Never returns: Ctrl-C ends it."""
    async with _view(where, url) as view:
        with Live(console=out, auto_refresh=False, screen=out.is_terminal and not json) as live:
            while True:
                found = await report(kafka_settings(where), registry_settings(where), view, stack)
                if json:
                    emit_line(found)
                else:
                    live.update(Group(*shown(found, partitions=partitions)), refresh=True)
                await asyncio.sleep(every)


def _view(where: Connection, url: str) -> LagView:
    return LagView(kafka_settings(where), registry_settings(where), url)


def _stack(data: options.Data) -> StackState | None:
    try:
        return data_directory(data).running()
    except NotRunningError:
        return None


def _operator(stack: StackState | None) -> str:
    """Where the embedded stack's operator answers; empty without one."""
    process = stack.processes.get("operator") if stack else None
    health = process.health if process else None
    return health.removesuffix(_READY) if health and health.endswith(_READY) else ""
