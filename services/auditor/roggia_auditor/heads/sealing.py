"""Seals the ledger now and then: a leaf of the head log, signed checkpoints, and their publication. A worker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from roggia_runtime.consumer.waiting import either

from roggia_auditor import metrics
from roggia_auditor.errors import LedgerConflictError, LedgerUnavailableError
from roggia_auditor.heads import rotation
from roggia_auditor.heads.anchoring import Anchoring
from roggia_auditor.heads.seal import LogHead, Seal, seal
from roggia_auditor.ports import Ledger, State
from roggia_auditor.tlog import hashes
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.keys import SignerKey
from roggia_auditor.tlog.note import Note

_TRIES = 3


class Sealed(NamedTuple):
    """A seal that is in the ledger: its state, the head log with its leaf, that leaf's proof, and the checkpoints of
    the head log and, by origin, of every log."""

    state: Seal
    head_log: Frontier
    path: tuple[bytes, ...]
    checkpoint: Note
    logs: Mapping[str, Note] = MappingProxyType({})


class Sealer:
    """Seals when asked. Used by the worker, and by exports, which prove under a seal of their own.

    While one key takes another's place both sign: `retiring` are those that go (`roggia_auditor.heads.rotation`).
    """

    def __init__(self, ledger: Ledger, origin: str, key: SignerKey, *retiring: SignerKey) -> None:
        self._ledger, self._origin, self._keys = ledger, origin, (key, *retiring)

    @property
    def head_origin(self) -> str:
        """Name of the head log."""
        return f"{self._origin}/head"

    async def seal(self) -> Sealed:
        """Seal what the ledger holds now.

        Only what is committed is sealed, and the ledger's databases flush what they commit: no checkpoint is ahead of
        what a power loss leaves. Raises `LedgerConflictError` where another auditor sealed at the same time.
        """
        return await self._seal(await self._ledger.everything())

    async def seal_new(self) -> Sealed | None:
        """The same if something was entered since the last seal, or other keys sign."""
        held = await self._ledger.everything()
        return await self._seal(held) if self._is_new(held) or self._rotated(held) else None

    async def _seal(self, held: State) -> Sealed:
        state, before = state_of(held, self._origin), held.head_log
        if self._rotated(held):
            before = await self._name_keys(before)
        entry = state.head().encoded()
        head_log, _ = before.grown([hashes.leaf(entry)])
        signed = Checkpoint(self.head_origin, head_log.size, head_log.root()).signed(*self._keys)
        logs = {one.origin: one.checkpoint().signed(*self._keys) for one in state.logs}
        notes = {one.origin: (one.size, str(logs[one.origin])) for one in state.logs}
        notes[self.head_origin] = (head_log.size, str(signed))
        await self._ledger.append_head(before, entry, notes, state.logs)
        # Of a tree's last leaf, what lies left of it are the peaks of the tree before, the narrowest first.
        return Sealed(state, head_log, before.peaks[::-1], signed, logs)

    async def _name_keys(self, before: Frontier) -> Frontier:
        """Append the leaf that names the keys. No checkpoint ends with it: after a crash here it is written again."""
        entry = rotation.encoded([key.verifier() for key in self._keys])
        await self._ledger.append_head(before, entry, {})
        return before.grown([hashes.leaf(entry)])[0]

    def _rotated(self, held: State) -> bool:
        """Whether others signed the checkpoint before. The first keys of all need no leaf that names them."""
        kept = held.notes.get(self.head_origin)
        return kept is not None and rotation.changed(kept[1], [key.verifier() for key in self._keys])

    def _is_new(self, held: State) -> bool:
        sealed = {origin: size for origin, (size, _) in held.notes.items()}
        return any(
            head.frontier.size != sealed.get(stream.origin(self._origin), 0) for stream, head in held.heads.items()
        )


class Sealing:
    """A worker: seals every `interval_s` seconds when there is something new, and brings it to the anchors."""

    def __init__(self, sealer: Sealer, interval_s: float, anchors: Anchoring) -> None:
        self._sealer, self._interval_s, self._anchors = sealer, interval_s, anchors
        self._stopping = asyncio.Event()
        self._trouble = ""

    async def run(self) -> None:
        """Work until `stop`; once more at its end."""
        while not await either(self._stopping, timeout_s=self._interval_s):
            await self._once()
        await self._once()

    def stop(self) -> None:
        """Return from `run` after one last seal."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Nothing waits for a seal."""
        return []

    def notes(self) -> list[str]:
        """What could not be sealed or anchored."""
        return [*([f"seal: {self._trouble}"] if self._trouble else []), *self._anchors.notes()]

    async def _once(self) -> None:
        try:
            if await self._sealer.seal_new() is not None:
                metrics.SEALS.inc()
            await self._anchors.catch_up()
        except (LedgerUnavailableError, LedgerConflictError) as error:
            self._trouble = str(error)
        else:
            self._trouble = ""


async def sealed_and_witnessed(sealer: Sealer, anchors: Anchoring) -> Sealed:
    """A seal of now, whose checkpoint the witnesses have signed as far as they could (`Anchoring.notes` says who not).

    For exports and proofs. The running auditor seals too: where it came between, it is tried again, since witnesses
    sign its larger checkpoint alone. Raises `LedgerConflictError` where it came between every time.
    """
    left = _TRIES
    while True:
        left -= 1
        try:
            sealed = await sealer.seal()
        except LedgerConflictError:
            if not left:
                raise
            continue
        found = await anchors.bring(sealed.checkpoint)
        if not left or not anchors.overtaken():
            return sealed._replace(checkpoint=found)


def state_of(held: State, origin: str) -> Seal:
    """The seal of a ledger's state."""
    logs = [
        LogHead(stream.origin(origin), head.frontier.size, head.frontier.root(), head.next_offset)
        for stream, head in held.heads.items()
    ]
    last = {name: {stream.origin(origin): n for stream, n in numbers.items()} for name, numbers in held.last.items()}
    return seal(logs, last)
