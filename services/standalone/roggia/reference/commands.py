"""The page of commands, from the command tree itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from roggia.cli.app import EPILOG, app

INTRO = f"""# The command line

{EPILOG}

`--json` prints JSON for scripts: one document, or one per line where a command goes on.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRO, *_sections(typer.main.get_command(app), "roggia")])


def _sections(command: Any, path: str) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children:
        for name, child in children.items():
            yield from _sections(child, f"{path} {name}")
        return
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    usage = " ".join([path, *map(_metavar, arguments)])
    yield f"## `{path}`\n\n{' '.join((command.help or '').split())}\n\n```\n{usage} [OPTIONS]\n```\n"
    options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
    if options:
        rows = [f"| {_names(one)} | {_help(one)} |" for one in options]
        yield "\n".join(["| option | meaning |", "|---|---|", *rows, ""])


def _metavar(argument: Any) -> str:
    name = argument.name.upper() + ("…" if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _help(option: Any) -> str:
    text = option.help or ""
    if option.required:
        return f"{text} Required."
    shown = option.default not in (None, "", False, True, [], ()) and not callable(option.default)
    return f"{text} Default: {option.default}." if shown else text
