"""The head log's leaf of another kind: which keys sign from there on. Pure.

It is written when the keys that sign are others than those of the checkpoint before, and always followed by a state:
the last leaf under a checkpoint is never one of these. So whoever trusts the old key, which signs beside the new one
until it is put away, sees the new one named in a log that the old one has signed.
"""

from __future__ import annotations

from collections.abc import Sequence

from roggia_auditor.errors import KeyFileError, NoteError, ProofError
from roggia_auditor.tlog import note
from roggia_auditor.tlog.keys import VerifierKey

HEADER = "roggia-audit-keys/1"


def encoded(keys: Sequence[VerifierKey]) -> bytes:
    """The entry that names the keys."""
    return "\n".join([HEADER, *sorted(map(str, keys)), ""]).encode()


def decoded(entry: bytes) -> tuple[VerifierKey, ...] | None:
    """The keys that an entry names; None for a leaf of the other kind. Raises `ProofError` for a key that is none."""
    lines = entry.decode(errors="replace").removesuffix("\n").split("\n")
    if lines[0] != HEADER:
        return None
    try:
        return tuple(map(VerifierKey.parse, lines[1:]))
    except KeyFileError as error:
        raise ProofError(f"a leaf that names keys holds one that cannot be read: {error}") from error


def changed(text: str, keys: Sequence[VerifierKey]) -> bool:
    """Whether others than these keys signed the checkpoint in a note's text; its witnesses are left aside."""
    try:
        found = note.parse(text)
    except NoteError:
        return True
    names = {key.name for key in keys}
    return {one.key_id for one in found.signatures if one.name in names} != {key.id for key in keys}
