"""Two checkpoints of one log: whether the later tree begins with the earlier one."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import NamedTuple

from roggia_auditor.errors import LedgerError, ProofError, TreeError
from roggia_auditor.export.paths import StreamPaths
from roggia_auditor.heads import continuing
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog import checkpoint as checkpoints
from roggia_auditor.tlog import proofs
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.keys import VerifierKey
from roggia_auditor.tlog.note import Note


class Pair(NamedTuple):
    """Two checkpoints of one log."""

    old: Checkpoint
    new: Checkpoint


def pair(old: Note, new: Note, keys: Sequence[VerifierKey]) -> Pair:
    """What the two say. Raises `ProofError` unless both are signed, of one log, and in this order."""
    for signed in (old, new):
        signed.verified(keys)
    found = Pair(checkpoints.of(old), checkpoints.of(new))
    if found.old.origin != found.new.origin:
        raise ProofError(f"the old checkpoint is of {found.old.origin}, the new one of {found.new.origin}")
    if found.old.size > found.new.size:
        raise ProofError(
            f"{found.new.origin}: the new checkpoint has {found.new.size} leaves, the old one {found.old.size}: the "
            "log was set back, or old and new are exchanged"
        )
    return found


def check(found: Pair, proof: Sequence[bytes]) -> None:
    """Raises `ProofError` unless the proof shows that the new tree begins with the old one."""
    try:
        proofs.check_consistency(found.old.size, found.new.size, proof, found.old.root, found.new.root)
    except ProofError as error:
        raise ProofError(f"{found.new.origin}: {error}") from error


async def prove(ledger: Ledger, origin: str, found: Pair) -> list[bytes]:
    """The proof, from what the ledger holds now. `origin` is what its logs' names begin with.

    Raises `ProofError` where the ledger does not hold so much, `LedgerError` where the log is none of its.
    """
    name, old, size = found.new.origin, found.old.size, found.new.size
    try:
        if name == f"{origin}/head":
            return await continuing.consistency(ledger, old, size)
        for stream in await ledger.streams():
            if stream.origin(origin) == name:
                return await StreamPaths(ledger, stream, size).consistency(old)
    except TreeError as error:
        raise ProofError(f"{name}: the ledger does not hold {size} leaves any more ({error})") from error
    raise LedgerError(f"the ledger has no log {name}; its logs begin with {origin}")


def written(proof: Sequence[bytes]) -> str:
    """The proof as text: a hash in base64 on every line."""
    return "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)


def read(text: str) -> list[bytes]:
    """What `written` wrote. Raises `NoteError`."""
    return [checkpoints.digest(line) for line in text.splitlines()]
