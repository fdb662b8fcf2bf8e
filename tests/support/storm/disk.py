"""A small disk that a test can fill: a tmpfs where this user may mount one."""

from __future__ import annotations

import subprocess
from pathlib import Path

_BLOCK = 64 << 10


class SmallDisk:
    """A folder of `mib` MiB. Without the right to mount, an ordinary folder that never fills: `small` says which."""

    def __init__(self, folder: Path, mib: int = 64) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "roggia-test", str(folder)]
        self.small = subprocess.run(command, capture_output=True, check=False).returncode == 0
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Take every byte that is left."""
        with self._ballast.open("ab", buffering=0) as file:
            for block in (_BLOCK, 512, 1):
                _write_all(file, bytes(block))

    def empty(self) -> None:
        """Give the bytes back."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount. What the folder held is gone."""
        if self.small:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)
            self.small = False


def _write_all(file: object, block: bytes) -> None:
    try:
        while file.write(block) == len(block):  # type: ignore[attr-defined]
            pass
    except OSError:
        return
