"""The command tree."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import ClassVar

import typer

from roggia.cli.lazy import LazyGroup
from roggia.cli.output import out
from roggia.cli.service import service

EPILOG = (
    "Exit status: 0 done, 1 failed, 2 wrong usage or setting, or no such thing, 3 another `up` holds the data, "
    "4 nothing answers, or no operator takes the job, 5 the stack failed, 6 differences that `topics apply` can mend "
    "(topics plan), 7 a group is behind, 8 a group does not work (status), 9 an evaluation shows neither (eval run), "
    "130 interrupted."
)


class Commands(LazyGroup):
    """What `roggia` can do."""

    places: ClassVar = {
        "up": "roggia.cli.up:up",
        "demo": "roggia.cli.demo:demo",
        "publish": "roggia.cli.publish:publish",
        "delete": "roggia.cli.publish:delete",
        "search": "roggia.cli.search:search",
        "ask": "roggia.cli.search:ask",
        "status": "roggia.cli.status:status",
        "verify": "roggia.cli.verify:verify",
        "topics": "roggia.cli.topics:app",
        "dlq": "roggia.cli.dlq:app",
        "replay": "roggia.cli.replay:app",
        "models": "roggia.cli.models:app",
        "generation": "roggia.cli.generation:app",
        "schemas": "roggia.cli.schemas:app",
        "tenants": "roggia.cli.tenants:app",
        "eval": "roggia.cli.eval:app",
        "prices": "roggia.cli.prices:app",
        "audit": "roggia.cli.audit:app",
        "auditor": "roggia.cli.audit_rerate:app",
    }


app = typer.Typer(
    name="roggia",
    cls=Commands,
    help="Documents in, cited passages out, every hop an event on Kafka.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(service)


@app.command()
def version() -> None:
    """Print the version."""
    out.print(version_of("roggia"))
