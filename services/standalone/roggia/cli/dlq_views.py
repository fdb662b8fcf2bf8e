"""How dead letters, plans and their jobs look."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from roggia_operator.dlq.planning import Plan

from roggia.cli.output import counted, folding, out


def show_groups(found: list[dict[str, Any]]) -> None:
    """Causes as a table, then the reasons of each."""
    table = folding("cause", "stage", "kind", "field", "open", "ended", "first seen", "last seen", "example")
    for one in found:
        ended = one["letters"] - one["open"]
        example = f"{one['example']['topic']} {one['example']['place']}"
        seen = (time(one["first_seen_ms"]), time(one["last_seen_ms"]))
        row = (one["fingerprint"], one["stage"], one["kind"], one["field"], f"{one['open']:,}", f"{ended:,}", *seen)
        table.add_row(*map(escape, row), escape(example))
    out.print(table)
    for one in found:
        more = f", {one['came_back']:,} of them redriven before" if one["came_back"] else ""
        out.print(f"\n{one['fingerprint']}: {one['open']:,} open{more}{_fates(one)}", markup=False)
        for reason in one["reasons"]:
            more = "" if reason["alike"] else " (one of them; the others hold other values)"
            out.print(f"  {reason['letters']:,} × {reason['message']}{more}", markup=False, soft_wrap=True)
    out.print("\nOne of them in full: roggia dlq show CAUSE", markup=False)


def _fates(one: dict[str, Any]) -> str:
    names = ("redriven", "overtaken", "duplicate", "dropped")
    return "".join(f", {one[name]:,} {name}" for name in names if one.get(name))


def show_letter(found: dict[str, Any]) -> None:
    """A letter: its error and remedy first, then its content."""
    lines = {
        "letter": f"{found['topic']} {found['place']}, came {time(found['timestamp_ms'])}, {found['status']}"
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


def plan_row(plan: Plan) -> dict[str, Any]:
    """A plan for scripts."""
    return {
        "action": plan.task.action,
        "letters": plan.letters,
        "send": plan.send,
        "drop": plan.drop,
        "overtaken": plan.overtaken,
        "duplicates": plan.duplicates,
        "refused": dict(plan.refused),
        "closed": plan.closed,
        "bytes": plan.bytes,
        "lanes": dict(plan.lanes),
        "causes": dict(plan.causes),
        "examples": [{"letter": letter, "overtaken_by": why} for letter, why in plan.examples],
        "stop_after": plan.task.stop_after,
    }


def show_plan(plan: Plan) -> None:
    """What would happen, in words."""
    if plan.task.action == "drop":
        out.print(f"drop: {counted(plan.drop + plan.duplicates, 'letter')}; they stay on the log until retention")
    else:
        out.print(f"send: {counted(plan.send, 'letter')}, {plan.bytes:,} bytes, in original order")
    for lane, count in plan.lanes.items():
        out.print(f"  {count:,} to {lane}", markup=False)
    for cause, count in plan.causes.items():
        out.print(f"  {count:,} of cause {cause}", markup=False)
    notes = {
        "overtaken by something newer: not sent": plan.overtaken,
        "the same record in a newer letter": plan.duplicates,
    }
    notes |= {f"refused: {why}": count for why, count in plan.refused.items()}
    notes |= {"redriven or dropped before: left out (--again takes them too)": plan.closed}
    for text, count in notes.items():
        if count:
            out.print(f"{count:,} {text}", markup=False)
    for letter, why in plan.examples:
        out.print(f"  {letter}: {why}", markup=False, soft_wrap=True)


def show_jobs(found: list[dict[str, Any]]) -> None:
    """Redrives and drops, the newest last."""
    table = folding("job", "status", "began", "by", "reason", "what came of it")
    for one in found:
        said = one["message"] or ", ".join(f"{number:,} {name}" for name, number in one["counts"].items())
        row = (one["job"], one["status"], time(one["began_ms"]), one["requested_by"], one["reason"], said)
        table.add_row(*map(escape, row))
    out.print(table)


def time(at_ms: int) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", "seconds").removesuffix("+00:00")
