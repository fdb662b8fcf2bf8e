"""One process per data directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from roggia_devstack.storage.errors import DataInUseError


class DirectoryLock:
    """Exclusive lock on a directory, held until released or until the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises `DataInUseError` naming the directory and the process that holds it."""
        self._fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._fd, 32).decode().strip() or "unknown"
            os.close(self._fd)
            raise DataInUseError(
                f"{folder} is in use by process {holder}; stop it or choose another data directory"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the lock go."""
        os.close(self._fd)
