"""How a benchmark reports: one JSON line per measurement, which `make bench` gathers into one table.

A benchmark is `tests/bench/<topic>/bench_<name>.py` with a `main()`; it runs alone as
`python -m tests.bench.<topic>.bench_<name>`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number. `goal` is what it should be, as text with its relation (`≥ 0.90`), empty where there is none.

    `met` is None where there is no goal. Prefer ratios of two things measured in one run to absolute times.
    """

    name: str
    value: float
    unit: str = ""
    goal: str = ""
    met: bool | None = None
    note: str = ""


def report(name: str, value: float, unit: str = "", *, at_least: float | None = None, at_most: float | None = None,
           note: str = "") -> Measurement:  # fmt: skip
    """Write one measurement to standard output and return it."""
    goal, met = "", None
    if at_least is not None:
        goal, met = f"≥ {at_least:g}", value >= at_least
    elif at_most is not None:
        goal, met = f"≤ {at_most:g}", value <= at_most
    made = Measurement(name, value, unit, goal, met, note)
    sys.stdout.write(json.dumps(asdict(made), ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return made


def parse(line: str) -> Measurement | None:
    """The measurement in a line of a benchmark's output, or None: benchmarks may print other things too.

    Also reads lines that give a `ratio` to a `baseline`, with whatever else they say as the note.
    """
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or "name" not in found:
        return None
    if "value" in found:
        known = {key: found[key] for key in ("name", "value", "unit", "goal", "met", "note") if key in found}
        return Measurement(**known)
    return _ratio(found) if "ratio" in found else None


def _ratio(found: dict[str, object]) -> Measurement:
    rest = {key: value for key, value in found.items() if key not in ("name", "ratio", "baseline")}
    note = ", ".join(f"{key} {value}" for key, value in rest.items())
    return Measurement(
        str(found["name"]), float(str(found["ratio"])), f"× {found.get('baseline', '')}".strip(), note=note
    )
