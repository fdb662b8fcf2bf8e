"""`.tlog-proof`: a record's place, its path and a checkpoint in one file, checked offline. Source: C2SP tlog-proof."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from roggia_auditor.errors import NoteError, ProofError
from roggia_auditor.tlog import checkpoint, note, proofs
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.keys import VerifierKey
from roggia_auditor.tlog.note import Note

HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class ProofFile:
    """`index` in the tree that `signed` speaks of; `path` from the leaf's sibling up; `extra` proves nothing."""

    index: int
    path: tuple[bytes, ...]
    signed: Note
    extra: bytes = b""

    def __str__(self) -> str:
        extra = f"extra {base64.b64encode(self.extra).decode()}\n" if self.extra else ""
        path = "".join(f"{base64.b64encode(one).decode()}\n" for one in self.path)
        return f"{HEADER}\n{extra}index {self.index}\n{path}\n{self.signed}"

    def check(self, leaf: bytes, origin: str, keys: Sequence[VerifierKey]) -> Checkpoint:
        """The checkpoint under which the leaf hash is proven.

        Raises `ProofError` for another log, a signature that does not hold, or a path that does not lead to the root.
        """
        self.signed.verified(keys)
        found = checkpoint.of(self.signed)
        if found.origin != origin:
            raise ProofError(f"the proof is of the log {found.origin}, not of {origin}")
        proofs.check_inclusion(leaf, self.index, found.size, self.path, found.root)
        return found


def parse(text: str) -> ProofFile:
    """The proof in a file's text. Raises `NoteError`."""
    head, _, signed = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != HEADER:
        raise NoteError(f"the first line is {lines[0][:60]!r}, not {HEADER!r}")
    extra = b""
    rest = lines[1:]
    if rest and rest[0].startswith("extra "):
        extra = _extra(rest.pop(0).removeprefix("extra "))
    if not rest or not rest[0].startswith("index "):
        raise NoteError("there is no index line")
    index = checkpoint.decimal(rest[0].removeprefix("index "), "index")
    if len(rest) - 1 > proofs.MAX_PATH:
        raise NoteError(f"{len(rest) - 1} hashes: a path has at most {proofs.MAX_PATH}")
    return ProofFile(index, tuple(map(checkpoint.digest, rest[1:])), note.parse(signed), extra)


def _extra(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("extra: it is no base64") from None
