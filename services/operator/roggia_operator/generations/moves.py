"""The next move of a generation, or why it stays where it is. Pure: the controller does what is decided here.

PLANNED → FILLING → SHADOW → LIVE → RETIRED; LIVE → ROLLED_BACK → LIVE or RETIRED; any before LIVE → FAILED → RETIRED.
Deciding twice on the same rows gives the same move, and deciding on the rows that a move has made never gives it again:
so a controller that dies between deciding, writing and knowing that it wrote repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from roggia_schemas.events import GenerationState, GenerationWish

from roggia_operator.generations import guards, marks
from roggia_operator.generations.case import Case
from roggia_operator.generations.values import Alarm, Ask, Decision, Move, Need, Progress, Way

BY_RULE = "roggia.operator.generations"
"""Who made a move that nobody asked for."""
END = "end."
"""How the names of counts begin that keep the end of a partition of the corpus, as noted when filling began."""
_NOTHING: Mapping[str, str] = MappingProxyType({})
OFFSETS, DONE, RATE, LEFT = "offsets", "done", "rate", "left_s"


def decide(case: Case) -> Decision:
    """What is to be done now."""
    if case.state is None:
        return Decision("planned", _move(case, GenerationState.PLANNED), counts={})
    if case.baseline:
        return _of_baseline(case)
    return _BY_STATE[case.state.state](case)


def _planned(case: Case) -> Decision:
    if case.wanted.wish is GenerationWish.RETIRE:
        return _given_up(case)
    way = guards.filling(case)
    ground = case.evidence.ground
    if not way.open or ground is None:
        return Decision(way.shut, needs=way.needs)
    counts = {f"{END}{number}": end for number, end in ground.ends.items()}
    counts |= {OFFSETS: ground.offsets, DONE: 0}
    return Decision("filling", _move(case, GenerationState.FILLING, rests_on={"offsets": str(ground.offsets)}),
                    counts=counts)  # fmt: skip


def _filling(case: Case) -> Decision:
    if case.wanted.wish is GenerationWish.RETIRE:
        return _given_up(case)
    if fault := _fault(case):
        return Decision(fault, Move(GenerationState.FAILED, BY_RULE, fault))
    way, counts = guards.shadow(case), _counted(case)
    looks = _due(case, (Need.PROGRESS, case.evidence.progress, case.rules.tick_ms))
    if case.wanted.paused and not way.open:
        return Decision("paused", needs=looks | way.needs, counts=counts)
    if not way.open:
        return Decision(way.shut, needs=looks | way.needs, counts=counts)
    done = {name: count for name, count in counts.items() if name in (OFFSETS, DONE)}
    return Decision("in step with the log", _move(case, GenerationState.SHADOW, BY_RULE, "filled", way.rests_on),
                    counts=done, fingerprint=way.fingerprint)  # fmt: skip


def _shadow(case: Case) -> Decision:
    canary = _canary(case)
    if canary.move:
        return canary
    if case.wanted.wish is GenerationWish.RETIRE:
        shut = "refused: it answers queries as a canary; set the canary to 0 first"
        return replace(canary, message=shut) if canary.canary else _given_up(case)
    if case.wanted.wish is GenerationWish.SERVE:
        way = guards.live(case)
        if way.open:
            return _cutover(case, way)
        return replace(canary, message=way.shut, needs=canary.needs | way.needs)
    return canary


def _live(case: Case) -> Decision:
    wish = case.wanted.wish
    if wish is GenerationWish.ROLL_BACK:
        way = guards.back(case)
        return Decision("rolled back", _move(case, GenerationState.ROLLED_BACK)) if way.open else Decision(way.shut)
    if wish is GenerationWish.RETIRE:
        return _retirement(case)
    watched = _watched(case)
    if watched.move or case.serves:
        return watched
    over = ", ".join(f"g{number}" for number in case.beneath)
    return replace(watched, message=f"overtaken by {over}; roll that back and this one serves again")


def _rolled_back(case: Case) -> Decision:
    if case.wanted.wish is GenerationWish.RETIRE:
        return _retirement(case)
    if case.wanted.wish is not GenerationWish.SERVE:
        return Decision("follows the log, and serves nothing")
    if marks.answered(case.row, case.wanted):
        return Decision("follows the log, and serves nothing; to promote it again, say what changed")
    way = guards.live(case)
    return _cutover(case, way) if way.open else Decision(way.shut, needs=way.needs)


def _failed(case: Case) -> Decision:
    if case.wanted.wish is GenerationWish.RETIRE:
        return Decision("retired", _move(case, GenerationState.RETIRED))
    return Decision(case.row.message)


def _retired(case: Case) -> Decision:
    """It comes back no more; what it leaves behind is deleted as soon as nobody needs it."""
    if case.wanted.wish is not GenerationWish.RETIRE:
        return Decision("refused: it is retired; plan another generation")
    remains = case.evidence.remains
    look = frozenset({(Need.REMAINS, case.number)})
    if remains is None or remains.typed != case.wanted.override:
        return Decision("retired", needs=look)
    if remains.free:
        return Decision(f"retired; deletes {', '.join(remains.free)}", frees=remains)
    if not remains.kept:
        return Decision("retired; nothing of it is left")
    left = "; ".join(f"{name}: {why}" for name, why in remains.kept.items())
    again = case.now_ms - remains.at_ms > case.rules.again_ms
    return Decision(f"retired; left: {left}", needs=look if again else frozenset())


def _of_baseline(case: Case) -> Decision:
    """It is LIVE from the beginning, nobody rolls it back, and it goes when it serves nothing any more."""
    if case.row.state is GenerationState.RETIRED:
        return _retired(case)
    if case.wanted.wish is GenerationWish.RETIRE:
        return _retirement(case)
    if case.wanted.wish is GenerationWish.ROLL_BACK:
        return Decision(guards.back(case).shut)
    if case.serves:
        return Decision("baseline")
    over = ", ".join(f"g{number}" for number in case.beneath)
    return Decision(f"baseline, overtaken by {over}; roll that back and this one serves again")


def _retirement(case: Case) -> Decision:
    way = guards.retired(case)
    return Decision("retired", _move(case, GenerationState.RETIRED)) if way.open else Decision(way.shut)


def _given_up(case: Case) -> Decision:
    """Before it served: it fails, and the same wish then retires it."""
    why = f"given up: {case.wanted.why}" if case.wanted.why else "given up"
    return Decision(why, Move(GenerationState.FAILED, case.wanted.by, why))


def _cutover(case: Case, way: Way) -> Decision:
    rests_on = {**way.rests_on, marks.WISH: marks.wish(case.wanted)}
    return Decision("serves", _move(case, GenerationState.LIVE, rests_on=rests_on), cutover=case.next_cutover)


def _watched(case: Case) -> Decision:
    """A LIVE generation: shortly after its cutover, rolled back by itself when it answers badly."""
    if case.now_ms - case.last_cutover_ms > case.rules.watch_ms or not case.serves:
        return Decision("serves" if case.serves else "")
    bad, needs = _bad(case), _look(case)
    if not bad:
        return Decision("serves, watched", needs=needs)
    way = guards.back(case)
    if not way.open:
        return Decision(f"serves badly, {bad}; {way.shut}", needs=needs)
    return Decision(f"rolled back: {bad}", Move(GenerationState.ROLLED_BACK, BY_RULE, bad))


def _canary(case: Case) -> Decision:
    """A SHADOW generation: how much of the queries it answers."""
    wanted, bad = case.wanted, _bad(case)
    if not wanted.canary:
        return Decision("in step with the log")
    if marks.stopped(case.row, wanted):
        return Decision("canary ended by a rule; to start it again, say what changed")
    way = guards.gate(case)
    if case.row.canary and bad:
        rests_on = {marks.CANARY: marks.canary(wanted)}
        move = Move(GenerationState.SHADOW, BY_RULE, f"canary ended: {bad}", rests_on)
        return Decision(f"canary ended: {bad}", move)
    if way.open:
        return Decision(f"answers {wanted.canary:g} % of queries", needs=_look(case), canary=wanted.canary)
    kept = case.row.canary if _unchanged(case) and not way.shut.startswith("refused") else 0.0
    return Decision(f"no canary: {way.shut}", needs=way.needs, canary=kept)


def _unchanged(case: Case) -> bool:
    """Whether a canary was let through for what is wanted now: the gate's report was read before a restart."""
    row, wanted = case.row, case.wanted
    return (row.canary, row.report, row.override) == (wanted.canary, wanted.report, wanted.override)


