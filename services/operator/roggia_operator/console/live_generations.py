"""Actions on index generations, as plans to confirm. Each is what the command line would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
from msgspec import structs
from roggia_runtime.clock import now_ms
from roggia_schemas.events import GenerationState, GenerationWish, IndexGeneration

from roggia_operator.console.generation_picture import picture
from roggia_operator.console.generation_views import GenerationRow
from roggia_operator.console.views import Plan
from roggia_operator.errors import GenerationError, SelectionError
from roggia_operator.generations import marks
from roggia_operator.generations.bases import servers
from roggia_operator.generations.client import Asked, GenerationClient
from roggia_operator.generations.foretelling import foretold, with_baseline
from roggia_operator.generations.table import GenerationTable
from roggia_operator.generations.values import Decision, Rules

PREFIX = "generation-"
_WISHES = MappingProxyType(
    {"promote": GenerationWish.SERVE, "rollback": GenerationWish.ROLL_BACK, "retire": GenerationWish.RETIRE}
)
_PAUSES = MappingProxyType({"pause": True, "resume": False})
KINDS = tuple(f"{PREFIX}{verb}" for verb in (*_WISHES, *_PAUSES))
_TITLES = MappingProxyType(
    {"promote": "Promote", "rollback": "Roll back", "retire": "Retire", "pause": "Pause", "resume": "Resume"}
)
_MEANS = MappingProxyType(
    {
        "promote": "Readers of what it holds get it, once its index is exactly what the log says and the gate let it "
        "through. What serves now follows on, so that a rollback loses nothing.",
        "rollback": "Readers are back on the generation from before within a second. This one follows the log until it "
        "is retired.",
        "retire": "It follows the log no more, and its collections are deleted.",
        "pause": "Filling rests over restarts; what it has filled is kept.",
        "resume": "Filling goes on where it stopped.",
    }
)
_REFUSED = "refused: "


class _Change(msgspec.Struct, frozen=True):
    """What was planned: on which generation, as it stood, on what evidence."""

    generation: int
    state: str
    report: str = ""
    override: str = ""
    name: str = ""


class GenerationActions:
    """Used by `LiveActions` alone."""

    def __init__(self, client: GenerationClient, rules: Rules) -> None:
        self._client, self._rules = client, rules

    async def plan(self, kind: str, form: Mapping[str, str]) -> Plan:
        """See `Actions.plan`."""
        verb, number = kind.removeprefix(PREFIX), _number(form.get("generation", ""))
        table = await self._table()
        row = self._allowed(verb, number, table)
        change = _evidence(form, row) if verb == "promote" else _Change(number, row.state)
        told = await self._told(verb, change, "console", "")
        decision = foretold(told, table, self._rules, now_ms())
        refused = decision.message.removeprefix(_REFUSED) if decision.message.startswith(_REFUSED) else ""
        title = f"{_TITLES[verb]} g{number}"
        facts = (*_facts(verb, row, change), ("Goes over to", _then(decision)), *self._serving(verb, number, table))
        payload = msgspec.json.encode(change).decode()
        return Plan(kind, title, title, facts, _warnings(verb, row, change), payload, verb == "retire", refused)

    async def start(self, kind: str, payload: str, *, who: str, reason: str) -> str:
        """See `Actions.start`. Raises `GenerationError` when the generation moved since the plan was shown."""
        verb, change = kind.removeprefix(PREFIX), msgspec.json.decode(payload, type=_Change)
        table = await self._table()
        row = self._row(change.generation, table)
        if row.state != change.state:
            raise GenerationError(
                f"GENERATION: g{row.number} was {change.state} when this was planned, now it is {row.state}; plan again"
            )
        self._allowed(verb, change.generation, table)
        by = f"{change.name} ({who})" if change.name else who
        await self._client.send(await self._told(verb, change, by, reason))
        return f"/generations/{change.generation}"

    async def _told(self, verb: str, change: _Change, by: str, why: str) -> IndexGeneration:
        if verb in _PAUSES:
            return await self._client.changed(change.generation, paused=_PAUSES[verb])
        asked = Asked(by, why, change.report, change.override)
        return await self._client.wished(change.generation, _WISHES[verb], asked)

    async def _table(self) -> GenerationTable:
        held = await self._client.table()
        sides = [side for pair in held for side in (pair.wanted, pair.state) if side is not None]
        return with_baseline(sides, self._rules.baseline, now_ms())

    def _row(self, number: int, table: GenerationTable) -> GenerationRow:
        shown = picture(table, self._rules.baseline, None)
        row = next((one for one in shown.rows if one.number == number), None)
        if row is None:
            raise SelectionError(f"generation: there is no g{number}; see the list of generations")
        return row

    def _allowed(self, verb: str, number: int, table: GenerationTable) -> GenerationRow:
        row = self._row(number, table)
        if verb not in row.doable:
            can = ", ".join(row.doable) or "nothing"
            raise SelectionError(f"generation: g{number} is {row.state}: {verb} is not possible; what is: {can}")
        return row

    def _serving(self, verb: str, number: int, table: GenerationTable) -> Sequence[tuple[str, str]]:
        """Who serves then, where this changes it."""
        after = {"promote": GenerationState.LIVE, "rollback": GenerationState.ROLLED_BACK}.get(verb)
        if after is None:
            return ()
        top = max(row.cutover for row in table.rows) + (verb == "promote")
        rows = [
            structs.replace(row, state=after, cutover=top) if row.generation == number else row for row in table.rows
        ]
        before, then = servers(table.rows, self._rules.baseline), servers(rows, self._rules.baseline)
        return [(str(base), f"g{before[base]}, then g{one}") for base, one in then.items() if before[base] != one]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10):
        raise SelectionError(f"generation: {text!r} is no number of a generation; choose one from the list")
    return int(text)


def _evidence(form: Mapping[str, str], row: GenerationRow) -> _Change:
    """What a cutover rests on. Raises `SelectionError` naming the field that is missing or too much."""
    report, override, name = (form.get(field, "").strip() for field in ("report", "override", "name"))
    if bool(report) == bool(override):
        raise SelectionError("report: give the id of the gate's report, or a reason to do without it; not both")
    if override and (not name or marks.machine(name)):
        raise SelectionError(f"name: {name!r} is nobody who can answer for doing without the gate; give your name")
    return _Change(row.number, row.state, report, override, name)


def _facts(verb: str, row: GenerationRow, change: _Change) -> tuple[tuple[str, str], ...]:
    given = {
        "Gate's report": change.report,
        "Does without the gate, because": change.override,
        "Answered for by": change.name,
    }
    return (
        ("Generation", f"g{row.number}, {row.model}"),
        ("Stands", f"{row.state}: {row.message}"),
        ("Knowledge bases", ", ".join(row.selection) or "all"),
        ("Serves now", ", ".join(row.serves) or "nothing"),
        ("Means", _MEANS[verb]),
        *((label, text) for label, text in given.items() if text),
    )


def _then(decision: Decision) -> str:
    return f"{decision.move.after.value}: {decision.message}" if decision.move else decision.message or "stays as it is"


def _warnings(verb: str, row: GenerationRow, change: _Change) -> tuple[str, ...]:
    found = []
    if verb == "retire":
        found.append(f"There is no way back: g{row.number} would have to be filled again from the beginning.")
    if change.override:
        found.append("The gate is not asked. The reason and the name stay in the generation's history.")
    return tuple(found)
