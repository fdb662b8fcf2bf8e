"""`roggia models log`, `list`, `promote` and `gate`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import typer
from roggia_operator.models import plain
from roggia_operator.models.evidence import judged, unusable
from roggia_operator.models.looking import look
from roggia_operator.models.reconciling import SeenModel
from roggia_operator.models.values import CANDIDATE, CHAMPION, STAGES, ModelVersion

from roggia.cli import options
from roggia.cli.models_log import log
from roggia.cli.models_opened import ModelsUri, opened
from roggia.cli.models_views import show_gate, show_models
from roggia.cli.output import emit, say
from roggia.errors import StandaloneError, UsageError

app = typer.Typer(no_args_is_help=True, help="Models: log them, bring them into service, see what the gate says.")
Name: TypeAlias = Annotated[str, typer.Argument(help="Name of the registered model.")]

app.command("log")(log)


@app.command("list")
def list_(
    name: Annotated[str, typer.Argument(help="Only this model.")] = "",
    uri: ModelsUri = "",
    data: options.Data = None,
    json: options.Json = False,
) -> None:
    """List registered models with their versions, aliases, verdicts and facts; newest versions first."""
    registry, settings = opened(uri, data)
    seen = [one for one in look(registry, stages=settings.stages) if name in ("", one.name)]
    if name and not seen:
        raise UsageError(f"NAME: {name!r} is not registered; `roggia models list` shows what is")
    if json:
        emit([plain.model(one) for one in seen])
        return
    show_models(seen)


@app.command("promote")
def promote(
    name: Name,
    version: Annotated[int, typer.Argument(min=1, help="Version to promote.")],
    to: Annotated[
        Literal["candidate", "champion"],
        typer.Option("--to", help="candidate: fill an index generation with it; champion: serve it."),
    ] = "candidate",
    stage: Annotated[
        bool, typer.Option("--stage", help="Also set MLflow's classic stage (Staging, Production) for other tools.")
    ] = False,
    uri: ModelsUri = "",
    data: options.Data = None,
    json: options.Json = False,
) -> None:
    """Set an alias. `champion` is refused while the gate has not passed; the operator service does the rest."""
    registry, _ = opened(uri, data)
    seen, held = _found(look(registry), name, version)
    lacking = unusable(held) if to == CANDIDATE else judged(held, registry)
    if lacking:
        raise StandaloneError(f"{held} cannot be {to}: {'; '.join(lacking)}")
    registry.set_alias(name, to, version)
    if stage:
        registry.set_stage(name, version, next(one for one, alias in STAGES.items() if alias == to))
    if json:
        emit({"model": name, "version": version, "alias": to, "before": seen.aliases.get(to)})
        return
    before = seen.aliases.get(to)
    say(f"{name}@{to}: {f'version {before} → ' if before not in (None, version) else ''}version {version}")


@app.command("gate")
def gate(
    name: Name,
    version: Annotated[int, typer.Argument(min=0, help="Version; 0: those of the aliases candidate and champion.")] = 0,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 unless the gate passed for every one shown.")] = False,
    uri: ModelsUri = "",
    data: options.Data = None,
    json: options.Json = False,
) -> None:
    """Say what the gate says of a version, and what is missing before it may be champion."""
    registry, settings = opened(uri, data)
    seen = look(registry, stages=settings.stages)
    model, _ = _found(seen, name)
    asked = [_found(seen, name, version)[1]] if version else _of_aliases(model)
    if not asked:
        raise UsageError(f"VERSION: {name} has neither {CANDIDATE} nor {CHAMPION}; name a version")
    found = [(held, judged(held, registry)) for held in asked]
    if json:
        emit([{**plain.version(held, model), "model": name, "missing": lacking} for held, lacking in found])
    else:
        show_gate(model, found)
    if check and any(lacking for _, lacking in found):
        raise StandaloneError(f"{name}: the gate has not passed")


def _found(seen: list[SeenModel], name: str, version: int | None = None) -> tuple[SeenModel, ModelVersion]:
    """The model and a version of it, the newest unless one is named. Raises `UsageError`."""
    model = next((one for one in seen if one.name == name), None)
    if model is None or not model.versions:
        raise UsageError(f"NAME: {name!r} is not registered; `roggia models list` shows what is")
    held = next((one for one in model.versions if version in (None, one.version)), None)
    if held is None:
        raise UsageError(f"VERSION: {name} has no version {version}; its newest is {model.versions[-1].version}")
    return model, held


def _of_aliases(model: SeenModel) -> list[ModelVersion]:
    held = [one for alias in (CANDIDATE, CHAMPION) if (one := model.at(alias)) is not None]
    return list(dict.fromkeys(held))
