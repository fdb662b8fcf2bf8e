"""Text that somebody gives in a file, or on standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from roggia.errors import UsageError

STDIN = "-"


def text_of(option: str, path: Path) -> str:
    """What a file holds, or standard input for `-`, without a byte order mark. Raises `UsageError`, and `OSError` for a
    file that cannot be opened."""
    raw = sys.stdin.buffer.read() if str(path) == STDIN else path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        raise UsageError(f"{option}: {path}: line {line} is not UTF-8; save the file as UTF-8") from None
