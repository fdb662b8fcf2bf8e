"""The command tree."""

from __future__ import annotations

from importlib.metadata import version as version_of

import typer

from roggia.cli import dlq, generation, models, replay, schemas, tenants, topics
from roggia.cli.demo import demo
from roggia.cli.eval import app as evaluations
from roggia.cli.output import out
from roggia.cli.publish import delete, publish
from roggia.cli.search import ask, search
from roggia.cli.status import status
from roggia.cli.up import service, up
from roggia.cli.verify import verify

EPILOG = (
    "Exit status: 0 done, 1 failed, 2 wrong usage or setting, or no such thing, 3 another `up` holds the data, "
    "4 nothing answers, or no operator takes the job, 5 the stack failed, 6 differences that `topics apply` can mend "
    "(topics plan), 7 a group is behind, 8 a group does not work (status), 9 an evaluation shows neither (eval run), "
    "130 interrupted."
)

app = typer.Typer(
    name="roggia",
    help="Documents in, cited passages out, every hop an event on Kafka.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (up, demo, publish, delete, search, ask, status, verify):
    app.command()(command)
app.add_typer(topics.app, name="topics")
app.add_typer(dlq.app, name="dlq")
app.add_typer(replay.app, name="replay")
app.add_typer(models.app, name="models")
app.add_typer(generation.app, name="generation")
app.add_typer(schemas.app, name="schemas")
app.add_typer(tenants.app, name="tenants")
app.add_typer(evaluations, name="eval")
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(service)


@app.command()
def version() -> None:
    """Print the version."""
    out.print(version_of("roggia"))
