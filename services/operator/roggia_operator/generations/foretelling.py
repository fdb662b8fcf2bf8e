"""What a wish would do, as far as the log alone tells. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from roggia_schemas.events import IndexGeneration

from roggia_operator.generations.case import Case
from roggia_operator.generations.moves import decide
from roggia_operator.generations.states import baseline_row
from roggia_operator.generations.table import GenerationTable
from roggia_operator.generations.values import Decision, Evidence, Rules


def with_baseline(rows: Iterable[IndexGeneration], baseline: int, now_ms: int) -> GenerationTable:
    """The generations with the baseline among them, which has no record before the first plan."""
    table = GenerationTable()
    for row in rows:
        table.put(row)
    held = table.get(baseline)
    if held is None or held.state is None:
        table.put(baseline_row(baseline, now_ms))
    return table


def foretold(told: IndexGeneration, table: GenerationTable, rules: Rules, now_ms: int) -> Decision:
    """The decision on a WANTED. Evidence is gathered only once it is asked for, so that a cutover waits here. `table`
    holds the baseline; it is not changed."""
    pair = table.get(told.generation)
    return decide(Case(told, pair.state if pair else None, table.rows, Evidence(), rules, now_ms))
