"""What is missing before a version may serve. Pure, but for what says that it blocks.

A tag can be set by anybody, so the tags of a verdict must agree with the report that they name, and the report with
the version: same model, same fingerprint, same corpus.
"""

from __future__ import annotations

from roggia_operator.models import tags
from roggia_operator.models.generations import BY, Standing, State
from roggia_operator.models.ports import ModelRegistry
from roggia_operator.models.values import ModelKind, ModelVersion, Report, Verdict


def unfilled(version: ModelVersion) -> list[str]:
    """What an embedder's version lacks to fill a generation."""
    ref = version.ref
    if ref.kind is not ModelKind.EMBEDDER:
        return [f"{version} is no embedder: candidate asks nothing of a {ref.kind.value}"]
    facts = {"fingerprint": ref.fingerprint, "dimension": ref.dimension, "window": ref.window}
    return [
        f"tag roggia.{name} is missing: log it with `roggia models log`" for name, value in facts.items() if not value
    ]


def unusable(version: ModelVersion) -> list[str]:
    """What a version lacks to be anybody's candidate."""
    if version.ref.kind is ModelKind.EMBEDDER:
        return unfilled(version)
    facts = {"endpoint": version.ref.endpoint, "served": version.ref.served}
    return [
        f"tag roggia.{name} is missing: log it with `roggia models log`" for name, held in facts.items() if not held
    ]


def missing(version: ModelVersion, report: Report | None) -> list[str]:
    """What the gate lacks for an embedder's version; empty once it passed. `report` is the one that its tags name."""
    held = version.tags
    verdict = held.get(tags.GATE, "")
    if not verdict:
        return [*unfilled(version), f"no gate has judged {version}: run `roggia eval` against its generation"]
    lacking = unfilled(version)
    if verdict != Verdict.PASS:
        lacking.append(f"the gate said {verdict}, not pass")
    if not held.get(tags.GATE_MANIFEST):
        lacking.append(f"tag {tags.GATE_MANIFEST} is missing: on which corpus it was judged is not known")
    if held.get(tags.GATE_FINGERPRINT) != version.ref.fingerprint:
        lacking.append(
            f"the gate judged {held.get(tags.GATE_FINGERPRINT) or 'no fingerprint'}, not {version.ref.fingerprint}"
        )
    return lacking + _of_report(version, report)


def judged(version: ModelVersion, registry: ModelRegistry) -> list[str]:
    """`missing` for whoever has a registry and no generations: the command line. Blocks.

    A generator's canary requests are counted by guard; the operator service knows them.
    """
    if version.ref.kind is ModelKind.GENERATOR:
        return unusable(version)
    return missing(version, report_of(registry, version))


def report_of(registry: ModelRegistry, version: ModelVersion | None) -> Report | None:
    """The report that a version's tags name; None without one. Blocks."""
    named = version.tags.get(tags.GATE_REPORT, "") if version else ""
    return registry.report(named) if named else None


def _of_report(version: ModelVersion, report: Report | None) -> list[str]:
    named = version.tags.get(tags.GATE_REPORT, "")
    if not named:
        return [f"tag {tags.GATE_REPORT} is missing: a verdict without its report counts for nothing"]
    if report is None or report.report_id != named:
        return [f"report {named} does not exist, or is no report of a gate"]
    said = {
        "model": (f"{report.name}/{report.version}", str(version)),
        "verdict": (report.verdict.value, Verdict.PASS.value),
        "fingerprint": (report.fingerprint, version.ref.fingerprint),
        "manifest": (report.manifest, version.tags.get(tags.GATE_MANIFEST, "")),
    }
    return [
        f"report {named} says {name} {found}, not {right}" for name, (found, right) in said.items() if found != right
    ]


def held_back(target: Standing, report: Report | None) -> list[str]:
    """Why a generation in this state does not serve yet, whatever the gate says; empty for one that may.

    One that somebody rolled back stays so until a report is newer: an alias that still points at it must not undo
    what a person, or the canary, did a moment ago. What this room rolled back itself, because the alias went
    elsewhere, may come back with the alias.
    """
    where = f"generation {target.generation}"
    if target.state in (State.PLANNED, State.FILLING):
        return [f"{where} is {target.state.value}: it can serve once it is in SHADOW"]
    if target.state is State.FAILED:
        return [f"{where} FAILED: {target.message or 'see the operator service'}"]
    if target.state is State.RETIRED:
        return [f"{where} is RETIRED: log the model again, as a new version, and make that candidate"]
    by_others = target.state is State.ROLLED_BACK and target.moved_by != BY
    if by_others and (report is None or report.at_ms <= target.moved_ms):
        who = target.moved_by or "somebody"
        return [
            f"{where} was rolled back by {who}: it needs a gate report newer than that, or `roggia generation serve`"
        ]
    return []
