"""Write a golden set: the same questions give the same bytes, so that its sha256 says whether anything changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from roggia_operator.evaluation.golden.model import GoldenQuery, Header


def write(path: Path, header: Header, queries: Iterable[GoldenQuery]) -> None:
    """Write the file whole or not at all. Questions are ordered by what they ask."""
    ordered = sorted(queries, key=lambda query: query.identity)
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        for line in (header, *ordered):
            file.write(msgspec.json.encode(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
