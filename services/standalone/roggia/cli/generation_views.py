"""How generations look: tables, and rows for scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.table import Table
from roggia_operator.generations.bases import served_by
from roggia_operator.generations.moves import DONE, END, OFFSETS, RATE
from roggia_operator.generations.table import GenerationTable, Pair
from roggia_schemas.events import GenerationMove, GenerationState

from roggia.cli.output import folding, out

_BEGUN = frozenset({GenerationState.PLANNED, GenerationState.FILLING})


def generation_row(pair: Pair, table: GenerationTable, baseline: int) -> dict[str, Any]:
    """A generation for scripts."""
    side, wanted = pair.side, pair.wanted
    return {
        "generation": pair.number,
        "state": pair.status.value,
        "wish": (wanted or side).wish.value,
        "answered": pair.answered,
        "serves": [str(base) for base in served_by(pair.number, table.rows, baseline)],
        "message": side.message if pair.state else "no operator has taken it yet",
        "model": side.model.uri or "baseline",
        "fingerprint": side.model.fingerprint,
        "chunker": side.chunker_generation,
        "selection": list(side.selection),
        "store": side.store,
        "paused": (wanted or side).paused,
        "rate": (wanted or side).rate,
        "canary": side.canary,
        "cutover": side.cutover,
        "report": (wanted or side).report,
        "by": (wanted or side).by,
        "why": (wanted or side).why,
        "counts": {name: count for name, count in side.counts.items() if not name.startswith(END)},
        "history": [_move(move) for move in side.history],
    }


def show_generations(table: GenerationTable, baseline: int) -> None:
    """A table of all of them."""
    pairs = list(table)
    if not pairs:
        out.print(f"Only the baseline, g{baseline}.")
        return
    shown = folding("generation", "state", "serves", "done", "model", "selection", "message")
    for pair in pairs:
        row = generation_row(pair, table, baseline)
        cells = (
            f"g{pair.number}",
            row["state"],
            ", ".join(row["serves"]) or "–",
            _done(row),
            row["model"],
            ", ".join(row["selection"]) or "everything",
            row["message"],
        )
        shown.add_row(*map(escape, cells))
    out.print(shown)


def show_generation(pair: Pair, table: GenerationTable, baseline: int) -> None:
    """One of them, with its history."""
    row = generation_row(pair, table, baseline)
    out.print(f"g{pair.number} {row['state']}: {row['message']}", markup=False, soft_wrap=True)
    facts = Table(show_header=False, box=None)
    for name in ("wish", "by", "why", "model", "fingerprint", "chunker", "report"):
        facts.add_row(name, escape(str(row[name]) or "–"))
    facts.add_row("selection", escape(", ".join(row["selection"]) or "everything"))
    facts.add_row("store", escape(row["store"]) or "the settings' own")
    facts.add_row("serves", escape(", ".join(row["serves"]) or "nothing"))
    facts.add_row("filling", f"{_done(row)}{_bound(row)}{', paused' if row['paused'] else ''}")
    facts.add_row("canary", f"{row['canary']:g} %")
    out.print(facts)
    history = folding("at", "from", "to", "by", "why", "rests on")
    for move in row["history"]:
        rests_on = ", ".join(f"{name}: {value}" for name, value in move["evidence"].items())
        cells = (move["at"], move["before"], move["after"], move["by"], move["why"], rests_on)
        history.add_row(*map(escape, cells))
    out.print(history)


def _done(row: dict[str, Any]) -> str:
    counts = row["counts"]
    whole = counts.get(OFFSETS, 0)
    share = f"{counts.get(DONE, 0) / whole:.0%}" if whole else "–"
    return f"{share} at {counts[RATE]:,}/s" if counts.get(RATE) and row["state"] in _BEGUN else share


def _bound(row: dict[str, Any]) -> str:
    return f", at most {row['rate']:,g} chunks/s" if row["rate"] else ""


def _move(move: GenerationMove) -> dict[str, Any]:
    return {
        "at": datetime.fromtimestamp(move.at / 1000, UTC).isoformat(timespec="seconds"),
        "before": move.before,
        "after": move.after,
        "by": move.by,
        "why": move.why,
        "evidence": dict(move.evidence),
    }
