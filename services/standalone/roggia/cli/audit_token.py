"""`roggia audit token`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from roggia_auditor.api import tokens
from roggia_auditor.api.tokens import Scope

from roggia.cli import options
from roggia.cli.output import emit, out
from roggia.errors import UsageError


def token(
    name: Annotated[str, typer.Argument(help="Who it is for; the access log says it of every reading.")],
    file: Annotated[Path, typer.Option("--file", help="File of tokens (ROGGIA_AUDITOR_API_TOKENS); made if missing.")],
    tenant: Annotated[
        list[str] | None,
        typer.Option("--tenant", help="Whose records it may see; repeatable. Without it: --all-tenants."),
    ] = None,
    all_tenants: Annotated[bool, typer.Option("--all-tenants", help="It may see every tenant.")] = False,
    scope: Annotated[
        list[Scope] | None, typer.Option("--scope", help="What it is good for; repeatable [read].")
    ] = None,
    json: options.Json = False,
) -> None:
    """Make a token for the audit API: its hash goes into the file, the token itself is shown once.

    To take it back, delete its entry; the API reads the file again when it changes.
    """
    if bool(tenant) == all_tenants:
        raise UsageError("--tenant: name the tenants that the token may see, or give --all-tenants")
    made = tokens.generate()
    before = file.read_text() if file.exists() else ""
    after = (
        before
        + ("" if before.endswith("\n") or not before else "\n")
        + tokens.entry(name, made, tenant or [], scope or [Scope.READ])
    )
    tokens.parse(after, str(file))  # nothing is written that the API would refuse
    _write(file, after)
    if json:
        emit({"token": made, "file": str(file)})
    else:
        out.print(made, markup=False, soft_wrap=True)


def _write(file: Path, text: str) -> None:
    """All of it or nothing, for the owner's eyes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
        written.write(text)
        written.flush()
        os.fsync(written.fileno())
    new.replace(file)
