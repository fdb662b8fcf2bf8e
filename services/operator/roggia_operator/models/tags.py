"""Facts, verdicts and reports as registry tags, and back. Pure.

Tags are what one request reads of many versions. Anybody with write access can change them, so nothing is decided by a
tag alone: the reconciler asks for the report, the embedder compares the weights.
"""

from __future__ import annotations

from collections.abc import Mapping

from roggia_runtime.errors import ModelRegistryError

from roggia_operator.models.values import ModelFacts, ModelKind, Report, Verdict

KIND = "roggia.kind"
"""On a model and on each of its versions. A model without it is not ours and is left alone."""
SELECTION = "roggia.selection"
GATE, GATE_REPORT, GATE_MANIFEST, GATE_FINGERPRINT = (
    "roggia.gate",
    "roggia.gate.report",
    "roggia.gate.manifest",
    "roggia.gate.fingerprint",
)
_TEXTS = ("fingerprint", "passage_prefix", "query_prefix", "endpoint", "served", "revision", "prompt")
_NUMBERS = ("dimension", "window")
_REPORT = "roggia.report."


def of_ref(ref: ModelFacts) -> dict[str, str]:
    """Tags of a version's facts; what is empty has none."""
    facts = {name: str(getattr(ref, name)) for name in (*_TEXTS, *_NUMBERS) if getattr(ref, name)}
    return {KIND: ref.kind.value} | {f"roggia.{name}": value for name, value in facts.items()}


def ref(uri: str, tags: Mapping[str, str]) -> ModelFacts:
    """A version's facts. A version that another tool registered has few; `evidence` says which are missing.

    Raises `ModelRegistryError` for a tag that holds what it cannot.
    """
    texts = {name: tags.get(f"roggia.{name}", "") for name in _TEXTS}
    numbers = {name: _number(uri, f"roggia.{name}", tags.get(f"roggia.{name}") or "0") for name in _NUMBERS}
    return ModelFacts(
        uri=uri, kind=kind(uri, tags.get(KIND) or ModelKind.EMBEDDER), dimension=numbers["dimension"],
        window=numbers["window"], **texts,
    )  # fmt: skip


def kind(about: str, value: str) -> ModelKind:
    """A kind by its tag's value. Raises `ModelRegistryError`."""
    try:
        return ModelKind(value)
    except ValueError:
        raise ModelRegistryError(f"{about}: tag {KIND}: {value!r} is not a kind; use embedder or generator") from None


def of_gate(report: Report) -> dict[str, str]:
    """The tags that a verdict leaves on its version."""
    return {
        GATE: report.verdict.value,
        GATE_REPORT: report.report_id,
        GATE_MANIFEST: report.manifest,
        GATE_FINGERPRINT: report.fingerprint,
    }


def of_report(report: Report) -> dict[str, str]:
    """Tags of the run that is the report."""
    facts = {
        "model": report.name,
        "version": str(report.version),
        "verdict": report.verdict.value,
        "manifest": report.manifest,
        "fingerprint": report.fingerprint,
    }
    return {_REPORT + name: value for name, value in facts.items()}


def report(report_id: str, tags: Mapping[str, str], at_ms: int) -> Report | None:
    """The report that a run is; None for a run that is none."""
    held = {name.removeprefix(_REPORT): value for name, value in tags.items() if name.startswith(_REPORT)}
    try:
        return Report(
            name=held["model"], version=int(held["version"]), verdict=Verdict(held["verdict"]),
            manifest=held["manifest"], fingerprint=held["fingerprint"], report_id=report_id, at_ms=at_ms,
        )  # fmt: skip
    except (KeyError, ValueError):
        return None


def selection(value: str) -> tuple[str, ...]:
    """Knowledge bases of a model's tag, comma-separated."""
    return tuple(sorted({part.strip() for part in value.split(",") if part.strip()}))


def _number(uri: str, tag: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ModelRegistryError(f"{uri}: tag {tag}: {value!r} is not a number; log the version again") from None
