"""`roggia schemas check` and `roggia schemas register`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import typer
from rich.markup import escape
from roggia_runtime.registry import RegistryClient

from roggia.cli import options
from roggia.cli.output import emit, out
from roggia.connection import Named, resolve
from roggia.errors import StandaloneError, UsageError
from roggia.inspect import schemas
from roggia.publishing.publisher import registry_settings

app = typer.Typer(no_args_is_help=True, help="The event schemas and a schema registry.")
Work = Callable[[RegistryClient], Awaitable[list[schemas.SubjectReport]]]


@app.command("check")
def check(data: options.Data = None, registry: options.Registry = "", json: options.Json = False) -> None:
    """Say which schemas the registry has, could take, or would refuse. Changes nothing; exit 1 if any is refused."""
    reports = _run(schemas.check, data, registry)
    _show(reports, json)
    refused = [report.subject for report in reports if report.problems]
    if refused:
        raise StandaloneError(f"incompatible with what is registered: {', '.join(refused)}")


@app.command("register")
def register(data: options.Data = None, registry: options.Registry = "", json: options.Json = False) -> None:
    """Register every schema, with its topic's compatibility mode. Safe to repeat."""
    _show(_run(schemas.register, data, registry), json)


def _run(work: Work, data: Path | None, url: str) -> list[schemas.SubjectReport]:
    where = resolve(Named(data, registry=url), need="registry")
    if not where.registry:
        raise UsageError("--registry: no registry is known; name its URL")

    async def run() -> list[schemas.SubjectReport]:
        async with schemas.registry(registry_settings(where)) as client:
            return await work(client)

    return asyncio.run(run())


def _show(reports: list[schemas.SubjectReport], json: bool) -> None:
    if json:
        emit([asdict(report) for report in reports])
        return
    for report in reports:
        out.print(f"{report.subject:<28} {report.status}")
        for problem in report.problems:
            out.print(f"    {escape(problem)}")
