"""Signed notes: a text, and lines that say who signed it. Source: C2SP signed-note."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from roggia_auditor.errors import NoteError
from roggia_auditor.tlog.keys import Kind, SignerKey, VerifierKey

MAX_BYTES = 1_000_000
"""Of a whole note: beyond any with the 16 signatures that C2SP demands to be read."""
MAX_SIGNATURES = 64
_DASH = "— "
_ID, _TIME = 4, 8


class Signature(NamedTuple):
    """One signature line."""

    name: str
    key_id: bytes
    body: bytes

    def line(self) -> str:
        """As it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.body).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signatures, in the order in which they stand."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(signature.line() for signature in self.signatures)}"

    def signed_by(self, more: Iterable[Signature]) -> Note:
        """With more signatures behind; one of the same key takes the place of the former."""
        added = {(one.name, one.key_id): one for one in more}
        kept = [one for one in self.signatures if (one.name, one.key_id) not in added]
        return Note(self.text, (*kept, *added.values()))

    def verified(self, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
        """The keys, of those given, that signed it.

        Raises `NoteError` where none did, and where the signature of one does not hold; unknown ones are ignored.
        """
        found = tuple(key for key in keys if self._signed(key))
        if not found:
            raise NoteError(f"no signature of {', '.join(sorted(key.name for key in keys)) or 'any key'}: not trusted")
        return found

    def _signed(self, key: VerifierKey) -> bool:
        mine = [one for one in self.signatures if (one.name, one.key_id) == (key.name, key.id)]
        for one in mine:
            if not _holds(key, one.body, self.text):
                raise NoteError(f"the signature of {key.name} does not hold: the text was changed")
        return bool(mine)


def sign(text: str, key: SignerKey) -> Signature:
    """The signature of a log over a note's text."""
    return Signature(key.name, key.verifier().id, key.sign(text.encode()))


def cosign(text: str, key: SignerKey, at: int) -> Signature:
    """The signature of a witness over a checkpoint's text, at a time in seconds since 1970."""
    return Signature(key.name, key.verifier().id, at.to_bytes(_TIME, "big") + key.sign(_witnessed(text, at)))


def witnessed_at(signature: Signature) -> int:
    """The time in a witness's signature, seconds since 1970."""
    return int.from_bytes(signature.body[:_TIME], "big")


def parse(written: str) -> Note:
    """The note in a text. Raises `NoteError` for what is none."""
    if len(written) > MAX_BYTES:
        raise NoteError(f"a note of {len(written)} characters: at most {MAX_BYTES} are read")
    if any(letter < " " and letter != "\n" for letter in written):
        raise NoteError("a note holds no control characters but newlines")
    text, found, lines = written.rpartition("\n\n")
    if not found or not lines.endswith("\n"):
        raise NoteError("a note is a text, an empty line and signature lines, each with its newline")
    return Note(text + "\n", signatures(lines))


def signatures(lines: str) -> tuple[Signature, ...]:
    """Signature lines. Raises `NoteError`."""
    split = lines.removesuffix("\n").split("\n")
    if len(split) > MAX_SIGNATURES:
        raise NoteError(f"{len(split)} signatures: at most {MAX_SIGNATURES} are read")
    return tuple(_signature(line) for line in split)


def _signature(line: str) -> Signature:
    name, space, packed = line.removeprefix(_DASH).partition(" ")
    try:
        raw = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not line.startswith(_DASH) or not name or not space or len(raw) <= _ID:
        raise NoteError(f"no signature line: {line[:80]!r}")
    return Signature(name, raw[:_ID], raw[_ID:])


def _holds(key: VerifierKey, body: bytes, text: str) -> bool:
    if key.kind is Kind.LOG:
        return key.holds(body, text.encode())
    return key.holds(body[_TIME:], _witnessed(text, int.from_bytes(body[:_TIME], "big")))


def _witnessed(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()
