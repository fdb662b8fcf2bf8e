"""What must hold before a generation may move: a guard says that the way is open, or why not and what to ask. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from roggia_schemas.errors import SchemasError
from roggia_schemas.events import GenerationState

from roggia_operator.generations import marks
from roggia_operator.generations.bases import Base, check_selection
from roggia_operator.generations.case import Case
from roggia_operator.generations.values import GateReport, Need, Parity, Way

SPECIAL_TOKENS = 2
"""What a model puts around a passage; ingest's bound counts without them."""
OPEN = Way()


def filling(case: Case) -> Way:
    """PLANNED → FILLING: what it names is right, there is room for it, and its topics exist."""
    if shut := _misnamed(case) or _no_room(case):
        return Way(f"refused: {shut}")
    ground = case.evidence.ground
    if ground is None or (ground.trouble and _old(case, ground.at_ms)):
        return Way(f"waits: {ground.trouble if ground else 'its topics are made'}", _ask(Need.GROUND, case.number))
    if ground.trouble:
        return Way(f"refused: {ground.trouble}")
    window, needed = case.row.model.window, ground.chunk_tokens + SPECIAL_TOKENS
    if ground.chunk_tokens and window < needed:
        return Way(
            f"refused: window: {window} is less than the {needed} tokens of the largest passages on "
            f"c{case.row.chunker_generation}; choose a model with a larger window, or a chunker with smaller passages"
        )
    return OPEN


def shadow(case: Case) -> Way:
    """FILLING → SHADOW: both groups have passed the noted ends and are close behind now; the index is the log's."""
    progress = case.evidence.progress
    if progress is None:
        return Way("waits: its groups have not been looked at", _ask(Need.PROGRESS, case.number))
    if progress.left > 0:
        return Way("filling")
    if max(progress.embed_lag, progress.upsert_lag) > case.rules.lag:
        return Way(f"waits: its groups are more than {case.rules.lag:,} records behind")
    return exact(case, [case.number])


def live(case: Case) -> Way:
    """SHADOW or ROLLED_BACK → LIVE: the gate let it through or a person answers for it; the indexes are the log's.

    What an override waives is the gate, and the exactness of what served before. The new index must be exact.
    """
    through = gate(case)
    if not through.open:
        return through
    numbers = [case.number] if case.wanted.override else [case.number, *case.beneath]
    parity = exact(case, numbers)
    return Way(parity.shut, parity.needs, {**through.rests_on, **parity.rests_on}, parity.fingerprint)


def gate(case: Case) -> Way:
    """Whether queries of users may reach it."""
    wanted = case.wanted
    if wanted.override:
        return _overridden(case)
    if not wanted.report:
        return Way("refused: report: none is named; evaluate it and name the report, or override with a reason")
    report = case.evidence.report
    if report is None or report.report_id != wanted.report:
        return Way("waits: the gate's report is read", _ask(Need.REPORT, case.number))
    if not report.passed:
        needs = _ask(Need.REPORT, case.number) if _old(case, report.at_ms) else frozenset()
        said = f"says {report.verdict or 'nothing'}: {report.reason}" if report.verdict else report.reason
        return Way(f"refused: report: {label(report)} {said}", needs)
    if shut := _of_another(case, report):
        return Way(f"refused: report: {label(report)} {shut}")
    return Way(rests_on={"report": label(report), "verdict": report.verdict})


def exact(case: Case, numbers: Iterable[int]) -> Way:
    """The indexes of these generations are what the log says, proven a short while ago."""
    rests_on: dict[str, str] = {}
    fingerprint = ""
    for number in numbers:
        parity = case.evidence.parity.get(number)
        if parity is None or _stale(case, parity):
            shut = f"waits: g{number} is compared with the log" + (f" ({parity.detail})" if parity else "")
            return Way(shut, _ask(Need.PARITY, number))
        if not parity.clean:
            return Way(f"waits: g{number} is not what the log says: {parity.detail}")
        rests_on[f"parity g{number}"] = parity.detail
        fingerprint = parity.fingerprint if number == case.number else fingerprint
    return Way(rests_on=rests_on, fingerprint=fingerprint)


def back(case: Case) -> Way:
    """LIVE → ROLLED_BACK: always open, unless nothing that follows the log would serve in its place."""
    if case.baseline:
        return Way("refused: it is the baseline, which others go back to; promote another generation instead")
    if lost := case.unserved_if(GenerationState.ROLLED_BACK):
        return Way(f"refused: nothing older follows that could serve {_named(lost)}")
    return OPEN


def retired(case: Case) -> Way:
    """→ RETIRED: it serves nothing, others serve all of what it held, and its grace period is over."""
    if serves := case.serves:
        return Way(f"refused: it serves {_named(serves)}; promote another or roll back first")
    if lost := case.unserved_if(GenerationState.RETIRED):
        return Way(f"refused: it alone follows for {_named(lost)}")
    left_ms = case.last_switch_ms + case.rules.grace_ms - case.now_ms
    if left_ms > 0:
        return Way(f"waits: its grace period ends {_when(case.now_ms + left_ms)}")
    return OPEN


def label(report: GateReport) -> str:
    """A report's id as people read it: one that was passed along whole has none."""
    return "inline" if report.report_id.lstrip().startswith("{") else report.report_id


def _misnamed(case: Case) -> str:
    try:
        check_selection(case.row.selection)
    except SchemasError as wrong:
        return str(wrong)
    if case.row.chunker_generation < 1:
        return f"chunker: {case.row.chunker_generation}: generations count from 1"
    return "" if case.row.model.uri else "model: it names none; give its URI"


def _no_room(case: Case) -> str:
    others = [number for number in case.followers if number != case.number]
    if len(others) < case.rules.limit:
        return ""
    named = ", ".join(f"g{number}" for number in others)
    return f"{named} follow the log already, {case.rules.limit} at a time may; retire one first"


def _overridden(case: Case) -> Way:
    wanted = case.wanted
    if not wanted.by.strip() or marks.machine(wanted.by):
        return Way(f"refused: override: by {wanted.by or 'nobody'!r}; a person must be named who answers for it")
    if not wanted.override.strip():
        return Way("refused: override: it gives no reason; say why it may serve without the gate")
    return Way(rests_on={"override": wanted.override, "overridden by": wanted.by})


def _of_another(case: Case, report: GateReport) -> str:
    """Why a report is not about this generation."""
    known = case.row.model.fingerprint
    if report.generation and report.generation != case.number:
        return f"is about g{report.generation}"
    if report.fingerprint and known and report.fingerprint != known:
        return f"is about the model {report.fingerprint}, this is {known}"
    if not report.generation and not report.fingerprint:
        return "names neither generation nor fingerprint: it could be about any model"
    return ""


def _stale(case: Case, parity: Parity) -> bool:
    age_ms = case.now_ms - parity.at_ms
    return age_ms > (case.rules.fresh_ms if parity.clean else case.rules.again_ms)


def _old(case: Case, at_ms: int) -> bool:
    return case.now_ms - at_ms > case.rules.again_ms


def _ask(need: Need, number: int) -> frozenset[tuple[Need, int]]:
    return frozenset({(need, number)})


def _named(found: list[Base]) -> str:
    shown = ", ".join(map(str, found[:3]))
    return shown if len(found) <= 3 else f"{shown} and {len(found) - 3} more"


def _when(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
