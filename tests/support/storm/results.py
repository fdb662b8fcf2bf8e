"""Verdicts of seeds: kept as lines of JSON, told in words, and put into docs/chaos.md as a table."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.support.storm.run import Verdict

FILE = Path(os.environ.get("ROGGIA_CHAOS_RESULTS", ".roggia/chaos.jsonl"))
_SHOWN = 20


def seeds(text: str) -> list[int]:
    """The seeds in "17", "1-50" or "3,7,20-25"."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def keep(verdict: Verdict) -> None:
    """Add a verdict to the file."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    row = {
        "seed": verdict.plan.seed,
        "steps": [str(step) for step in verdict.plan.steps],
        "records": verdict.records,
        "replayed": verdict.replayed,
        "died": list(verdict.died),
        "differences": list(verdict.differences),
        "seconds": round(verdict.seconds, 1),
    }
    with FILE.open("a") as file:
        file.write(json.dumps(row) + "\n")


def report(verdict: Verdict) -> str:
    """The schedule and the first differences, for a failed test."""
    lines = [str(verdict.plan), f"  died by themselves: {list(verdict.died)}"]
    lines += [f"  {difference}" for difference in verdict.differences[:_SHOWN]]
    return "\n".join([f"{len(verdict.differences)} differences", *lines])
