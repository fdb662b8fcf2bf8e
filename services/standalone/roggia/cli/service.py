"""`roggia service`."""

from __future__ import annotations

import os
import runpy
import sys
from typing import Annotated

import typer

from roggia.errors import UsageError

SERVICES = {
    "ingest": ("roggia_ingest",),
    "embed": ("roggia_embedder", "embed"),
    "upsert": ("roggia_embedder", "upsert"),
    "query": ("roggia_embedder", "query"),
    "index": ("roggia_embedder", "index"),
    "popularity": ("roggia_embedder", "popularity"),
    "auditor": ("roggia_auditor",),
    "audit-api": ("roggia_auditor", "api"),
    "live": ("roggia_auditor.live",),
    "operator": ("roggia_operator",),
    "broker": ("roggia_devstack", "broker"),
    "registry": ("roggia_devstack", "registry"),
}


def service(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(SERVICES)}.")],
) -> None:
    """Run one service in the foreground, as production does. Its settings are environment variables (ROGGIA_…)."""
    if name not in SERVICES:
        raise UsageError(f"NAME: {name!r} is no service; use one of {', '.join(SERVICES)}")
    module, *arguments = SERVICES[name]
    sys.argv = [module, *arguments, *context.args]
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    runpy.run_module(module, run_name="__main__", alter_sys=True)
