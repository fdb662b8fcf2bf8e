"""Waiting for the controller's answer to a wish, and for readers to follow it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing, nullcontext

from rich.markup import escape
from roggia_operator.console.index import Index
from roggia_operator.console.views import CollectionRow
from roggia_operator.generations.adapters.index_service import knowledge_base
from roggia_operator.generations.client import GenerationClient
from roggia_operator.generations.moves import DONE, LEFT, OFFSETS, RATE
from roggia_operator.generations.table import GenerationTable, Pair
from roggia_runtime.generations import serving
from roggia_schemas.events import GenerationState
from roggia_schemas.names import alias_name

from roggia.cli.generation_views import generation_row
from roggia.cli.output import emit_line, err, progress, say
from roggia.cli.replay_views import lasting
from roggia.errors import NotRunningError, StandaloneError

TAKEN_S = 20.0
"""Seconds after which a wish that nobody answered is left to whoever starts an operator."""
LOOK_S, QUICK_S = 0.3, 0.02
TELL_S = 5.0
"""Seconds between two lines about progress, where there is no bar."""
REFUSED, WAITS = "refused", "waits"
_SETTLED = frozenset({GenerationState.SHADOW, GenerationState.LIVE, GenerationState.ROLLED_BACK,
                      GenerationState.RETIRED, GenerationState.FAILED})  # fmt: skip


async def answers(
    client: GenerationClient, number: int, look_s: float = LOOK_S
) -> AsyncGenerator[tuple[Pair, GenerationTable]]:
    """A generation at every look from the controller's answer on. Raises `NotRunningError` when none comes in time."""
    began = time.monotonic()
    async with aclosing(client.follow(number, look_s)) as looks:
        async for pair, table in looks:
            if pair.answered:
                yield pair, table
            elif time.monotonic() - began > TAKEN_S:
                raise NotRunningError(
                    f"no operator service answered for g{number} within {TAKEN_S:g} s: start one (roggia service "
                    "operator), it will do it then"
                )


async def answered(client: GenerationClient, number: int) -> Pair:
    """A generation once the controller has seen what is wanted now. Raises as `answers`."""
    async with aclosing(answers(client, number)) as looks:
        async for pair, _ in looks:
            return pair
    raise AssertionError("unreachable")


def accepted(pair: Pair) -> None:
    """Raises `StandaloneError` when the controller has refused what was asked of a generation."""
    if pair.side.message.startswith(REFUSED):
        raise StandaloneError(f"g{pair.number} stays {pair.status.value}: {pair.side.message}")


async def begun(client: GenerationClient, number: int) -> Pair:
    """A planned generation once it fills, or the controller says why not. Raises as `answers`."""
    async with aclosing(answers(client, number)) as looks:
        async for pair, _ in looks:
            if pair.status is not GenerationState.PLANNED or pair.side.message.startswith((REFUSED, WAITS)):
                return pair
    raise AssertionError("unreachable")


async def until(
    client: GenerationClient, number: int, wanted: GenerationState, patience_s: float, look_s: float = LOOK_S
) -> tuple[Pair, GenerationTable]:
    """A generation once it has come to a state. Raises `StandaloneError` with the reason when that is refused or takes
    longer than `patience_s`, and as `answers` does."""
    began = time.monotonic()
    async with aclosing(answers(client, number, look_s)) as looks:
        async for pair, table in looks:
            message = pair.state.message if pair.state else ""
            if pair.status is wanted:
                return pair, table
            if message.startswith(REFUSED) or pair.status is GenerationState.FAILED:
                raise StandaloneError(f"g{number} stays {pair.status.value}: {message}")
            if time.monotonic() - began > patience_s:
                raise StandaloneError(f"g{number} is {pair.status.value} after {patience_s:g} s: {message}; it goes on")
    raise AssertionError("unreachable")


async def watch(client: GenerationClient, number: int, *, json: bool) -> Pair:
    """Follow a filling to its end: a bar with rate and time left, lines where there is no terminal, or JSON per change.

    Raises `StandaloneError` when it is refused, and as `answers` does.
    """
    bar, last, told = progress("offsets"), "", 0.0
    task = bar.add_task(f"g{number}", total=None, rate="")
    with bar if err.is_terminal and not json else nullcontext():
        async with aclosing(answers(client, number)) as looks:
            async for pair, table in looks:
                counts = pair.side.counts
                left = f"{lasting(counts[LEFT])} left · " if LEFT in counts else ""
                line = f"{counts.get(RATE, 0):,}/s · {left}{pair.status.value} {pair.side.message}"
                bar.update(task, completed=counts.get(DONE, 0), total=counts.get(OFFSETS) or None, rate=escape(line))
                if json and (row := str(generation_row(pair, table, client.baseline))) != last:
                    emit_line(generation_row(pair, table, client.baseline))
                    last = row
                if not (json or err.is_terminal) and time.monotonic() - told > TELL_S:
                    say(f"g{number}: {counts.get(DONE, 0):,} of {counts.get(OFFSETS, 0):,} offsets · {line}")
                    told = time.monotonic()
                if pair.status in _SETTLED:
                    return pair
                if pair.side.message.startswith(REFUSED):
                    raise StandaloneError(f"g{number} stays {pair.status.value}: {pair.side.message}")
    raise AssertionError("unreachable")


async def readers(url: str, table: GenerationTable, baseline: int, patience_s: float) -> list[str]:
    """Wait until every alias points at the generation that serves; those that do not in time, with where they point."""
    index, began = Index(url), time.monotonic()
    while True:
        late = behind(await index.collections(), table, baseline)
        if not late or time.monotonic() - began > patience_s:
            return late
        await asyncio.sleep(QUICK_S)


def behind(rows: Collection[CollectionRow], table: GenerationTable, baseline: int) -> list[str]:
    """Aliases that do not lead to the generation that serves, where that has a collection, and where they lead."""
    held = {(knowledge_base(row.name), row.generation) for row in rows}
    leads = {knowledge_base(row.name): f"g{row.generation}" for row in rows if row.alias}
    found = []
    for base in sorted({base for base, _ in held if base is not None}):
        server, lead = serving(table.rows, *base, baseline), leads.get(base, "nothing that answers")
        if (base, server) in held and lead != f"g{server}":
            found.append(f"{alias_name(*base)} → {lead}, not g{server}")
    return found
