"""How models and verdicts are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.markup import escape
from roggia_operator.models import tags
from roggia_operator.models.reconciling import SeenModel
from roggia_operator.models.values import STAGES, ModelVersion

from roggia.cli.output import folding, out


def show_models(seen: Sequence[SeenModel]) -> None:
    """One row per version."""
    if not seen:
        out.print("No models are registered: `roggia models log NAME` registers the bundled one.")
        return
    table = folding("model", "version", "aliases", "stage", "gate", "dimension", "logged", "fingerprint or endpoint")
    for model in seen:
        for held in reversed(model.versions):
            table.add_row(*(escape(cell) for cell in _row(model, held)))
    out.print(table)


def show_gate(model: SeenModel, found: Sequence[tuple[ModelVersion, Sequence[str]]]) -> None:
    """A verdict for each version, and what is missing."""
    for held, lacking in found:
        what = " ".join(sorted(f"@{alias}" for alias, number in model.aliases.items() if number == held.version))
        out.print(f"{held} {what}".rstrip(), markup=False)
        for label, tag in (("verdict", tags.GATE), ("report", tags.GATE_REPORT), ("corpus", tags.GATE_MANIFEST)):
            if held.tags.get(tag):
                out.print(f"  {label}: {held.tags[tag]}", markup=False)
        for one in lacking:
            out.print(f"  missing: {one}", markup=False, soft_wrap=True)
        if not lacking:
            out.print("  passed: it may be champion")


def _row(model: SeenModel, held: ModelVersion) -> list[str]:
    aliases = sorted(alias for alias, number in model.aliases.items() if number == held.version)
    stage = f"{held.stage} ({STAGES[held.stage]})" if held.stage in STAGES else held.stage
    return [
        model.name,
        str(held.version),
        ", ".join(aliases) or "–",
        stage or "–",
        held.tags.get(tags.GATE, "–"),
        str(held.ref.dimension or "–"),
        datetime.fromtimestamp(held.created_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M"),
        held.ref.fingerprint or held.ref.endpoint or "–",
    ]
