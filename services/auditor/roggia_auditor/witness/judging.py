"""What a witness answers. Source: C2SP tlog-witness, `add-checkpoint`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from roggia_auditor.errors import NoteError, ProofError
from roggia_auditor.tlog import checkpoint, note, proofs
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.keys import SignerKey, VerifierKey

MAX_BODY = 64 << 10
"""Bytes of a request: 63 hashes and a note with many signatures."""
SIZE_TYPE = "text/x.tlog.size"
PLAIN_TYPE = "text/plain; charset=utf-8"


class Seen(NamedTuple):
    """The newest checkpoint of a log that was signed."""

    size: int
    root: bytes


class Memory(Protocol):
    """What was signed. It must survive a power loss before an answer is given."""

    def last(self, origin: str) -> Seen | None:
        """The newest of a log."""
        ...

    def advance(self, origin: str, before: Seen | None, after: Seen) -> bool:
        """Remember `after`, if `before` is still the newest; whether it was. Atomic, and durable when it returns."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and content type."""

    status: int
    body: str = ""
    kind: str = PLAIN_TYPE


class Request(NamedTuple):
    """One `add-checkpoint`: the size that it continues, the proof, the note."""

    old: int
    proof: tuple[bytes, ...]
    signed: note.Note


class Witness:
    """Answers for logs whose keys it was given, by origin."""

    def __init__(
        self, keys: Mapping[str, Sequence[VerifierKey]], signer: SignerKey, memory: Memory, now: Callable[[], int]
    ) -> None:
        self._keys, self._signer, self._memory, self._now = keys, signer, memory, now

    def add_checkpoint(self, body: bytes) -> Answer:
        """The answer to a request's body; 200 with a signature line where the log went on as it must."""
        try:
            request = parse(body)
            found = checkpoint.of(request.signed)
        except NoteError as error:
            return Answer(400, f"{error}\n")
        keys = self._keys.get(found.origin)
        if keys is None:
            return Answer(404, f"no log {found.origin} is witnessed here\n")
        try:
            request.signed.verified(keys)
        except NoteError as error:
            return Answer(403, f"{error}\n")
        return self._judge(request, found)

    def _judge(self, request: Request, found: Checkpoint) -> Answer:
        last = self._memory.last(found.origin)
        size = 0 if last is None else last.size
        if request.old > found.size:
            return Answer(400, f"old {request.old} is more than the checkpoint's size {found.size}\n")
        if request.old != size:
            return _conflict(size)
        if last is not None and found.size == size:
            if request.proof or found.root != last.root:
                return _conflict(size) if not request.proof else Answer(422, "there is nothing to prove\n")
        elif (refused := _unproven(request, found, last)) is not None:
            return refused
        if not self._memory.advance(found.origin, last, Seen(found.size, found.root)):
            held = self._memory.last(found.origin)
            return _conflict(0 if held is None else held.size)
        return Answer(200, note.cosign(request.signed.text, self._signer, self._now()).line())


def parse(body: bytes) -> Request:
    """The request in a body. Raises `NoteError`."""
    try:
        head, found, signed = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise NoteError("the body is not UTF-8") from None
    first, *lines = head.split("\n")
    if not found or not first.startswith("old "):
        raise NoteError("expected a line `old SIZE`, lines of a proof, an empty line and a checkpoint")
    if len(lines) > proofs.MAX_PATH:
        raise NoteError(f"{len(lines)} hashes: a proof has at most {proofs.MAX_PATH}")
    old = checkpoint.decimal(first.removeprefix("old "), "old")
    return Request(old, tuple(map(checkpoint.digest, lines)), note.parse(signed))


def body_of(old: int, proof: Sequence[bytes], signed: note.Note) -> bytes:
    """The body of a request: what `parse` reads."""
    lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
    return f"old {old}\n{lines}\n{signed}".encode()


def _unproven(request: Request, found: Checkpoint, last: Seen | None) -> Answer | None:
    if last is None:
        return Answer(422, "a first checkpoint has no proof\n") if request.proof else None
    try:
        proofs.check_consistency(last.size, found.size, request.proof, last.root, found.root)
    except ProofError as error:
        return Answer(422, f"{error}\n")
    return None


def _conflict(size: int) -> Answer:
    return Answer(409, f"{size}\n", SIZE_TYPE)
