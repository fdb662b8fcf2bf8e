"""A reader of CEF lines, written down from the format's rules and not from our writer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_KEY = re.compile(r"(?:^| )([A-Za-z0-9_]+)=")
_BACK = {"\\\\": "\\", "\\=": "=", "\\n": "\n", "\\r": "\r", "\\|": "|"}


class Line(NamedTuple):
    """One line: its seven header fields behind the version, and its pairs."""

    version: str
    fields: tuple[str, ...]
    pairs: Mapping[str, str]


def parsed(line: str) -> Line:
    """The line. Fails for one that is none."""
    assert "\n" not in line
    assert "\r" not in line
    parts, at, start = [], 0, 0
    while len(parts) < 7:
        if line[at] == "\\":
            at += 1
        elif line[at] == "|":
            parts.append(_plain(line[start:at]))
            start = at + 1
        at += 1
    version, *fields = parts
    return Line(version.removeprefix("CEF:"), tuple(fields), _pairs(line[start:]))


def _pairs(text: str) -> Mapping[str, str]:
    """Values may hold blanks: one ends where the next key begins, and no equals sign in a value is bare."""
    found, keys = {}, list(_KEY.finditer(_hidden(text)))
    assert _hidden(text).count("=") == len(keys), "an equals sign that is not escaped"
    for one, after in zip(keys, [*keys[1:], None], strict=True):
        end = len(text) if after is None else after.start()
        found[one[1]] = _plain(text[one.end() : end])
    return found


def _hidden(text: str) -> str:
    """Escaped characters out of the way, everything else in its place."""
    return re.sub(r"\\.", "__", text)


def _plain(text: str) -> str:
    return re.sub(r"\\.", lambda found: _BACK[found[0]], text)
