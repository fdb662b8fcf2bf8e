"""Options that several commands share, spelled and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Data: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data", envvar="ROGGIA_DATA", help="Data directory of the embedded stack [./roggia-data].", show_envvar=False
    ),
]
Bootstrap: TypeAlias = Annotated[
    str,
    typer.Option(
        "--bootstrap", help="Kafka bootstrap servers (default: ROGGIA_KAFKA_BOOTSTRAP, else the running stack's)."
    ),
]
Registry: TypeAlias = Annotated[
    str,
    typer.Option("--registry", help="Schema registry URL (default: ROGGIA_REGISTRY_URL, else the running stack's)."),
]
QueryUrl: TypeAlias = Annotated[
    str, typer.Option("--query-url", help="Query service URL (default: ROGGIA_QUERY_URL, else the running stack's).")
]
Tenant: TypeAlias = Annotated[str, typer.Option("--tenant", help="Owner of the documents.")]
Domain: TypeAlias = Annotated[str, typer.Option("--domain", help="Knowledge base of the tenant.")]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Show the plan; ask nothing and change nothing.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
