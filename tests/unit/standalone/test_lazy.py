"""Commands that are imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys

from roggia.cli.app import Commands, app
from typer.main import get_command


def test_every_place_holds_a_command_of_that_name() -> None:
    """What the tree names can be called, and says what it does."""
    tree = get_command(app)
    for name in Commands.places:
        assert tree.commands[name].name == name  # type: ignore[attr-defined]
        assert tree.commands[name].help  # type: ignore[attr-defined]


def test_a_command_does_not_import_its_neighbours() -> None:
    """Who asks a question does not wait for the Kafka client, nor for what evaluates models."""
    script = (
        "import sys; sys.argv = ['roggia', 'search', '--help']\n"
        "from roggia.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted({'aiokafka', 'roggia_operator.evaluation', 'roggia.stack.up'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1].split() == ["LOADED"]
