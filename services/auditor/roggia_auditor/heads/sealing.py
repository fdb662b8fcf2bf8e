"""Seals the ledger now and then: a leaf of the head log, signed checkpoints, and their publication. A worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import structlog
from roggia_runtime.consumer.waiting import either

from roggia_auditor import metrics
from roggia_auditor.errors import LedgerConflictError, LedgerUnavailableError
from roggia_auditor.heads.seal import LogHead, Seal, seal
from roggia_auditor.ports import Ledger, State
from roggia_auditor.tlog import hashes
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.keys import SignerKey
from roggia_auditor.tlog.note import Note

log = structlog.get_logger()
Anchor = Callable[[Note], Awaitable[None]]
"""Publishes a checkpoint of the head log where the operator of the ledger cannot take it back."""


class Sealed(NamedTuple):
    """A seal that is in the ledger: its state, the head log with its leaf, that leaf's proof, and the checkpoint."""

    state: Seal
    head_log: Frontier
    path: tuple[bytes, ...]
    checkpoint: Note


class Sealer:
    """Seals when asked. Used by the worker, and by exports, which prove under a seal of their own."""

    def __init__(self, ledger: Ledger, origin: str, key: SignerKey) -> None:
        self._ledger, self._origin, self._key = ledger, origin, key

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
        """The same if something was entered since the last seal."""
        held = await self._ledger.everything()
        return await self._seal(held) if self._is_new(held) else None

    async def _seal(self, held: State) -> Sealed:
        state = state_of(held, self._origin)
        entry = state.head().encoded()
        head_log, _ = held.head_log.grown([hashes.leaf(entry)])
        signed = Checkpoint(self.head_origin, head_log.size, head_log.root()).signed(self._key)
        notes = {one.origin: (one.size, str(one.checkpoint().signed(self._key))) for one in state.logs}
        await self._ledger.append_head(held.head_log, entry, notes | {self.head_origin: (head_log.size, str(signed))})
        # Of a tree's last leaf, what lies left of it are the peaks of the tree before, the narrowest first.
        return Sealed(state, head_log, held.head_log.peaks[::-1], signed)

    def _is_new(self, held: State) -> bool:
        sealed = {origin: size for origin, (size, _) in held.notes.items()}
        return any(
            head.frontier.size != sealed.get(stream.origin(self._origin), 0) for stream, head in held.heads.items()
        )


class Sealing:
    """A worker: seals every `interval_s` seconds when there is something new, and brings it to the anchors."""

    def __init__(self, sealer: Sealer, interval_s: float, anchors: Mapping[str, Anchor]) -> None:
        self._sealer, self._interval_s, self._anchors = sealer, interval_s, anchors
        self._stopping = asyncio.Event()
        self._trouble: dict[str, str] = {}

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
        return [f"{name}: {why}" for name, why in sorted(self._trouble.items()) if why]

    async def _once(self) -> None:
        try:
            sealed = await self._sealer.seal_new()
        except (LedgerUnavailableError, LedgerConflictError) as error:
            self._trouble["seal"] = str(error)
            return
        self._trouble["seal"] = ""
        if sealed is None:
            return
        metrics.SEALS.inc()
        for name, anchor in self._anchors.items():
            await self._publish(name, anchor, sealed.checkpoint)

    async def _publish(self, name: str, anchor: Anchor, checkpoint: Note) -> None:
        try:
            await anchor(checkpoint)
            self._trouble[name] = ""
        except Exception as error:  # noqa: BLE001  # an anchor is somebody else's machine: what it raises must not stop the sealing
            self._trouble[name] = f"checkpoint not anchored: {error}"
            metrics.NOT_ANCHORED.labels(name).inc()
            log.warning("not_anchored", anchor=name, error=str(error))


def state_of(held: State, origin: str) -> Seal:
    """The seal of a ledger's state."""
    logs = [
        LogHead(stream.origin(origin), head.frontier.size, head.frontier.root(), head.next_offset)
        for stream, head in held.heads.items()
    ]
    last = {name: {stream.origin(origin): n for stream, n in numbers.items()} for name, numbers in held.last.items()}
    return seal(logs, last)
