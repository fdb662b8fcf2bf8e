"""Text files that an option or argument names."""

from __future__ import annotations

import sys
from pathlib import Path

from roggia.errors import UsageError


def text_of(option: str, path: Path) -> str:
    """What a file holds; `-` is standard input. Raises `UsageError` where it cannot be read, or is no text."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except OSError as failed:
        raise UsageError(f"{option}: {path}: {failed.strerror}; name a file that can be read") from None
    except UnicodeDecodeError as failed:
        raise UsageError(f"{option}: {path}: no UTF-8 text (byte {failed.start}); save it as UTF-8") from None