def _bad(case: Case) -> str:
    """Why it must not go on answering, if anything says so."""
    seen = (case.evidence.alarm, case.evidence.probe)
    return next((alarm.reason for alarm in seen if alarm is not None and alarm.reason), "")


def _look(case: Case) -> frozenset[Ask]:
    evidence, rules = case.evidence, case.rules
    looks: list[tuple[Need, Alarm | Progress | None, int]] = [(Need.SERVED, evidence.alarm, rules.tick_ms)]
    if rules.probe_ms:
        looks.append((Need.PROBE, evidence.probe, rules.probe_ms))
    return _due(case, *looks)


def _due(case: Case, *looks: tuple[Need, Alarm | Progress | None, int]) -> frozenset[Ask]:
    """Of needs, each with what was seen last and the milliseconds for which that will do: those to be looked at now."""
    return frozenset(
        (need, case.number) for need, last, every_ms in looks if last is None or case.now_ms - last.at_ms >= every_ms
    )


def _fault(case: Case) -> str:
    parity = case.evidence.parity.get(case.number)
    return parity.fault if parity else ""


def _counted(case: Case) -> dict[str, int]:
    """Progress as the state tells it."""
    counts, progress = dict(case.row.counts), case.evidence.progress
    if progress is None:
        return counts
    counts[DONE] = max(counts.get(DONE, 0), counts.get(OFFSETS, 0) - progress.left)
    counts[RATE] = round(progress.rate)
    counts.pop(LEFT, None)
    if progress.left_s is not None:
        counts[LEFT] = round(progress.left_s)
    return counts


def _move(
    case: Case, after: GenerationState, by: str = "", why: str = "", rests_on: Mapping[str, str] = _NOTHING
) -> Move:
    return Move(after, by or case.wanted.by, why or case.wanted.why, rests_on)


_BY_STATE: Mapping[GenerationState, Callable[[Case], Decision]] = MappingProxyType(
    {
        GenerationState.PLANNED: _planned,
        GenerationState.FILLING: _filling,
        GenerationState.SHADOW: _shadow,
        GenerationState.LIVE: _live,
        GenerationState.ROLLED_BACK: _rolled_back,
        GenerationState.RETIRED: _retired,
        GenerationState.FAILED: _failed,
    }
)
