"""What is known of models as JSON: for `GET /v1/models` and for `--json`."""

from __future__ import annotations

from typing import Any

from roggia_operator.models import tags
from roggia_operator.models.poller import View
from roggia_operator.models.reconciling import Refusal, SeenModel
from roggia_operator.models.values import STAGES, ModelVersion


def view(held: View) -> dict[str, Any]:
    """Everything that the poller knows. `looked_at` is Unix time, null before the first look."""
    return {
        "looked_at": held.looked_s or None,
        "trouble": held.trouble or None,
        "models": [model(one) for one in held.models],
        "wishes": [
            {"kind": one.kind.value, "model": one.name, "version": one.version, "generation": one.generation,
             "why": one.why}
            for one in held.outcome.wishes
        ],
        "refused": [refusal(one) for one in held.outcome.refusals],
    }  # fmt: skip


def model(seen: SeenModel) -> dict[str, Any]:
    """A model with its versions, newest first."""
    return {
        "model": seen.name,
        "kind": seen.kind.value,
        "selection": list(seen.selection),
        "aliases": dict(seen.aliases),
        "versions": [version(one, seen) for one in reversed(seen.versions)],
    }


def version(held: ModelVersion, seen: SeenModel) -> dict[str, Any]:
    """A version. `stands_for` is the alias that its classic stage means."""
    ref = held.ref
    facts = {name: getattr(ref, name) for name in ref.__slots__ if name != "kind" and getattr(ref, name)}
    return {
        "version": held.version,
        "aliases": sorted(alias for alias, number in seen.aliases.items() if number == held.version),
        "stage": held.stage or None,
        "stands_for": STAGES.get(held.stage),
        "gate": held.tags.get(tags.GATE),
        "report": held.tags.get(tags.GATE_REPORT),
        "created_ms": held.created_ms,
        **facts,
    }


def refusal(one: Refusal) -> dict[str, Any]:
    """An alias that changes nothing."""
    return {"model": one.name, "version": one.version, "alias": one.alias, "missing": list(one.missing)}
