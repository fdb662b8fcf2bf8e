"""The table of benchmarks, when only some of them were run."""

from __future__ import annotations

from tests.bench.run import merged
from tests.support.measures import Measurement

OLD = """<!-- results -->
On a machine.

| benchmark | measured | value | goal | note | on |
|---|---|---|---|---|---|
| pipeline.pipeline | rate | 1 x |  |  | 2001-01-01 |
| runtime.loop | events | 2 y |  |  | 2001-01-01 |
| runtime.loop | gone | 3 y |  |  | 2001-01-01 |
<!-- end -->"""


def test_rows_of_benchmarks_that_were_not_run_stay() -> None:
    """A partial run replaces what it measured, all of it, and nothing else; each row says its day."""
    made = merged(OLD, [("tests.bench.runtime.bench_loop", Measurement("events", 7.0, "y"))]).splitlines()
    rows = [line for line in made if line.startswith("| ") and "benchmark" not in line]

    assert rows[0] == "| pipeline.pipeline | rate | 1 x |  |  | 2001-01-01 |"
    assert rows[1].startswith("| runtime.loop | events | 7 y |")
    assert "2001" not in rows[1]
    assert len(rows) == 2
