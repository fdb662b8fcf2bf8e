"""What `roggia generation` makes of its options: evidence, names, bounds, and what a wish would do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import typer
from roggia_operator.console.index import Held, Index
from roggia_operator.generations.adapters.index_service import knowledge_base
from roggia_operator.generations.adapters.kafka_leftovers import own_topics
from roggia_operator.generations.client import Asked
from roggia_operator.generations.foretelling import foretold, with_baseline
from roggia_operator.generations.settings import GenerationOptions
from roggia_operator.generations.table import GenerationTable
from roggia_runtime.clock import now_ms
from roggia_runtime.errors import UnavailableError
from roggia_runtime.settings import load
from roggia_schemas.events import GenerationState, IndexGeneration

from roggia.cli.asking import at_terminal, somebody
from roggia.cli.named_files import text_of
from roggia.cli.output import emit, out, say
from roggia.connection import Connection
from roggia.errors import UsageError


async def known_bases(where: Connection) -> set[tuple[str, str]] | None:
    """The knowledge bases that the index has; None, and a word about it, where nobody can be asked."""
    held = await _held(where, "--select")
    if held is None:
        return None
    return {base for base in (knowledge_base(row.name) for row in held.collections) if base is not None}


async def known_stores(where: Connection) -> tuple[str, ...] | None:
    """The names of further stores that the index has; None, and a word about it, where nobody can be asked."""
    held = await _held(where, "--store")
    return None if held is None else held.stores


async def _held(where: Connection, option: str) -> Held | None:
    if not where.query:
        say(f"{option}: no query service is known, so the names are not checked against the index")
        return None
    try:
        return await Index(where.query).held()
    except UnavailableError as error:
        say(f"{option}: the names are not checked against the index: {error}")
        return None


def evidence(report: str, override: str, why: str) -> Asked:
    """Who asks, on what evidence. A report in a file is passed along whole."""
    if report and override:
        raise UsageError("--override: given together with --report; one of them decides, leave the other out")
    if not report and not override:
        raise UsageError("--report: missing; name the gate's report, or give --override with a reason")
    if report.endswith(".json") or "/" in report:
        report = re.sub(r"\s+", " ", text_of("--report", Path(report))).strip()
        if not report.startswith("{"):
            raise UsageError("--report: the file holds no JSON object; name one that the gate wrote")
    return Asked(somebody(), why, report, override)


def discarded(topics: Sequence[str], generation: int) -> str:
    """Topics of a generation that were typed, as a wish keeps them. Raises `UsageError` for one that is not its own."""
    own = own_topics(generation)
    for topic in topics:
        if topic not in own:
            raise UsageError(
                f"--discard: {topic!r} is no topic of g{generation}; its own are {', '.join(own) or 'none'}"
            )
    return ",".join(sorted(set(topics)))


def newest(table: GenerationTable) -> int:
    """The generation that was cut over to last, of those that are LIVE."""
    live = [row for row in table.rows if row.state is GenerationState.LIVE and row.cutover]
    if not live:
        raise UsageError("GENERATION: none was cut over to; `roggia generation list` shows them")
    return max(live, key=lambda row: row.cutover).generation


def foretell(told: IndexGeneration, table: GenerationTable, baseline: int, *, json: bool) -> None:
    """What a wish would do, as far as the log alone tells: evidence is gathered only once it is asked for."""
    pair = table.get(told.generation)
    state = pair.state if pair else None
    known = with_baseline(table.rows, baseline, now_ms())
    decision = foretold(told, known, load(GenerationOptions).rules, now_ms())
    then = f"{decision.move.after.value}: {decision.message}" if decision.move else decision.message
    if json:
        emit({"generation": told.generation, "wish": told.wish.value, "now": state.state.value if state else None,
              "move": decision.move.after.value if decision.move else None, "message": decision.message})  # fmt: skip
        return
    now = state.state.value if state else "new"
    out.print(f"g{told.generation} ({now}), wish {told.wish.value}: {then}", markup=False, soft_wrap=True)


def bound_of(text: str) -> float:
    """A rate above 0. Raises `UsageError`."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 < found < float("inf"):
        raise UsageError(f"CHUNKS: {text!r} is no number above 0; write 50, or off to lift the bound")
    return found


def typed_name(name: str, confirm: str) -> None:
    """Raises `UsageError` unless the generation's name was typed."""
    if not confirm:
        at_terminal(f"--confirm: nobody is there to type the name; give --confirm {name}")
    typed = confirm or typer.prompt("There is no way back. Type the generation's name", err=True)
    if typed.strip() != name:
        raise UsageError(f"--confirm: {typed!r} is not {name!r}; nothing was done")
