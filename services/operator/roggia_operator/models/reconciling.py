"""What the aliases ask for, compared with how the generations stand. Pure, level-triggered.

Called again and again with what is there now. It remembers nothing: a lost webhook, an alias that flapped while nobody
looked and a restart all end in the same place, which the newest aliases and the gate decide.

    candidate  → FILL, unless a generation has this version (or equal vectors) already
    champion   → SERVE, if the gate passed and the generation is filled; else nothing, and what is missing is said
    champion   → ROLL_BACK of what serves, if that uncovers the champion's generation
    none, else → a SERVE that was wished here and not yet carried out is taken back
    previous   ← written here: the version that a rollback returns to

An alias that is not there asks for nothing: what serves goes on serving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from roggia_operator.models.canary import CanaryCounts, Objectives, judge
from roggia_operator.models.evidence import held_back, missing, unfilled
from roggia_operator.models.generations import BY, Standing, State, Wish, WishKind, live, overlap, standing_of
from roggia_operator.models.values import (
    CANDIDATE,
    CHAMPION,
    PREVIOUS,
    ModelFacts,
    ModelKind,
    ModelVersion,
    Report,
    Verdict,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenModel:
    """One model as the registry showed it at one look. `report` is the one that the champion's tags name, if it exists.

    `trouble`: its versions make no sense, and why. It asks for nothing then, and loses nothing.
    """

    name: str
    kind: ModelKind
    selection: tuple[str, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    aliases: Mapping[str, int] = field(default_factory=dict, hash=False)
    report: Report | None = None
    trouble: str = ""

    def at(self, alias: str) -> ModelVersion | None:
        """The version an alias points at; None when there is no alias, or no such version."""
        number = self.aliases.get(alias)
        return next((one for one in self.versions if one.version == number), None)


@dataclass(frozen=True, slots=True)
class SetAlias:
    """An alias to be written; `version` None removes it."""

    name: str
    alias: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An alias that changes nothing, and why. An alarm for `champion`."""

    name: str
    version: int
    alias: str
    missing: tuple[str, ...]

    def __str__(self) -> str:
        """One line, for logs and for people."""
        return f"{self.name}@{self.alias} = version {self.version} changes nothing: {'; '.join(self.missing)}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one look comes to."""

    wishes: tuple[Wish, ...] = ()
    aliases: tuple[SetAlias, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def reconcile(
    models: Sequence[SeenModel],
    standings: Sequence[Standing],
    counts: Mapping[tuple[str, int], CanaryCounts] | None = None,
    objectives: Objectives | None = None,
) -> Outcome:
    """Compare. `counts`: canary requests of generators by name and version."""
    parts = [_unclear(one) for one in models]
    asked: set[int] = set()
    for model in models:
        if model.trouble:
            asked |= {one.generation for one in standings if one.model == model.name}
        elif model.kind is ModelKind.GENERATOR:
            parts.append(_generator(model, counts or {}, objectives or Objectives()))
        else:
            champion = _champion(model, models, standings)
            asked |= _asked(model, champion, standings)
            parts += [_candidate(model, standings), champion, _previous(model, standings)]
    parts.append(_taken_back(asked, standings))
    return Outcome(
        tuple(wish for part in parts for wish in part.wishes),
        tuple(alias for part in parts for alias in part.aliases),
        tuple(refusal for part in parts for refusal in part.refusals),
    )


def _unclear(model: SeenModel) -> Outcome:
    gone = model.trouble or "that version does not exist (any more): set the alias again, or delete it"
    return Outcome(
        refusals=tuple(
            Refusal(model.name, number, alias, (gone,))
            for alias, number in sorted(model.aliases.items())
            if alias in (CANDIDATE, CHAMPION) and model.at(alias) is None
        )
    )


def _candidate(model: SeenModel, standings: Sequence[Standing]) -> Outcome:
    version = model.at(CANDIDATE)
    if version is None:
        return Outcome()
    target = _standing(version, standings)
    lacking = unfilled(version) or _changed(version, target)
    if not lacking and target is not None:
        lacking = _over(version, target)
    if lacking:
        return _refused(version, CANDIDATE, lacking)
    if target is not None and (target.state is not State.RETIRED):
        return Outcome()
    return Outcome((_wish(WishKind.FILL, version, model, why=f"alias {CANDIDATE} of {version}"),))


def _champion(model: SeenModel, models: Sequence[SeenModel], standings: Sequence[Standing]) -> Outcome:
    version = model.at(CHAMPION)
    if version is None:
        return Outcome()
    target = _standing(version, standings)
    if target is None:
        nowhere = f"no index generation was filled with it: make it {CANDIDATE} first (`roggia models promote`)"
        return _refused(version, CHAMPION, [nowhere, *missing(version, model.report)])
    above = _above(target, model.selection, standings)
    if target.state is State.LIVE and not above:
        return Outcome()
    rivals = _rivals(model, target, models, standings)
    if rivals:
        return _refused(version, CHAMPION, rivals)
    if target.state is State.LIVE and len(above) == 1:
        return _roll_back(model, version, above[0])
    return _serve(model, version, target)


def _serve(model: SeenModel, version: ModelVersion, target: Standing) -> Outcome:
    lacking = _changed(version, target) + held_back(target, model.report)
    if not target.gate_passed:
        lacking += missing(version, model.report)
    if lacking:
        return _refused(version, CHAMPION, lacking)
    report = model.report.report_id if model.report else ""
    pending = target.state is State.SHADOW and target.wish is WishKind.SERVE
    if pending and (target.gate_passed or target.report == report):
        return Outcome()
    # A wish that was carried out and undone is not carried out again: one that follows it says so.
    again = f", again after cutover {target.cutover}" if target.cutover else ""
    why = f"alias {CHAMPION} of {version}, gate passed{again}"
    return Outcome((_wish(WishKind.SERVE, version, model, target.generation, report, why),))


def _asked(model: SeenModel, champion: Outcome, standings: Sequence[Standing]) -> set[int]:
    """The generation that a champion which is not refused asks for."""
    version = model.at(CHAMPION)
    target = _standing(version, standings) if version and not champion.refusals else None
    return {target.generation} if target else set()


def _taken_back(asked: set[int], standings: Sequence[Standing]) -> Outcome:
    """A cutover may have to wait, for parity or for the index. An alias that moved on meanwhile must not be carried out
    when it comes to it; what others wished stands."""
    left = [
        one
        for one in standings
        if one.wish is WishKind.SERVE and one.wished_by == BY and one.generation not in asked
        and one.state in (State.SHADOW, State.ROLLED_BACK)
    ]  # fmt: skip
    why = f"no {CHAMPION} that passed the gate asks for it any more"
    return Outcome(
        tuple(
            Wish(
                kind=WishKind.FILL, name=one.model, version=one.version, generation=one.generation, why=why,
                ref=ModelFacts(kind=ModelKind.EMBEDDER, uri=f"models:/{one.model}/{one.version}"),
            )
            for one in left
        )
    )  # fmt: skip


def _roll_back(model: SeenModel, version: ModelVersion, top: Standing) -> Outcome:
    """What serves steps aside for the champion's generation, which served before it and has followed the log since."""
    if top.wish is WishKind.ROLL_BACK:
        return Outcome()
    why = f"alias {CHAMPION} is back at {version}"
    return Outcome((_wish(WishKind.ROLL_BACK, version, model, top.generation, why=why),))


def _previous(model: SeenModel, standings: Sequence[Standing]) -> Outcome:
    """`previous` follows cutovers of this model; while another version than the champion serves, it stays."""
    version = model.at(CHAMPION)
    target = _standing(version, standings) if version else None
    if version is None or target is None:
        return Outcome()
    lives = live(target.selection or model.selection, standings)
    if not lives or lives[0] != target:
        return Outcome()
    back = _version_in(model, lives[1]) if len(lives) > 1 else None
    if back == model.aliases.get(PREVIOUS):
        return Outcome()
    return Outcome(aliases=(SetAlias(model.name, PREVIOUS, back),))


def _generator(model: SeenModel, counts: Mapping[tuple[str, int], CanaryCounts], objectives: Objectives) -> Outcome:
    version = model.at(CHAMPION)
    if version is None:
        return Outcome()
    found = judge(counts.get((version.name, version.version), CanaryCounts()), objectives)
    if found.verdict is Verdict.PASS:
        return Outcome()
    return _refused(version, CHAMPION, list(found.missing))


def _rivals(
    model: SeenModel, target: Standing, models: Sequence[SeenModel], standings: Sequence[Standing]
) -> list[str]:
    """Champions of other models that have a claim on the same knowledge bases: serving one, or about to.

    Serving one would take it from the other, which would take it back at the next look, and so on. So the model that
    serves moves freely, others wait until a person decides; when none of them serves, none is moved.
    """
    lives = live(target.selection or model.selection, standings)
    if lives and lives[0].model == model.name:
        return []
    found = []
    for other in models:
        version = other.at(CHAMPION)
        if (
            other.trouble
            and CHAMPION in other.aliases
            and overlap(target.selection or model.selection, other.selection)
        ):
            found.append(f"{other.name} has a {CHAMPION} too, of which nothing is known: {other.trouble}")
        if other.name == model.name or version is None or other.kind is ModelKind.GENERATOR:
            continue
        claim = _standing(version, standings)
        if claim is None or claim.generation == target.generation or not _claims(other, version, claim):
            continue
        if _meets(model, target, other, claim):
            found.append(
                f"{version} is {CHAMPION} too, for knowledge bases that both are for: delete alias {CHAMPION} of one, "
                "or give the models selections that do not overlap"
            )
    return found


def _claims(other: SeenModel, version: ModelVersion, claim: Standing) -> bool:
    if claim.state is State.LIVE:
        return True
    return not held_back(claim, other.report) and (claim.gate_passed or not missing(version, other.report))


def _meets(model: SeenModel, target: Standing, other: SeenModel, claim: Standing) -> bool:
    return overlap(target.selection or model.selection, claim.selection or other.selection)


def _standing(version: ModelVersion, standings: Sequence[Standing]) -> Standing | None:
    return standing_of(version.name, version.version, version.ref.fingerprint, standings)


def _above(target: Standing, selection: Sequence[str], standings: Sequence[Standing]) -> list[Standing]:
    """Live generations that serve knowledge bases of `target` in its place."""
    held = live(target.selection or selection, standings)
    return [one for one in held if one.cutover > target.cutover]


def _changed(version: ModelVersion, target: Standing | None) -> list[str]:
    if target is None or not target.fingerprint or target.fingerprint == version.ref.fingerprint:
        return []
    now = version.ref.fingerprint or "nothing"
    filled = f"generation {target.generation} was filled with {target.fingerprint}"
    return [f"{filled}, but the version's tag says {now}: log it as a new version"]


def _over(version: ModelVersion, target: Standing) -> list[str]:
    """A generation of exactly this version that has ended is not begun anew by an alias that merely stayed."""
    own = (target.model, target.version) == (version.name, version.version)
    if target.state is State.FAILED or (own and target.state is State.RETIRED):
        return held_back(target, None)
    return []


def _version_in(model: SeenModel, standing: Standing) -> int | None:
    """This model's version that a generation holds; None when it holds another model's."""
    if standing.model == model.name:
        return standing.version if any(one.version == standing.version for one in model.versions) else None
    fitting = [one.version for one in model.versions if one.ref.fingerprint == standing.fingerprint != ""]
    return max(fitting, default=None)


def _wish(
    kind: WishKind, version: ModelVersion, model: SeenModel, generation: int = 0, report: str = "", why: str = ""
) -> Wish:
    return Wish(
        kind=kind, ref=version.ref, name=version.name, version=version.version, generation=generation,
        selection=model.selection, report=report, why=why,
    )  # fmt: skip


def _refused(version: ModelVersion, alias: str, lacking: Sequence[str]) -> Outcome:
    return Outcome(refusals=(Refusal(version.name, version.version, alias, tuple(lacking)),))
