"""`roggia eval run --model`: the report is filed with a registered version."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from roggia_operator.evaluation.report.model import Report
from roggia_operator.models import filing
from roggia_operator.models.ports import ModelRegistry
from roggia_operator.models.values import ModelVersion
from roggia_runtime.errors import UnknownModelError

from roggia.cli.models_opened import opened
from roggia.cli.output import say
from roggia.errors import UsageError

ModelName: TypeAlias = Annotated[
    str,
    typer.Option(
        "--model", help="File the report with this registered version, NAME/VERSION: its verdict lets it be champion."
    ),
]
_NAMED = re.compile(r"(?P<name>[^/@\s]+)/(?P<version>[1-9]\d{0,9})")


def filed(named: str, uri: str, data: Path | None) -> Callable[[Report], None]:
    """What files a report with a version. Raises `UsageError` at once when there is no such version: an evaluation
    takes minutes."""
    found = _NAMED.fullmatch(named)
    if found is None:
        raise UsageError(f"--model: {named!r} is no version; write NAME/VERSION, as `roggia models list` shows them")
    registry, _ = opened(uri, data)
    version = _version(registry, found["name"], int(found["version"]))

    def file(report: Report) -> None:
        from roggia_operator.evaluation.report.page import page  # needs Jinja

        made = filing.filed(registry, version, report, page(report))
        say(f"filed with {version}: {made.verdict.value}, report {made.report_id}")

    return file


def _version(registry: ModelRegistry, name: str, number: int) -> ModelVersion:
    try:
        return next(one for one in registry.versions(name) if one.version == number)
    except (StopIteration, UnknownModelError):
        raise UsageError(f"--model: there is no {name}/{number}; `roggia models list` shows what is") from None
