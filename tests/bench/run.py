"""Run every benchmark, one process each, and show one table. Called by `make bench`.

usage: python -m tests.bench.run [PART…]     only benchmarks whose name holds one of the parts

Brings the table in docs/benchmarks.md up to date, with the day on which each row was measured. The exit status is 1
when a benchmark failed to run; a goal that was missed is shown, not fatal: machines differ.
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


def markdown(rows: list[tuple[str, Measurement]]) -> list[str]:
    """The results as rows of the table in docs/benchmarks.md."""
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    lines = []
    for name, one in rows:
        goal = one.goal + ("" if one.met is None else " met" if one.met else " **missed**")
        cells = (short(name), one.name, f"{shown(one.value)} {one.unit}".strip(), goal, one.note, when)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def merged(old: str, rows: list[tuple[str, Measurement]]) -> str:
    """The table with the rows of these benchmarks replaced. Those of others stay, with the day of theirs."""
    new = {f"| {short(name)} |" for name, _ in rows}
    stay = [line for line in old.splitlines() if line.startswith("| ") and not line.startswith((*new, "| benchmark |"))]
    machine = f"On {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}."
    head = ["| benchmark | measured | value | goal | note | on |", "|---|---|---|---|---|---|"]
    body = sorted([*stay, *markdown(rows)], key=lambda line: line.split("|")[1])
    return "\n".join([machine, "", *head, *body])


def short(name: str) -> str:
    """A module's name without what all of them share."""
    return name.removeprefix("tests.bench.").replace("bench_", "")


def write(rows: list[tuple[str, Measurement]]) -> None:
    """Bring the page's table up to date."""
    page = PAGE.read_text("utf-8")
    found = _RESULTS.search(page)
    if found is None:
        raise SystemExit(f"{PAGE} has no results to replace: it needs the marks <!-- results --> and <!-- end -->")
    block = f"<!-- results -->\n{merged(found[0], rows)}\n<!-- end -->"
    PAGE.write_text(page.replace(found[0], block), "utf-8")


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
    if rows:
        write(rows)
    for name in failed:
        sys.stderr.write(f"{name} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
