"""Where lines go, and where a reader stopped: a file that is continued after a crash, and a small file of positions."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from roggia_auditor.errors import ExportError
from roggia_auditor.siem.stream import Positions

STATE = "roggia-siem-state/1"
_BLOCK = 1 << 16


class Output:
    """Lines to a binary stream. `durable`: flushed to the disk, before whoever calls says where it stopped."""

    def __init__(self, file: BinaryIO, *, durable: bool) -> None:
        self._file, self._durable = file, durable

    def write(self, lines: Sequence[str]) -> None:
        """Write lines, and return once they are out of this process."""
        self._file.write(b"".join(line.encode() + b"\n" for line in lines))
        self._file.flush()
        if self._durable:
            os.fsync(self._file.fileno())


def continued(path: Path) -> BinaryIO:
    """A file to append to, without the half line that a crash may have left. Raises `ExportError`."""
    try:
        file = path.open("a+b")
        file.truncate(_whole(file))
    except OSError as error:
        raise ExportError(f"{path}: it cannot be written ({error.strerror})") from error
    return file


def positions(path: Path | None) -> Positions:
    """Where a reader stopped; nothing where it never began. Raises `ExportError` for a file that is something else."""
    if path is None or not path.exists():
        return {}
    try:
        held = json.loads(path.read_text())
        if held["format"] != STATE:
            raise ExportError(f"{path}: format {held['format']!r} is not {STATE!r}")
        return {str(log): int(number) for log, number in held["next"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(f"{path}: no state of this command ({error!r}); name another file") from error


def save(path: Path | None, after: Positions) -> None:
    """Keep positions: the file is replaced, so a crash leaves the old or the new one."""
    if path is None:
        return
    held = {"format": STATE, "next": {log: str(number) for log, number in sorted(after.items())}}
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w") as file:
        file.write(json.dumps(held, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _whole(file: BinaryIO) -> int:
    """Bytes up to the end of the last whole line."""
    at = file.seek(0, os.SEEK_END)
    while at > 0:
        start = max(0, at - _BLOCK)
        file.seek(start)
        if (found := file.read(at - start).rfind(b"\n")) >= 0:
            return start + found + 1
        at = start
    return 0
