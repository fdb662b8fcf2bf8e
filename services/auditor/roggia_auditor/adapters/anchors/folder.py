"""Checkpoints in a folder, one file for each, for ever. It is an anchor where others hold it: a mounted WORM store.

A file is written whole or not at all, and none is ever written over. A checkpoint that is smaller than one which lies
there, or another one of the same size, is refused: whoever signed it holds another history.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from roggia_auditor.adapters.anchors.naming import SUFFIX, path_of, size_of
from roggia_auditor.errors import AnchorError, NoteError
from roggia_auditor.tlog import checkpoint as checkpoints
from roggia_auditor.tlog import note as notes
from roggia_auditor.tlog.note import Note, Signature


class FolderAnchor:
    """See `roggia_auditor.heads.anchoring.Anchor`. Any number of auditors may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def publish(self, checkpoint: Note) -> Sequence[Signature]:
        """Write it. Raises `AnchorError`, `NoteError` for what lies there and is none, and `OSError`."""
        await asyncio.to_thread(self._write, checkpoint)
        return ()

    async def close(self) -> None:
        """Nothing is held open."""

    def _write(self, checkpoint: Note) -> None:
        size = checkpoints.of(checkpoint).size
        newest = self._newest()
        if newest > size:
            raise AnchorError(
                f"{self._folder} holds a checkpoint of {newest} leaves, this one is of {size}: the ledger was set back"
            )
        path = self._folder / path_of(size)
        if not path.exists() and _created(path, str(checkpoint)):
            return
        if _read(path).text != checkpoint.text:
            raise AnchorError(f"{path} is another checkpoint of {size} leaves: the head log has two histories")

    def _newest(self) -> int:
        """Size of the largest checkpoint; 0 without one."""
        place = self._folder
        while place.is_dir():
            names = [one.name for one in place.iterdir() if one.name.removesuffix(SUFFIX).isdigit()]
            if not names:
                return 0
            place /= max(names)
        return size_of(str(place.relative_to(self._folder))) if place != self._folder else 0


def _created(path: Path, text: str) -> bool:
    """Make the file whole and lasting under its name; whether nobody else was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(path).hardlink_to(temporary)  # unlike a rename, it never writes over anything
        _flush(path.parent)
    except FileExistsError:
        return False
    finally:
        Path(temporary).unlink()
    return True


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> Note:
    try:
        return notes.parse(path.read_text())
    except (NoteError, UnicodeDecodeError) as error:
        raise AnchorError(f"{path}: what lies there is no checkpoint ({error})") from error
