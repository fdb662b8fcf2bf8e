"""Where a checkpoint of some size lies in a folder or a bucket."""

from __future__ import annotations

SUFFIX = ".checkpoint"
_DIGITS, _WIDTH = 18, 3
"""Enough for any log; no folder holds more than a thousand names, and names sort as sizes do."""


def path_of(size: int) -> str:
    """`000/000/000/000/001/042.checkpoint` for 1,042 leaves."""
    digits = f"{size:0{_DIGITS}d}"
    return "/".join(digits[at : at + _WIDTH] for at in range(0, len(digits), _WIDTH)) + SUFFIX


def size_of(path: str) -> int:
    """The size in what `path_of` made. Raises `ValueError`."""
    return int(path.removesuffix(SUFFIX).replace("/", ""))
