"""The third pass: suspects are looked at again, with the newest state of both sides, until what is seen is stable.

A finding is reported when two looks in a row saw the very same, the log had no new record of the document in between,
and its newest record had been through embed and upsert before the first of them. So a document that is on its way, or
in the middle of being written, is never reported.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec
from roggia_runtime.findings import Finding, Kind, Progress, line

from roggia_embedder.verify.comparing import Key, Suspect, newest
from roggia_embedder.verify.gathering import read_log
from roggia_embedder.verify.ground import Ground
from roggia_embedder.verify.judging import judge
from roggia_embedder.verify.log import Offsets
from roggia_embedder.verify.looking import look
from roggia_embedder.verify.rows import Expected, identity
from roggia_embedder.verify.spill import Spill, slice_of

R = TypeVar("R")
_DOCUMENTS, _CHUNKS = 200, 5_000
"""Most of one look, unless a single document has more chunks."""
_LOOKS = 2
_SURPLUS = (Kind.ORPHAN, Kind.AHEAD)


class Recheck:
    """Rounds over the suspects. `excused` are ids that another document answers for; `ends` is how far the log was
    read."""

    def __init__(self, ground: Ground, excused: frozenset[bytes], ends: Offsets) -> None:
        self._ground = ground
        self._excused = excused
        self._ends = ends
        self._settled: Offsets = {}
        self._left = ground.counts.suspects

    async def run(self, suspects: Spill[Suspect]) -> AsyncIterator[Finding | Progress]:
        """Everything that stays wrong, and how far it is. What cannot be judged in time is counted as pending."""
        deadline, rounds, total = time.monotonic() + self._ground.pace.patience_s, 0, self._left
        while self._left and (rounds < _LOOKS or time.monotonic() < deadline):
            await asyncio.sleep(self._ground.pace.pause_s if rounds else 0)
            rounds += 1
            following = self._spill(f"suspects-{rounds}", Suspect)
            async for finding in self._round(suspects, following, self._spill(f"tail-{rounds}", Expected)):
                yield finding
            yield Progress(phase="recheck", done=total - self._left, total=total)
            suspects = following
        self._ground.counts.pending = self._left

    async def _round(
        self, suspects: Spill[Suspect], following: Spill[Suspect], tail: Spill[Expected]
    ) -> AsyncIterator[Finding]:
        await self._learn(tail)
        self._left = 0
        for number in range(self._ground.slices):
            changed = newest(tail.rows(number))
            for batch in _batches(self._current(suspects.rows(number), changed)):
                async for suspect, found in self._judged(batch):
                    seen = _digest(found)
                    if found and seen == suspect.seen:
                        for finding in found:
                            yield finding
                    elif found:
                        self._again(following, msgspec.structs.replace(suspect, seen=seen))
                for suspect in batch:
                    if not self._ready(suspect):
                        self._again(following, msgspec.structs.replace(suspect, seen=b""))
            suspects.drop(number)
            tail.drop(number)

    async def _learn(self, tail: Spill[Expected]) -> None:
        """The order matters: what is settled is in the index by the time it is looked at, and known from the log."""
        self._settled = await self._ground.log.settled()
        await self._ground.look_around()
        ends = await self._ground.log.ends()
        async for _ in read_log(self._ground, tail, self._ends, ends):
            pass
        self._ends = ends

    def _current(self, suspects: Iterable[Suspect], changed: Mapping[Key, Expected]) -> Iterator[Suspect]:
        for suspect in suspects:
            row = changed.get(suspect.key)
            expected = row or suspect.expected
            own = self._ground.own(expected)
            places = suspect.places if own is None or own in suspect.places else (*suspect.places, own)
            yield Suspect(expected, places, b"" if row else suspect.seen)

    def _ready(self, suspect: Suspect) -> bool:
        return suspect.expected.offset < self._settled.get(suspect.expected.partition, 0)

    async def _judged(self, batch: Sequence[Suspect]) -> AsyncIterator[tuple[Suspect, list[Finding]]]:
        ready = [suspect for suspect in batch if self._ready(suspect)]
        facts = await look(self._ground, ready)
        for suspect in ready:
            places = {number: self._ground.place(number) for number in suspect.places}
            found = judge(suspect.expected, facts[suspect.key], places)
            yield suspect, [finding for finding in found if not self._elsewhere(finding)]

    def _elsewhere(self, finding: Finding) -> bool:
        """A point whose payload names this document although it is another's: reported there."""
        return finding.kind in _SURPLUS and identity(finding.point_id) in self._excused

    def _again(self, following: Spill[Suspect], suspect: Suspect) -> None:
        following.add(slice_of(*suspect.key, self._ground.slices), suspect)
        self._left += 1

    def _spill(self, name: str, kind: type[R]) -> Spill[R]:
        return Spill(self._ground.folder / name, kind, self._ground.slices)


def _batches(suspects: Iterable[Suspect]) -> Iterator[list[Suspect]]:
    batch: list[Suspect] = []
    chunks = 0
    for suspect in suspects:
        if batch and (len(batch) == _DOCUMENTS or chunks + suspect.expected.total > _CHUNKS):
            yield batch
            batch, chunks = [], 0
        batch.append(suspect)
        chunks += suspect.expected.total
    if batch:
        yield batch


def _digest(found: Sequence[Finding]) -> bytes:
    whole = b"".join(sorted(line(finding) for finding in found))
    return hashlib.blake2b(whole, digest_size=16).digest()
