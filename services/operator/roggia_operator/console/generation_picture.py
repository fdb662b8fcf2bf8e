"""From the record of generations, and what the index consists of, to what the console shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roggia_runtime import generations
from roggia_schemas.events import GenerationMove

from roggia_operator.console.generation_views import BaseRow, GenerationRow, Generations, MoveRow
from roggia_operator.console.views import CollectionRow
from roggia_operator.generations.adapters.index_service import knowledge_base
from roggia_operator.generations.bases import served_by, servers
from roggia_operator.generations.moves import DONE, LEFT, OFFSETS, RATE
from roggia_operator.generations.table import GenerationTable, Pair


def picture(
    table: GenerationTable, baseline: int, collections: Sequence[CollectionRow] | None, problem: str = ""
) -> Generations:
    """Everything. `table` holds the baseline; `collections` is None where the index did not answer."""
    rows = [_row(pair, table, baseline, collections) for pair in table]
    return Generations(tuple(reversed(rows)), tuple(_bases(table, baseline, collections or ())), problem)


def _bases(table: GenerationTable, baseline: int, collections: Iterable[CollectionRow]) -> list[BaseRow]:
    """Knowledge bases that the index has, and those that selections name."""
    rows, readers = table.rows, dict[tuple[str, str], int | None]()
    for one in collections:
        base = knowledge_base(one.name)
        if base is not None:
            readers[base] = one.generation if one.alias else readers.get(base)
    found = [
        BaseRow(f"{tenant}/{domain}", generations.serving(rows, tenant, domain, baseline), generation)
        for (tenant, domain), generation in sorted(readers.items())
    ]
    known = {one.name for one in found}
    return found + [
        BaseRow(str(base), number) for base, number in servers(rows, baseline).items() if str(base) not in known
    ]


def _row(
    pair: Pair, table: GenerationTable, baseline: int, collections: Sequence[CollectionRow] | None
) -> GenerationRow:
    side, wanted = pair.side, pair.wanted or pair.side
    own = None if collections is None else sum(one.points for one in collections if one.generation == pair.number)
    counts = side.counts
    return GenerationRow(
        number=pair.number,
        state=pair.status.value,
        message=side.message if pair.state else "no operator has taken it yet",
        model=side.model.uri or "as the embedder's settings say",
        baseline=pair.number == baseline,
        fingerprint=side.model.fingerprint,
        dimension=side.model.dimension,
        chunker=side.chunker_generation,
        store=side.store,
        selection=tuple(side.selection),
        serves=tuple(str(base) for base in served_by(pair.number, table.rows, baseline)),
        points=own,
        done=counts.get(DONE, 0),
        offsets=counts.get(OFFSETS, 0),
        rate=float(counts.get(RATE, 0)),
        left_s=counts.get(LEFT),
        paused=wanted.paused,
        limit=wanted.rate,
        canary=side.canary,
        cutover=side.cutover,
        wish=wanted.wish.value,
        answered=pair.answered,
        by=wanted.by,
        why=wanted.why,
        report=wanted.report,
        override=wanted.override,
        history=tuple(map(_move, reversed(side.history))),
    )


def _move(move: GenerationMove) -> MoveRow:
    return MoveRow(move.at, move.before, move.after, move.by, move.why, dict(move.evidence))
