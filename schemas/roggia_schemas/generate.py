"""Write what is generated from the schemas and the topic catalogue: `python -m roggia_schemas.generate [--check]`.

Writes `events.py` beside this module and `docs/reference/asyncapi.yaml`. With `--check` it writes nothing, names
every file that differs from what it would write, and ends with status 1 if there is one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from roggia_schemas.generation.asyncapi import asyncapi_document
from roggia_schemas.generation.classes import events_module

_PACKAGE = Path(__file__).resolve().parent
_PROJECT = _PACKAGE.parents[1]


def outputs() -> Iterator[tuple[Path, str]]:
    """Every generated file with the text it should hold."""
    yield _PACKAGE / "events.py", events_module()
    yield _PROJECT / "docs" / "reference" / "asyncapi.yaml", asyncapi_document()


def drift() -> list[Path]:
    """Generated files that are missing or differ from their sources."""
    return [path for path, text in outputs() if not path.exists() or path.read_text("utf-8") != text]


def main(arguments: Sequence[str]) -> int:
    """Command-line entry; returns the exit status."""
    if not (_PROJECT / "pyproject.toml").is_file():
        sys.stderr.write("run this in a checkout of the project: an installed package holds no sources to generate\n")
        return 2
    if list(arguments) not in ([], ["--check"]):
        sys.stderr.write("usage: python -m roggia_schemas.generate [--check]\n")
        return 2
    if arguments:
        stale = drift()
        for path in stale:
            sys.stderr.write(f"{path.relative_to(_PROJECT)} is stale: run python -m roggia_schemas.generate\n")
        return 1 if stale else 0
    for path, text in outputs():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
