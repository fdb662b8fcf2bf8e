"""Run every benchmark, one process each, and show one table. Called by `make bench`.

usage: python -m tests.bench.run [PART…]     only benchmarks whose name holds one of the parts

Writes the table into docs/benchmarks.md, with the machine that it was measured on. The exit status is 1 when a
benchmark failed to run; a goal that was missed is shown, not fatal: machines differ.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support.measures import Measurement, parse

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/benchmarks.md"
TIMEOUT_S = 1800
_RESULTS = re.compile(r"<!-- results -->.*?<!-- end -->", re.DOTALL)


def benchmarks(parts: list[str]) -> list[str]:
    """Module names of the benchmarks chosen."""
    found = sorted((ROOT / "tests/bench").rglob("bench_*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found]
    return [name for name in names if not parts or any(part in name for part in parts)]


def run(name: str) -> tuple[list[Measurement], bool]:
    """Measurements of one benchmark, and whether it ended well. Its own output goes through as it comes."""
    command = [sys.executable, "-m", name]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = []
        for line in process.stdout:
            measured = parse(line)
            found += [measured] if measured else []
            sys.stdout.write("" if measured else line)
        return found, process.wait(TIMEOUT_S) == 0


def shown(value: float) -> str:
    """A number with three significant digits, or its thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(rows: list[tuple[str, Measurement]]) -> Table:
    """The results for a terminal."""
    made = Table("benchmark", "measured", "value", "unit", "goal", "", "note", box=None)
    for name, one in rows:
        mark = {True: "met", False: "[red]missed[/red]", None: ""}[one.met]
        made.add_row(short(name), one.name, shown(one.value), one.unit, one.goal, mark, one.note)
    return made


def markdown(rows: list[tuple[str, Measurement]]) -> str:
    """The results for docs/benchmarks.md."""
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    lines = [
        f"Measured {when} on {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.",
        "",
    ]
    lines += ["| benchmark | measured | value | goal | note |", "|---|---|---|---|---|"]
    for name, one in rows:
        goal = one.goal + ("" if one.met is None else " met" if one.met else " **missed**")
        lines.append(f"| {short(name)} | {one.name} | {shown(one.value)} {one.unit} | {goal} | {one.note} |")
    return "\n".join(lines)


def short(name: str) -> str:
    """A module's name without what all of them share."""
    return name.removeprefix("tests.bench.").replace("bench_", "")


def write(rows: list[tuple[str, Measurement]]) -> None:
    """Replace the results in the page."""
    block = f"<!-- results -->\n{markdown(rows)}\n<!-- end -->"
    PAGE.write_text(_RESULTS.sub(lambda _: block, PAGE.read_text("utf-8")), "utf-8")


def main() -> int:
    """Run, show, write."""
    parts = sys.argv[1:]
    rows: list[tuple[str, Measurement]] = []
    failed = []
    for name in benchmarks(parts):
        sys.stdout.write(f"== {short(name)}\n")
        found, well = run(name)
        rows += [(name, one) for one in found]
        failed += [] if well else [name]
    Console().print(table(rows))
    if rows and not parts:
        write(rows)
    for name in failed:
        sys.stderr.write(f"{name} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
