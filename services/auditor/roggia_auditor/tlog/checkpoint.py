"""Checkpoints: origin, size and root of a tree, as a signed note. Source: C2SP tlog-checkpoint."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from roggia_auditor.errors import NoteError
from roggia_auditor.tlog import hashes, note
from roggia_auditor.tlog.keys import SignerKey
from roggia_auditor.tlog.note import Note

_LINES = 3
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one size. `origin` is its name for ever."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def signed(self, *keys: SignerKey) -> Note:
        """The note, signed by each key."""
        text = self.text()
        return Note(text, tuple(note.sign(text, key) for key in keys))


def of(signed: Note) -> Checkpoint:
    """The checkpoint in a note, whose signatures are the caller's to check. Raises `NoteError`.

    A checkpoint with extension lines is refused: nobody who watches the log could audit what they say.
    """
    lines = signed.text.removesuffix("\n").split("\n")
    if len(lines) != _LINES or not lines[0]:
        raise NoteError(f"a checkpoint has three lines: origin, size, root; here are {len(lines)}")
    origin, size, packed = lines
    return Checkpoint(origin, decimal(size, "size"), digest(packed))


def decimal(text: str, what: str) -> int:
    """A number as C2SP writes it. Raises `NoteError`."""
    if not (text.isascii() and text.isdigit()) or (text != "0" and text.startswith("0")) or int(text) > _MAX_SIZE:
        raise NoteError(f"{what}: {text[:40]!r} is no decimal number from 0 to 2^63 - 1 without leading zeros")
    return int(text)


def digest(text: str) -> bytes:
    """A hash in base64. Raises `NoteError`."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != hashes.SIZE or base64.b64encode(found).decode() != text:
        raise NoteError(f"{text[:60]!r} is no hash of {hashes.SIZE} bytes in base64")
    return found
