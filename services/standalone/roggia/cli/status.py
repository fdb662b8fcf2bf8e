"""`roggia status`: what is running, what is behind, what was refused, how fresh the index is."""

from __future__ import annotations

import asyncio
from typing import Any

from rich.markup import escape
from rich.table import Table

from roggia.cli import options
from roggia.cli.output import emit, out
from roggia.connection import Named, data_directory, resolve
from roggia.errors import NotRunningError
from roggia.inspect.status import report
from roggia.publishing.publisher import kafka_settings, registry_settings
from roggia.stack.data import StackState


def status(
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    registry: options.Registry = "",
    json: options.Json = False,
) -> None:
    """Show processes, lag per group and topic, freshness of the index, and dead letters."""
    where = resolve(Named(data, bootstrap, registry))
    stack = None if bootstrap else _stack(data)
    found = asyncio.run(report(kafka_settings(where), registry_settings(where), stack))
    emit(found) if json else _show(found)


def _stack(data: options.Data) -> StackState | None:
    try:
        return data_directory(data).running()
    except NotRunningError:
        return None


def _show(found: dict[str, Any]) -> None:
    out.print(_processes(found["processes"])) if found["processes"] else None
    out.print(_lag(found["groups"]))
    fresh = found["freshness"]
    if fresh["last_indexed_at"]:
        out.print(
            f"\nFreshness: last document searchable at {fresh['last_indexed_at']}; of the last {fresh['documents']}, "
            f"half within {fresh['p50_s']:.1f} s of their change, 95 % within {fresh['p95_s']:.1f} s"
        )
    else:
        out.print("\nFreshness: nothing indexed yet")
    letters = ", ".join(f"{name} {count}" for name, count in found["dead_letters"].items() if count)
    out.print(f"Dead letters: {letters or 'none'}", markup=False)


def _processes(processes: list[dict[str, Any]]) -> Table:
    table = Table("process", "status", "pid", "restarts", "not ready", box=None)
    for one in processes:
        row = (one["name"], one["status"], str(one["pid"]), str(one["restarts"]), ", ".join(one["not_ready"]))
        table.add_row(*map(escape, row))
    return table


def _lag(groups: list[dict[str, Any]]) -> Table:
    table = Table("group", "topic", "lag", "committed", "end", box=None)
    for one in groups:
        row = (one["group"], one["topic"], f"{one['lag']:,}", f"{one['committed']:,}", f"{one['end']:,}")
        table.add_row(*map(escape, row))
    return table
