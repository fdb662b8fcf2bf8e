"""How `roggia status` looks on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from roggia.cli.output import folding

_STYLES = {"OK": "green", "WARN": "yellow"}
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def shown(found: dict[str, Any], *, partitions: bool) -> Iterator[RenderableType]:
    """Tables and lines of one report."""
    if found["processes"]:
        yield _processes(found["processes"])
        yield Text()
    lag = found["lag"]
    if lag is None or not lag["groups"]:
        yield Text("No group reads anything yet.")
    else:
        yield _partitions(lag["groups"]) if partitions else _groups(lag["groups"])
        yield Text()
        yield from _sureness(lag, found["operator"])
        yield Text(_waiting(lag["freshness"]))
    yield Text(_searchable(found["searchable"]))
    yield Text(_letters(found["dead_letters"]))
    for job in found["jobs"]:
        part = f"{job['done'] / job['all']:.0%}" if job["all"] else "–"
        yield Text(f"Job {job['job']}: {job['status']} {part} {job['message']}".rstrip())


def seconds(value: float | None) -> str:
    """A duration as people say it; `?` where it is not known."""
    if value is None:
        return "?"
    for size, unit in _UNITS:
        if value >= 2 * size:
            return f"{value / size:,.0f} {unit}"
    return f"{value:.1f} s" if value else "0 s"


def _processes(processes: list[dict[str, Any]]) -> Table:
    table = folding("process", "status", "pid", "restarts", "not ready")
    for one in processes:
        row = (one["name"], one["status"], str(one["pid"]), str(one["restarts"]), ", ".join(one["not_ready"]))
        table.add_row(*map(escape, row))
    return table


def _groups(groups: list[dict[str, Any]]) -> Table:
    table = folding("group", "members", "topic", "status", "lag", "oldest", "in/s", "out/s", "left")
    for group in groups:
        for topic in group["topics"]:
            numbers = _numbers(topic, _aside(group))
            table.add_row(escape(group["group"]), str(group["members"]), escape(topic["topic"]), *numbers)
    return table


def _partitions(groups: list[dict[str, Any]]) -> Table:
    table = folding("group", "partition", "status", "lag", "oldest", "in/s", "out/s", "left", "owner", "why")
    for group in groups:
        for topic in group["topics"]:
            for part in topic["partitions"]:
                place = f"{topic['topic']}:{part['partition']}"
                why = "" if part["status"] == "OK" and not _aside(group) else part["why"]
                row = (escape(part["owner"] or "–"), escape(why))
                table.add_row(escape(group["group"]), escape(place), *_numbers(part, _aside(group)), *row)
    return table


def _aside(group: dict[str, Any]) -> str:
    """Why a group's backlog troubles nobody; empty where it would. An older operator tells nothing."""
    found = group.get("aside")
    return str(found["label"]) if found else ""


def _numbers(row: dict[str, Any], aside: str) -> tuple[str | Text, ...]:
    fine = row["status"] == "OK" and row["lag"] and aside
    status = Text(aside if fine else row["status"], style="cyan" if fine else _STYLES.get(row["status"], "red"))
    left = "never" if row["lag"] and row["left_s"] is None else seconds(row["left_s"])
    rates = (f"{row['in_per_s']:,.1f}", f"{row['out_per_s']:,.1f}")
    lag = f"{row['lag']:,}" + (f" ({row['lost']:,} lost)" if row["lost"] else "")
    return (status, lag, seconds(row["lag_s"]), *rates, left)


def _sureness(lag: dict[str, Any], operator: dict[str, Any]) -> Iterator[Text]:
    """Says when the statuses rest on too little."""
    unsure = any(not part["sure"] for g in lag["groups"] for topic in g["topics"] for part in topic["partitions"])
    if unsure and not operator["answers"]:
        yield Text(
            f"Observed for {lag['span_s']:.0f} s only, since the operator {operator['trouble']}: whether a group "
            "falls behind (WARN) or stalls cannot be told; watch for a while (--watch), or run the operator."
        )
    elif unsure:
        yield Text(f"The operator has observed for {lag['span_s']:.0f} s only: too short to tell WARN and STALL.")
    elif operator["answers"] and operator["trouble"]:
        yield Text(f"The operator's view may be old: {operator['trouble']}", style="yellow")


def _waiting(fresh: dict[str, Any]) -> str:
    oldest = fresh["oldest_s"]
    if oldest == 0:
        return "Freshness: every live event is processed"
    slow = ", ".join(f"{group} {seconds(age)}" for group, age in fresh["stages"].items() if age != 0)
    return (
        f"Freshness: the oldest live event waits for {'' if fresh['exact'] else 'at most '}{seconds(oldest)} ({slow})"
    )


def _letters(causes: list[dict[str, Any]]) -> str:
    """By stage and kind: the causes themselves are for `roggia dlq list`."""
    open_ = Counter[str]()
    for one in causes:
        open_[f"{one['stage']} ({one['kind']})"] += one["open"]
    return "Open dead letters: " + (", ".join(f"{number:,} of {which}" for which, number in open_.items()) or "none")


def _searchable(found: dict[str, Any]) -> str:
    live, again = found["live"], found["replayed"]
    if not live["documents"]:
        return "Searchable: nothing indexed yet" if not again["documents"] else _replayed(again)
    last = datetime.fromtimestamp(live["last_indexed_at_ms"] / 1000, UTC).isoformat(timespec="seconds")
    line = (
        f"Searchable: last document at {last}; of the last {live['documents']}, half within {seconds(live['p50_s'])} "
        f"of their change, 95 % within {seconds(live['p95_s'])}"
    )
    return line + (f"\n{_replayed(again)}" if again["documents"] else "")


def _replayed(again: dict[str, Any]) -> str:
    return f"Replayed: {again['documents']} of the recent documents came from replays and are not counted above"
