"""Properties of verification and repair, on the store in memory and on the embedded engine, through real handlers."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from roggia_embedder.adapters.edge import EdgeCatalogue, EdgeStore
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.ports import Head, Passage, VectorStore
from roggia_embedder.ports.held import Held
from roggia_embedder.verify.limits import Pace
from roggia_embedder.verify.log import Offsets

from tests.support.ingesting import change, delete
from tests.support.spoiling import Damage, EdgeSpoiler, MemorySpoiler, Spoiler, Vandal
from tests.support.stream import Stream, StreamLog
from tests.support.verifying import COLLECTION, documents, found, repaired

PATIENT = Pace(pause_s=0.0, patience_s=20.0)


@pytest.fixture(params=["memory", "edge"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Stream, Spoiler]]:
    """A stream over a store, and what damages that store."""
    if request.param == "memory":
        memory = MemoryStore()
        yield Stream(memory, MemoryCatalogue()), MemorySpoiler(memory)
        return
    edge = EdgeStore(tmp_path)
    yield Stream(edge, EdgeCatalogue(tmp_path)), EdgeSpoiler(edge)
    await edge.close()


def text(number: int, revision: int) -> bytes:
    """A document of two sections, so that it has two passages or more."""
    rng = random.Random(f"{number}.{revision}")
    sections = [" ".join(f"w{rng.randrange(5_000)}" for _ in range(60)) for _ in range(2)]
    return "\n\n".join(f"# Part {at}\n\n{words}." for at, words in enumerate(sections)).encode()


async def fill(stream: Stream, count: int, first: int = 0) -> None:
    """Documents at their second revision, some deleted, some that moved here from another domain."""
    for number in range(first, first + count):
        facts = {"title": f"Document {number}", "metadata": {"team": str(number % 3)}}
        await stream.publish(change(f"d{number}", 1, content=text(number, 1), **facts))
        await stream.publish(change(f"d{number}", 2, content=text(number, 2), **facts))
    for number in range(count // 10):
        await stream.publish(change(f"gone{number}", 1), delete(f"gone{number}", 2))
        await stream.publish(change(f"moved{number}", 1, domain="wiki"), change(f"moved{number}", 2))
    await stream.deliver()


def row(point: Head | Passage) -> tuple[object, ...]:
    """Everything that a point holds, comparable."""
    if isinstance(point, Head):
        return (point.id, str(point))
    return (point.attributes.chunk_id, str(point.attributes), point.text, point.model, point.dense.tobytes())


async def points(store: VectorStore) -> dict[str, tuple[str, tuple[object, ...]]]:
    """Every point of every collection by collection and id: its document, and everything it holds."""
    held = {}
    for spec in await store.collections():
        async for point in store.scan(spec.name):
            owner = point.document if isinstance(point, Head) else point.attributes.document
            held[f"{spec.name} {row(point)[0]}"] = (owner.doc_id, row(point))
    return held


async def spoil(stream: Stream, spoiler: Spoiler, rng: random.Random, times: int) -> list[Damage]:
    """Damage to that many documents, each of a kind by turns."""
    vandal = Vandal(spoiler, COLLECTION, rng)
    held = await documents(stream.store)
    victims = rng.sample(sorted(name for name in held if name.startswith("d")), times)
    kinds = list(vandal.kinds)
    return [vandal.spoil(kinds[at % len(kinds)], *held[victim]) for at, victim in enumerate(victims)]


@pytest.mark.parametrize("seed", range(3))
async def test_damage_is_found_exactly_and_mended(pair: tuple[Stream, Spoiler], seed: int) -> None:
    """Damage of every kind to half of the documents is found, nothing else is reported, and repair leaves a clean index
    in which the documents that were well have the very same bytes, and the mended ones what they had before."""
    stream, spoiler = pair
    await fill(stream, 40)
    before = await points(stream.store)
    damages = await spoil(stream, spoiler, random.Random(seed), 20)
    await check(stream, before, damages)


async def check(stream: Stream, before: dict[str, tuple[str, tuple[object, ...]]], damages: list[Damage]) -> None:
    """All found, nothing else, all mended, nothing else touched."""
    findings, _ = await found(stream)
    assert {one.point_id: one.kind for one in findings} == {p: k for damage in damages for p, k in damage.says.items()}
    assert len(findings) == sum(len(damage.says) for damage in damages)
    plan = await repaired(stream, findings)
    assert plan.beyond == []
    left, summary = await found(stream)
    assert (left, summary.pending) == ([], 0)
    after = await points(stream.store)
    hurt = {damage.document.doc_id for damage in damages}
    well = {key: held for key, held in before.items() if held[0] not in hurt}
    assert {key: held for key, held in after.items() if key in well} == well
    assert {key for key in after if key not in before} == {key for key, held in after.items() if "ghost" in held[0]}
    assert before.keys() <= after.keys()
    for key in before.keys() - well.keys():
        assert texts(after[key]) == texts(before[key])


def texts(held: tuple[str, tuple[object, ...]]) -> tuple[object, ...]:
    """Text, model and vector of a passage: what renewing must bring back as it was."""
    return held[1][2:]


class Busy(StreamLog):
    """A log on which documents change whenever somebody looks, and that is indexed late and in pieces."""

    def __init__(self, stream: Stream, rng: random.Random, most: int) -> None:
        super().__init__(stream)
        self._rng, self._left, self._revision = rng, most, 10
        self._live = stream

    async def settled(self) -> Offsets:
        """What is indexed by now; something happens right after."""
        said = await super().settled()
        await self.turn()
        return said

    async def ends(self) -> Offsets:
        """The ends by now; something happens right after."""
        said = await super().ends()
        await self.turn()
        return said

    async def turn(self) -> None:
        """A few changes, and sometimes embed and upsert come a bit further."""
        for _ in range(min(self._rng.randrange(3), self._left)):
            self._left -= 1
            await self._change()
        if self._rng.random() < 0.5:
            await self._live.deliver(self._rng.randrange(4))

    async def backlog(self, count: int) -> None:
        """Changes that nobody has indexed yet."""
        for _ in range(count):
            await self._change()

    async def _change(self) -> None:
        self._revision += 1
        doc_id, kind = f"d{self._rng.randrange(20)}", self._rng.random()
        if kind < 0.2:
            await self._live.publish(delete(doc_id, self._revision))
        elif kind < 0.4:
            await self._live.publish(change(doc_id, self._revision, domain="wiki"))
        else:
            await self._live.publish(change(doc_id, self._revision))


class Interrupted(MemoryStore):
    """A store in memory in whose reads others get a turn."""

    turn: Callable[[], Awaitable[None]] | None = None

    async def examine(self, collection: str) -> AsyncIterator[Held]:
        """Every twentieth point, something else happens first."""
        at = 0
        async for point in super().examine(collection):
            at += 1
            if self.turn is not None and at % 20 == 0:
                await self.turn()
            yield point

    async def examine_some(self, collection: str, doc_ids: Sequence[str], point_ids: Sequence[str]) -> list[Held]:
        """Something else happens first."""
        if self.turn is not None:
            await self.turn()
        return await super().examine_some(collection, doc_ids, point_ids)


@pytest.mark.parametrize("seed", range(4))
async def test_no_false_alarm_while_writes_go_on(seed: int) -> None:
    """Documents change, move and go during every pass, and are indexed late: a clean index has no findings, and a
    damaged document is found all the same."""
    store = Interrupted()
    stream = Stream(store, MemoryCatalogue())
    await fill(stream, 20)
    rng = random.Random(seed)
    log = Busy(stream, rng, most=80)
    await log.backlog(20)
    store.turn = log.turn
    findings, summary = await found(stream, pace=PATIENT, log=log)
    assert (findings, summary.pending) == ([], 0)
    assert summary.suspects > 5
    await stream.deliver()
    vandal = Vandal(MemorySpoiler(store), COLLECTION, rng)
    damage = vandal.spoil("missing passage", *(await documents(store))["moved0"])
    findings, _ = await found(stream, pace=PATIENT, log=Busy(stream, rng, most=0))
    assert {one.point_id: one.kind for one in findings} == damage.says


async def test_a_document_that_changes_between_log_and_look_is_no_finding() -> None:
    """A suspect gets a new revision, indexed at once, after the log was read and before the store is looked at: what
    that look sees is newer than what is known, and must not be reported."""
    store = Interrupted()
    stream = Stream(store, MemoryCatalogue())
    await stream.publish(*(change(f"d{number}", 1) for number in range(12)))
    await stream.deliver()
    await stream.publish(change("d0", 2))
    later = iter([(), (change("d0", 3),)])

    async def turn() -> None:
        """While points are read: what waits is indexed. At the first look: one more revision, and it is indexed."""
        await stream.publish(*next(later, ()))
        await stream.deliver()

    store.turn = turn
    findings, summary = await found(stream, pace=PATIENT)
    assert (findings, summary.pending, summary.suspects) == ([], 0, 1)
    assert next(later, None) is None


@pytest.mark.timeout(600)
async def test_a_thousand_damages(tmp_path: Path) -> None:
    """Promise: of 1,000 random damages to an index of the embedded engine, all are found, all are mended by the
    handlers alone, and every other point keeps its bytes."""
    edge = EdgeStore(tmp_path)
    stream = Stream(edge, EdgeCatalogue(tmp_path))
    for number in range(1_000):
        facts = {"title": f"Document {number}", "metadata": {"team": str(number % 3)}}
        await stream.publish(change(f"d{number}", 2, content=text(number, 2), **facts))
    await fill(stream, 60, first=1_000)
    before = await points(edge)
    damages = await spoil(stream, EdgeSpoiler(edge), random.Random(5), 1_000)
    await check(stream, before, damages)
    await edge.close()


def test_rows_of_vectors_compare_by_bytes() -> None:
    """The comparison itself would see a changed vector."""
    one, other = np.ones(2, np.float32), np.array([1, 1.0000001], np.float32)
    assert one.tobytes() != other.tobytes()
