"""Brings the newest checkpoint of the head log to where the ledger's operator cannot take it back.

Witnesses come first: what they sign is kept with the checkpoint, and goes to the stores with it. Only the newest is
brought: it commits to all that came before, so an anchor that was away has caught up with one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog

from roggia_auditor import metrics
from roggia_auditor.errors import OvertakenError
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog import checkpoint as checkpoints
from roggia_auditor.tlog import note as notes
from roggia_auditor.tlog.note import Note, Signature

log = structlog.get_logger()


class Anchor(Protocol):
    """Somewhere that keeps checkpoints."""

    async def publish(self, checkpoint: Note) -> Sequence[Signature]:
        """Take a checkpoint; what the anchor itself has signed of it. The same one may come again.

        Raises `AnchorError`, or whatever the way to it raises, where it was not taken.
        """
        ...

    async def close(self) -> None:
        """Let go of connections. Safe to call twice, and before anything was published."""
        ...


class Anchoring:
    """Knows of every anchor which size it has taken, and why it has not taken the newest. From one task at a time.

    `timeout_s` is what each anchor has for one checkpoint, seconds: one that hangs holds up nothing else for longer.
    """

    def __init__(
        self,
        ledger: Ledger,
        origin: str,
        witnesses: Mapping[str, Anchor],
        stores: Mapping[str, Anchor] | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._ledger, self._origin, self._timeout_s = ledger, origin, timeout_s
        self._waves = (dict(witnesses), dict(stores or {}))
        self._taken: dict[str, int] = {}
        self._trouble: dict[str, str] = {}
        self._overtaken: set[str] = set()

    async def catch_up(self) -> None:
        """Bring the newest checkpoint that the ledger keeps to every anchor that has not taken it.

        After a start nothing is known of any anchor: each is brought the newest. Raises `LedgerUnavailableError`.
        """
        kept = await self._ledger.kept(self._origin)
        if kept is not None:
            await self.bring(notes.parse(kept[1]))

    async def bring(self, checkpoint: Note) -> Note:
        """Bring a checkpoint to every anchor that has not taken its size; it, with what witnesses have signed.

        An anchor's failure is a note and a counter, never raised. Raises `LedgerUnavailableError`.
        """
        size, found = checkpoints.of(checkpoint).size, checkpoint
        for wave in self._waves:
            behind = [name for name in wave if self._taken.get(name) != size]
            signed = await asyncio.gather(*(self._publish(name, wave[name], found, size) for name in behind))
            found = found.signed_by(one for some in signed for one in some)
            if found.signatures != checkpoint.signatures:
                await self._ledger.keep(self._origin, size, str(found))
                checkpoint = found
        return found

    def notes(self) -> list[str]:
        """Which anchors have not taken the newest checkpoint, and why."""
        return [f"{name}: {why}" for name, why in sorted(self._trouble.items())]

    def overtaken(self) -> bool:
        """Whether a witness refused the last one only because it had signed a larger one already."""
        return bool(self._overtaken)

    async def close(self) -> None:
        """Let go of every anchor's connections."""
        for wave in self._waves:
            for anchor in wave.values():
                await anchor.close()

    async def _publish(self, name: str, anchor: Anchor, checkpoint: Note, size: int) -> Sequence[Signature]:
        self._overtaken.discard(name)
        try:
            async with asyncio.timeout(self._timeout_s):
                signed = await anchor.publish(checkpoint)
        except Exception as error:  # noqa: BLE001  # an anchor is somebody else's machine: what it raises must not stop the sealing
            why = f"no answer within {self._timeout_s:g} s" if isinstance(error, TimeoutError) else str(error)
            self._trouble[name] = f"checkpoint {size} not anchored: {why or type(error).__name__}"
            self._overtaken |= {name} if isinstance(error, OvertakenError) else set()
            metrics.NOT_ANCHORED.labels(name).inc()
            log.warning("not_anchored", anchor=name, size=size, error=why or repr(error))
            return ()
        self._taken[name] = size
        self._trouble.pop(name, None)
        metrics.ANCHORED.labels(name).set(size)
        return signed
