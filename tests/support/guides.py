"""The commands and snippets of a guide, run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from roggia.cli.app import app
from roggia.errors import exit_code
from typer.testing import CliRunner

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "how-to"
PLAIN = {"COLUMNS": "200", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}


class Guide:
    """One page of docs/how-to."""

    def __init__(self, name: str) -> None:
        self.text = (GUIDES / name).read_text("utf-8")

    def commands(self, starts: str = "") -> list[str]:
        """What follows `$ roggia` where it starts with `starts`, without the comment behind it, in the page's order."""
        shown = re.findall(r"^\$ roggia (.+?)(?: +#.*)?$", self.text, re.MULTILINE)
        return [command for command in shown if command.startswith(starts)]

    def blocks(self, language: str) -> list[str]:
        """Fenced blocks of a language."""
        return re.findall(rf"^```{language}\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    def script(self, holds: str) -> str:
        """The lines of the one console block that holds a text, as a shell would be given them."""
        (block,) = [block for block in self.blocks("console") if holds in block]
        return "\n".join(line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ "))


def call(command: str, status: int | tuple[int, ...] = 0) -> str:
    """A command of `roggia` in this process, because a new one costs seconds; all that it said. Nobody can be asked."""
    ran = CliRunner().invoke(app, shell_words(command), env=PLAIN)
    failed = ran.exception if isinstance(ran.exception, Exception) else None
    ended = ran.exit_code if failed is None else exit_code(failed)
    said = f"{ran.output}{failed or ''}"
    assert ended in (status if isinstance(status, tuple) else (status,)), f"{command}: {ended}\n{said}"
    return said


def shell_words(command: str) -> list[str]:
    """As a shell splits it."""
    return shlex.split(command)


def first_line(command: list[str], environment: Mapping[str, str], holds: str = "") -> str:
    """Start what runs until it is stopped; its first line that holds a text. Then Ctrl-C, and it ends."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **PLAIN, **environment})
    try:
        assert process.stdout is not None
        return next(line for line in process.stdout if holds in line)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def roggia(command: str) -> list[str]:
    """The command as a process of its own."""
    return [sys.executable, "-m", "roggia", *shell_words(command)]
