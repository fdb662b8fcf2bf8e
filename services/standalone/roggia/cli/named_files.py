"""Text files that an option or argument names."""

from __future__ import annotations

import sys
from pathlib import Path

from roggia.errors import UsageError

STDIN = "-"


def text_of(option: str, path: Path) -> str:
    """What a file holds, or standard input for `-`, without a byte order mark. Raises `UsageError` where it cannot be
    read, or is no text."""
    try:
        raw = sys.stdin.buffer.read() if str(path) == STDIN else path.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as failed:
        raise UsageError(f"{option}: {path}: {failed.strerror}; name a file that can be read") from None
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        raise UsageError(f"{option}: {path}: line {line} is not UTF-8; save the file as UTF-8") from None
