"""How plans and jobs look: tables, a progress bar, rows for scripts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.markup import escape
from rich.table import Table
from roggia_operator.jobs.client import JobClient
from roggia_operator.jobs.table import Job
from roggia_operator.replay.estimate import Figure
from roggia_operator.replay.plan import Plan, embedding, overtaken

from roggia.cli.jobs import followed
from roggia.cli.output import emit_line, folding, out, progress

LOOK_S = 0.5
_WINDOW_S = 5.0


def show_plan(plan: Plan) -> None:
    """A plan as a table, then its warnings."""
    table = Table(show_header=False, box=None)
    for name in ("records", "documents", "bytes"):
        table.add_row(name, figure(getattr(plan, name)))
    table.add_row("tokens to embed", embedding(plan))
    table.add_row("overtaken", overtaken(plan))
    table.add_row("looked at", f"{plan.read:,} records; the selection spans {plan.offsets:,} offsets")
    table.add_row("limits", spelled(plan.rates))
    table.add_row("duration", "unknown; --rate bounds it" if plan.seconds is None else lasting(plan.seconds))
    table.add_row("pace", plan.pace)
    out.print(f"Replay of {plan.selection.topic}, mode {plan.selection.mode}", markup=False)
    out.print(table)
    for warning in plan.warnings:
        out.print(f"[yellow]warning:[/yellow] {escape(warning)}", soft_wrap=True)


def figure(number: Figure) -> str:
    """`1,200 (exact)`, or `about 1,200 (1,100 to 1,300, from a sample)`."""
    if number.exact:
        return f"{number.value:,} (exact)"
    return f"about {number.value:,} ({number.low:,} to {number.high:,}, from a sample)"


def spelled(rates: Mapping[str, float]) -> str:
    """`50 records/s, 2,000 tokens/s`."""
    return ", ".join(f"{value:,g} {name}/s" for name, value in sorted(rates.items())) or "none"


def lasting(seconds: float) -> str:
    """`45 s`, `12 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def job_row(job: Job) -> dict[str, Any]:
    """A job for scripts."""
    state, wanted = job.state, job.wanted
    return {
        "job": job.job_id,
        "status": job.status.value,
        "wish": job.wish.value,
        "message": state.message if state else "",
        "selection": msgspec.json.decode(wanted.spec) if wanted else {},
        "rates": dict(wanted.rates) if wanted else {},
        "requested_by": wanted.requested_by if wanted else "",
        "reason": wanted.reason if wanted else "",
        "started_at": _time(state.started_at if state else None),
        "ended_at": _time(state.ended_at if state else None),
        "offsets": dict(zip(("done", "all"), job.reach, strict=True)),
        "counts": dict(state.counts) if state else {},
        "positions": dict(state.positions) if state else {},
        "ends": dict(state.ends) if state else {},
    }


def show_jobs(jobs: Iterable[Job]) -> None:
    """A table of jobs."""
    rows = [_row(job) for job in jobs]
    if not rows:
        out.print("No jobs.")
        return
    table = folding("job", "status", "done", "sent", "message")
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)


def _row(job: Job) -> tuple[str, ...]:
    done, whole = job.reach
    message = job.state.message if job.state else "no operator has taken it yet"
    return job.job_id, job.status.value, f"{done / whole:.0%}" if whole else "–", f"{_sent(job):,}", message


async def watch(client: JobClient, job_id: str, *, json: bool) -> Job:
    """Follow a job to its end: a bar with rate and time left, or a line of JSON per change. Raises as `followed`."""
    bar, rate, last = progress("offsets"), _Rate(), ""
    task = bar.add_task(job_id, total=None, rate="")
    with nullcontext() if json else bar:
        async for job in followed(client, job_id, LOOK_S):
            done, whole = job.reach
            how = f"{job.status.value} {job.state.message if job.state else ''}".strip()
            line = f"{rate.of(_sent(job)):,.0f} records/s · {how}"
            bar.update(task, completed=done, total=whole or None, rate=escape(line))
            if json and (row := str(job_row(job))) != last:
                emit_line(job_row(job))
                last = row
    return job


class _Rate:
    """Records per second over the last seconds."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def of(self, sent: int) -> float:
        now = time.monotonic()
        self._seen = [*((at, number) for at, number in self._seen if now - at < _WINDOW_S), (now, sent)]
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended > began else 0.0


def _sent(job: Job) -> int:
    return job.state.counts.get("sent", 0) if job.state else 0


def _time(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
