"""Open files of a store: few at a time, however many segments there are; and small files replaced as a whole."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

from roggia_devstack.storage.crc import crc32c

MAX_OPEN = 256


class FilePool:
    """File descriptors by path, opened on demand for reading and writing; the least recently used are closed.

    Used from one thread. A path must be forgotten before its file is renamed or removed.
    """

    def __init__(self, limit: int = MAX_OPEN) -> None:
        self._open: OrderedDict[Path, int] = OrderedDict()
        self._limit = limit

    def fd(self, path: Path) -> int:
        """Return a descriptor of `path`, created when absent; valid until the next call."""
        fd = self._open.get(path)
        if fd is None:
            fd = self._open[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if len(self._open) > self._limit:
                os.close(self._open.popitem(last=False)[1])
        else:
            self._open.move_to_end(path)
        return fd

    def forget(self, path: Path) -> None:
        """Close `path` if it is open."""
        fd = self._open.pop(path, None)
        if fd is not None:
            os.close(fd)

    def close(self) -> None:
        """Close all."""
        while self._open:
            os.close(self._open.popitem()[1])


def write_sealed(path: Path, content: bytes) -> None:
    """Replace a small file as a whole; a reader sees the old content or the new one, and can tell a torn one."""
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(crc32c(content).to_bytes(4, "big") + content)
    draft.replace(path)


def read_sealed(path: Path) -> bytes | None:
    """Return what `write_sealed` wrote, or None when it is absent or damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    sound = len(content) >= 4 and int.from_bytes(content[:4], "big") == crc32c(content[4:])
    return content[4:] if sound else None
