"""One run from end to end: gather, compare, look again. Memory is bounded by one slice; the rest is on disk."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import TypeVar

from roggia_runtime.findings import Finding, Progress, Summary

from roggia_embedder.ports import VectorStore
from roggia_embedder.verify.comparing import Mate, Suspect, asked_for, compare, exchanged
from roggia_embedder.verify.gathering import read_index, read_log
from roggia_embedder.verify.ground import Ground
from roggia_embedder.verify.limits import Pace
from roggia_embedder.verify.log import SettledLog
from roggia_embedder.verify.rechecking import Recheck
from roggia_embedder.verify.rows import Expected, Fact
from roggia_embedder.verify.scope import Scope
from roggia_embedder.verify.spill import Spill, slice_of

R = TypeVar("R")


async def verify(
    store: VectorStore, log: SettledLog, scope: Scope, pace: Pace
) -> AsyncGenerator[Progress | Finding | Summary]:
    """Findings as they are confirmed, with progress in between, and a summary at the end.

    Needs disk in the temporary directory, about 200 bytes for every chunk of the log and every point. Raises
    `UnavailableError` when store or log does not answer, `OSError` when the disk is full.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="roggia-verify-") as folder:
        ground = Ground(store, log, scope, pace, Path(folder))
        await ground.look_around()
        await ground.measure()
        async for message in _passes(ground):
            if isinstance(message, Finding):
                ground.counts.findings[message.kind] = ground.counts.findings.get(message.kind, 0) + 1
            yield message
    yield _summary(ground, time.monotonic() - began)


async def _passes(ground: Ground) -> AsyncIterator[Progress | Finding]:
    log, index = _spill(ground, "log", Expected), _spill(ground, "index", Fact)
    ends = await ground.log.ends()
    async for progress in read_log(ground, log, {}, ends):
        yield progress
    if not ground.scope.doc_ids:  # few documents are looked at directly
        async for progress in read_index(ground, index):
            yield progress
    suspects, mates = _spill(ground, "suspects", Suspect), _spill(ground, "mates", Mate)
    async for progress in _compare(ground, log, index, suspects, mates):
        yield progress
    excused = exchanged(mates, ground.slices)
    async for message in Recheck(ground, excused, ends).run(suspects):
        yield message


async def _compare(
    ground: Ground, log: Spill[Expected], index: Spill[Fact], suspects: Spill[Suspect], mates: Spill[Mate]
) -> AsyncIterator[Progress]:
    for number in range(ground.slices):
        for suspect in _differing(ground, log.rows(number), index.rows(number), mates, number):
            suspects.add(number, suspect)
            ground.counts.suspects += 1
        log.drop(number)
        index.drop(number)
        yield Progress(phase="compare", done=number + 1, total=ground.slices)
        await asyncio.sleep(0)


def _differing(
    ground: Ground, log: Iterator[Expected], index: Iterator[Fact], mates: Spill[Mate], number: int
) -> Iterator[Suspect]:
    if not ground.scope.doc_ids:
        return compare(ground, log, index, mates)
    here = [one for one in ground.scope.doc_ids if slice_of(ground.scope.tenant, one, ground.slices) == number]
    return asked_for(ground, log, here)


def _spill(ground: Ground, name: str, kind: type[R]) -> Spill[R]:
    return Spill(ground.folder / name, kind, ground.slices)


def _summary(ground: Ground, seconds: float) -> Summary:
    counts = ground.counts
    return Summary(
        documents=counts.documents,
        chunks=counts.chunks,
        points=counts.points,
        findings=dict(sorted(counts.findings.items())),
        suspects=counts.suspects,
        pending=counts.pending,
        unreadable=ground.log.unreadable,
        seconds=round(seconds, 3),
        collections=tuple(place.name for _, place in ground.existing()),
        chunked=ground.log.topic,
    )
