"""`roggia topics plan` and `apply`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection
from typing import Annotated, Any

import typer
from rich.table import Table
from roggia_runtime.topic_changes import settings

from roggia.cli import options
from roggia.cli.output import emit, out, say
from roggia.connection import Named, resolve
from roggia.errors import StandaloneError, UsageError
from roggia.inspect.topics import TopicPlan, apply_topics, plan_topics
from roggia.publishing.publisher import kafka_settings

DIFFERS = 6
"""Exit status of `plan` when there is something to do."""


def plan(
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    json: options.Json = False,
) -> None:
    """Show how Kafka differs from the catalogue, and change nothing.

    Exit status: 0 nothing to do, 6 there are differences, 1 one of them cannot be mended by `apply`.
    """
    found = asyncio.run(plan_topics(kafka_settings(resolve(Named(data, bootstrap)))))
    emit(as_json(found)) if json else show(found)
    _refuse_conflicts(found)
    if found.changes:
        raise typer.Exit(DIFFERS)


def apply(
    confirm: Annotated[
        list[str] | None, typer.Option("--confirm", help="Name of a topic in which data may be lost; repeatable.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    data: options.Data = None,
    bootstrap: options.Bootstrap = "",
    json: options.Json = False,
) -> None:
    """Create topics that Kafka lacks, and bring settings into line. Deletes nothing.

    What could lose data or move keys is done only for topics named with --confirm.
    """
    where = kafka_settings(resolve(Named(data, bootstrap)))
    found, confirmed = asyncio.run(plan_topics(where)), frozenset(confirm or ())
    _check(found, confirmed)
    emit(as_json(found, confirmed)) if json else show(found)
    if not dry_run and any(change.allowed(confirmed) for change in found.changes):
        _agree(yes)
        asyncio.run(apply_topics(where, confirmed=confirmed))
    _refuse_conflicts(found)
    if not dry_run and (left := found.held_back(confirmed)):
        names = " ".join(f"--confirm {name}" for name in dict.fromkeys(change.topic for change in left))
        raise StandaloneError(f"not done, because data could be lost; to do it all the same: {names}")


def show(found: TopicPlan) -> None:
    """The plan for people."""
    if found.changes:
        table = Table("change", "topic", "difference", "danger", box=None)
        for change in found.changes:
            table.add_row(change.action.value, change.topic, change.detail, change.danger)
        out.print(table)
    else:
        out.print("nothing to do")
    for topic, made in (found.by_hand or {}).items():
        out.print(f"left as it is: {topic}: {settings(made)}", markup=False, soft_wrap=True)
    if found.unknown:
        out.print(f"not in the catalogue, left alone: {', '.join(found.unknown)}", markup=False, soft_wrap=True)


def as_json(found: TopicPlan, confirmed: Collection[str] = ()) -> dict[str, Any]:
    """The plan for scripts; `allowed` says whether `apply` does it with the topics that were confirmed."""
    rows = [
        {
            "action": change.action.value,
            "topic": change.topic,
            "detail": change.detail,
            "danger": change.danger,
            "allowed": change.allowed(confirmed),
        }
        for change in found.changes
    ]
    return {"changes": rows, "unknown": list(found.unknown), "by_hand": found.by_hand or {}}


def _check(found: TopicPlan, confirmed: Collection[str]) -> None:
    known = {change.topic for change in found.changes if change.danger}
    for name in sorted(set(confirmed) - known):
        raise UsageError(f"--confirm {name}: nothing dangerous is planned for it; `roggia topics plan` shows what is")


def _agree(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("--yes: needed to apply without a terminal; `roggia topics plan` shows what would be done")
    say("")
    typer.confirm("Do it?", abort=True, err=True)


def _refuse_conflicts(found: TopicPlan) -> None:
    if found.conflicts:
        names = ", ".join(change.topic for change in found.conflicts)
        raise StandaloneError(f"cannot be brought into line: {names}; the plan says why")
