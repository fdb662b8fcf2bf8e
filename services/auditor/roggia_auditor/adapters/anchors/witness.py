"""A witness over HTTP: what it signs stands beside the log's own signatures. Source: C2SP tlog-witness."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from roggia_auditor.adapters.anchors.requests import Http, Reply
from roggia_auditor.errors import AnchorError, NoteError, OvertakenError
from roggia_auditor.tlog import checkpoint as checkpoints
from roggia_auditor.tlog import note as notes
from roggia_auditor.tlog.keys import VerifierKey
from roggia_auditor.tlog.note import Note, Signature
from roggia_auditor.witness.judging import body_of

Proofs = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""The consistency proof from one size of the head log to another."""
_SIGNED, _CONFLICT, _UNPROVEN = 200, 409, 422
_TRIES = 3


class WitnessAnchor:
    """See `roggia_auditor.heads.anchoring.Anchor`. `url` is what `add-checkpoint` comes behind."""

    def __init__(self, url: str, key: VerifierKey, proofs: Proofs) -> None:
        self._url, self._key, self._proofs = f"{url.rstrip('/')}/add-checkpoint", key, proofs
        self._http, self._old = Http(), 0

    async def publish(self, checkpoint: Note) -> Sequence[Signature]:
        """Have it signed; what the witness signed.

        Where the witness is not where it was believed to be, it says where, and is asked again from there. Raises
        `OvertakenError` where it has signed a larger tree; `AnchorError` where it holds another history, refuses, or
        answers with what is no signature of its key; `TreeError` where the ledger cannot prove; what aiohttp raises.
        """
        size = checkpoints.of(checkpoint).size
        if any((one.name, one.key_id) == (self._key.name, self._key.id) for one in checkpoint.signatures):
            return ()
        for _ in range(_TRIES):
            reply = await self._ask(min(self._old, size), size, checkpoint)
            if reply.status == _SIGNED:
                self._old = size
                return self._signatures(reply, checkpoint)
            if reply.status != _CONFLICT:
                break
            self._old = self._told(reply, min(self._old, size), size)
        if reply.status == _UNPROVEN:
            raise AnchorError(f"it does not see the log of {self._old} leaves, which it signed, go on: {reply.said()}")
        raise AnchorError(f"{self._url} answers {reply.said()}")

    async def close(self) -> None:
        """Close connections."""
        await self._http.close()

    async def _ask(self, old: int, size: int, checkpoint: Note) -> Reply:
        proof = await self._proofs(old, size)
        return await self._http.send("POST", self._url, body_of(old, proof, checkpoint), _PLAIN)

    def _told(self, reply: Reply, asked: int, size: int) -> int:
        """The size that the witness is at."""
        try:
            told = checkpoints.decimal(reply.text.removesuffix("\n"), "size")
        except NoteError as error:
            raise AnchorError(f"{self._url} answers {reply.said()}") from error
        if told > size:
            raise OvertakenError(
                f"it has signed {told} leaves, this is a checkpoint of {size}: another auditor was faster, or the "
                "ledger was set back"
            )
        if told == asked:
            raise AnchorError(f"it has signed another tree of {told} leaves: the head log has two histories")
        return told

    def _signatures(self, reply: Reply, checkpoint: Note) -> Sequence[Signature]:
        """Those of its key, which must hold; a witness may sign with others that we do not know."""
        try:
            found = notes.signatures(reply.text)
            checkpoint.signed_by(found).verified([self._key])
        except NoteError as error:
            raise AnchorError(f"{self._url} answers without a signature of {self._key.name}: {error}") from error
        return [one for one in found if (one.name, one.key_id) == (self._key.name, self._key.id)]


_PLAIN = {"Content-Type": "text/plain; charset=utf-8"}
