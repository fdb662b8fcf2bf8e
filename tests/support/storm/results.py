"""Verdicts of seeds: kept as lines of JSON, told in words, and put into docs/chaos.md as a table.

`python -m tests.support.storm.results [FILE…]` writes the table from what `make chaos` kept; of a seed the last counts.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.support.storm.run import Verdict

FILE = Path(os.environ.get("ROGGIA_CHAOS_RESULTS", ".roggia/chaos.jsonl"))
PAGE = Path(__file__).parents[3] / "docs" / "chaos.md"
BEGIN, END = "<!-- storms -->", "<!-- /storms -->"
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """One line of the file."""

    seed: int
    steps: list[str]
    records: int
    replayed: int
    died: list[str]
    differences: list[str]
    seconds: float


def seeds(text: str) -> list[int]:
    """The seeds in "17", "1-50" or "3,7,20-25"."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def keep(verdict: Verdict) -> None:
    """Add a verdict to the file."""
    kept = Kept(
        seed=verdict.plan.seed,
        steps=[str(step) for step in verdict.plan.steps],
        records=verdict.records,
        replayed=verdict.replayed,
        died=list(verdict.died),
        differences=list(verdict.differences),
        seconds=round(verdict.seconds, 1),
    )
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a") as file:
        file.write(json.dumps(asdict(kept)) + "\n")


def report(verdict: Verdict) -> str:
    """The schedule and the first differences, for a failed test."""
    lines = [str(verdict.plan), f"  ended by themselves: {list(verdict.died)}"]
    lines += [f"  {difference}" for difference in verdict.differences[:_SHOWN]]
    return "\n".join([f"{len(verdict.differences)} differences", *lines])


def table(rows: Sequence[Kept]) -> str:
    """A summary and a row per seed, in Markdown."""
    faults = Counter(_kind(step) for row in rows for step in row.steps)
    total = sum(len(row.differences) for row in rows)
    records, seconds = sum(row.records for row in rows), [row.seconds for row in rows]
    summary = (
        f"{len(rows)} seeds, {sum(faults.values())} faults, {records} records of `doc.changed` and its lane: "
        f"**{total} differences**. Processes that ended by themselves: {sum(len(row.died) for row in rows)}. "
        f"A run took {statistics.median(seconds):.0f} s in the median, {max(seconds):.0f} s at most."
    )
    lines = [
        summary,
        "",
        "Faults: " + ", ".join(f"{kind} ({count})" for kind, count in sorted(faults.items())) + ".",
        "",
        "| seed | faults, in order | records | sent again | differences | s |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.seed} | {' · '.join(row.steps)} | {row.records} | {row.replayed} | {len(row.differences)} "
        f"| {row.seconds:.0f} |"
        for row in sorted(rows, key=lambda row: row.seed)
    ]
    return "\n".join(lines)


def _kind(step: str) -> str:
    """A step without how long it lasted."""
    return step.partition(" for ")[0]


def write(files: Sequence[Path], page: Path = PAGE) -> str:
    """Put the table of these files into the page; return its first line. Fails when the page has no place for it."""
    last: dict[int, Kept] = {}
    for file in files:
        for line in file.read_text().splitlines():
            row: dict[str, Any] = json.loads(line)
            last[row["seed"]] = Kept(**row)
    made, text = table(list(last.values())), page.read_text()
    before, rest = text.split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.split(END)[1]}")
    return made.splitlines()[0]


if __name__ == "__main__":
    sys.stdout.write(write([Path(name) for name in sys.argv[1:]] or [FILE]) + "\n")
