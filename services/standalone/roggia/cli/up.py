"""`roggia up`."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Annotated

import typer
from rich.markup import escape

from roggia.cli import options
from roggia.cli.output import err
from roggia.connection import data_directory
from roggia.stack import plan
from roggia.stack.data import DataDirectory
from roggia.stack.supervisor import Notice
from roggia.stack.up import Beside, stack

LAST_PORT = 65_535
COLOURS = {"ready": "green", "restarting": "yellow", "not ready": "yellow", "failed": "red"}


def up(
    data: options.Data = None,
    kafka_port: Annotated[
        int, typer.Option(help="Preferred port of the broker; a free one when taken.", min=0, max=LAST_PORT)
    ] = plan.BROKER_PORT,
    registry_port: Annotated[
        int, typer.Option(help="Preferred port of the registry.", min=0, max=LAST_PORT)
    ] = plan.REGISTRY_PORT,
    query_port: Annotated[
        int, typer.Option(help="Preferred port of search and ask.", min=0, max=LAST_PORT)
    ] = plan.QUERY_PORT,
    console_port: Annotated[
        int, typer.Option(help="Preferred port of the operators' console.", min=0, max=LAST_PORT)
    ] = plan.CONSOLE_PORT,
    popularity: Annotated[
        bool,
        typer.Option(
            help="Count what is asked for most, so that another model embeds it first: a process of about 100 MB more. "
            "Needs the extra `popularity`."
        ),
    ] = True,
    audit: Annotated[
        bool,
        typer.Option(
            help="Keep the audit log of inferences and serve it: two more processes, and a third with live views where "
            "Faust is installed. Needs the extra `auditor`."
        ),
    ] = True,
) -> None:
    """Run everything on this machine: broker, registry, ingest, embed, index, operator, popularity, audit.

    Restarts what dies; Ctrl-C stops it all. A port that is taken is replaced by a free one; other commands find it.
    """
    where = data_directory(data)
    err.print(f"Data: {escape(str(where.root))}")
    if popularity and not plan.can_count():
        err.print(
            "Not counted: what is asked for most (pip install 'roggia[popularity]'; --no-popularity says no more)."
        )
        popularity = False
    if audit and not plan.can_audit():
        err.print("Not kept: the audit log (pip install 'roggia[auditor]'; --no-audit says no more).")
        audit = False
    ports = plan.Ports(kafka_port, registry_port, query_port, console_port)
    asyncio.run(_serve(where, ports, Beside(popularity, audit)))


async def _serve(data: DataDirectory, ports: plan.Ports, beside: Beside) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(_until_failed(data, ports, beside))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        serving.cancel()
    stopping.cancel()
    try:
        await serving
    except asyncio.CancelledError:
        err.print("Stopped.")


async def _until_failed(data: DataDirectory, ports: plan.Ports, beside: Beside) -> None:
    async with stack(data, show, ports, beside) as supervisor:
        state = supervisor.state()
        err.print(f"Kafka {state.kafka} · registry {state.registry} · search {state.query} · console {state.console}")
        if beside.audit:
            err.print(f"Audit API {state.audit}")
        err.print("Ready. Next: roggia publish, roggia search, roggia ask, roggia status. Ctrl-C stops it.")
        await supervisor.run()


def show(notice: Notice) -> None:
    """One line per thing that happened."""
    colour = COLOURS.get(notice.status, "default")
    when = time.strftime("%H:%M:%S")
    err.print(f"{when}  {notice.process:<10} [{colour}]{notice.status}[/{colour}] {escape(notice.detail)}")
