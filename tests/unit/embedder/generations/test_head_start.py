"""A head start over a log in memory: in which order, what it leaves alone, what the log pass then finds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from roggia_embedder.adapters.sqlite_cache import SqliteVectorCache
from roggia_embedder.generations.chunk_log import OwnPartitions
from roggia_embedder.generations.key_index import BYTES_PER_KEY, KeyIndex, Place
from roggia_embedder.generations.order import OrderRules
from roggia_embedder.generations.share import EncoderShare
from roggia_runtime.errors import UnavailableError
from roggia_runtime.records import Partition, Record, Verdict
from roggia_schemas import topics

from tests.support.clients import eventually
from tests.support.head_start import Fill, MemoryLog, popularity, scores


def log_of(*doc_ids: str, partitions: int = 1) -> MemoryLog:
    """One record of one passage per document."""
    log = MemoryLog(partitions)
    for doc_id in doc_ids:
        log.write(doc_id, [f"text of {doc_id}"])
    return log


async def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait for a state."""
    await eventually(what, lambda: asyncio.sleep(0, holds()))


async def test_the_most_requested_come_first_and_the_log_pass_meets_them_in_the_cache() -> None:
    """Popular documents are embedded in the order of their scores; the log pass encodes the others alone, and writes
    all of them."""
    fill = Fill(log_of("a", "b", "c", "d", "e"), scores(e=9.0, b=1.0, d=4.0), rules=OrderRules(bonus=0.0))
    async with fill.running():
        await until("three are embedded", lambda: len(fill.model.encoded) == 3)
    assert fill.model.encoded == ["text of e", "text of d", "text of b"]
    await fill.log_pass(0, 5)
    assert fill.model.encoded[3:] == ["text of a", "text of c"]


async def test_what_the_log_pass_will_meet_last_gains_most() -> None:
    """Of documents that are asked for alike, the one at the end of the log comes first."""
    fill = Fill(log_of("a", "b", "c", "d"), scores(a=1.0, b=1.0, c=1.0, d=1.0))
    async with fill.running():
        await until("all are embedded", lambda: len(fill.model.encoded) == 4)
    assert fill.log.read_at == ["acme/d", "acme/c", "acme/b", "acme/a"]


async def test_what_is_behind_the_log_pass_is_left() -> None:
    """What the log pass has read costs nothing, not even a read."""
    fill = Fill(log_of("a", "b", "c"), scores(a=9.0, b=5.0, c=1.0))
    await fill.log_pass(0, 2)
    async with fill.running():
        await until("the rest is embedded", lambda: len(fill.model.encoded) == 3)
    assert fill.log.read_at == ["acme/c"]


async def test_it_rests_when_the_log_pass_is_through() -> None:
    """Past the end that the log had at first, it does nothing more, and runs until it is stopped."""
    fill = Fill(log_of("a", "b"), scores(a=1.0))
    await fill.log_pass(0, 2)
    async with fill.running() as head:
        await until("it is through", lambda: head.through)
        fill.log.write("a", ["changed"], 2)
        await asyncio.sleep(0.1)
    assert fill.log.read_at == []
    assert not head.notes()


async def test_only_the_newest_revision_is_embedded() -> None:
    """Older records of a key are not read, and a document that changes afterwards is done again."""
    log = MemoryLog()
    log.write("a", ["old"])
    log.write("a", ["new"], 2)
    fill = Fill(log, scores(a=1.0))
    async with fill.running():
        await until("the newest is embedded", lambda: fill.model.encoded == ["new"])
        log.write("a", ["newer"], 3)
        await until("the change as well", lambda: fill.model.encoded == ["new", "newer"])


@pytest.mark.parametrize("gone", ["null", "compacted", "selection", "deleted"])
async def test_what_is_not_this_generations_is_left(gone: str) -> None:
    """Kafka nulls, what compaction removed meanwhile, other knowledge bases, deletions: nothing is encoded for them,
    and the next document comes."""
    log = log_of("a", "b", partitions=1)
    popular = scores(a=9.0, b=1.0)
    fill = Fill(log, popular, selection=["acme/docs"])
    if gone == "null":
        log.append(b"acme/a", None)
    elif gone == "compacted":
        log.write("a", ["later"], 2)
        read = log.read

        async def late(places: Sequence[Place]) -> list[Record]:
            return [record for record in await read(places) if record.key != b"acme/a"]

        log.read = late  # type: ignore[method-assign]
    elif gone == "selection":
        popular["acme/a"] = popularity("a", 9.0, "elsewhere")
    else:
        log.write("a", [], 2)
    async with fill.running():
        await until("what is ours is embedded", lambda: bool(fill.model.encoded))
        await asyncio.sleep(0.05)
    assert fill.model.encoded == ["text of b"]


async def test_a_partition_without_our_log_pass_is_left() -> None:
    """Another machine has that partition, and a cache of its own."""
    log = log_of(*"abcdefgh", partitions=2)
    fill = Fill(log, scores(**dict.fromkeys("abcdefgh", 1.0)))
    del fill.positions[1]
    own = {record.key for record in log.held[0]}
    async with fill.running():
        await until("ours are embedded", lambda: len(fill.model.encoded) == len(own))
        await asyncio.sleep(0.05)
    assert {name.encode() for name in fill.log.read_at} == own
    assert len(own) < 8


async def test_a_restart_embeds_nothing_twice(tmp_path: Path) -> None:
    """It keeps no state of its own: what was embedded before a crash is found in the cache."""
    cache = SqliteVectorCache(tmp_path / "vectors.sqlite3")
    await cache.start()
    log, popular = log_of("a", "b", "c"), scores(a=3.0, b=2.0, c=1.0)
    first = Fill(log, popular, cache=cache)
    async with first.running():
        await until("something is embedded", lambda: len(first.model.encoded) >= 1)
    second = Fill(log, popular, cache=cache)
    log.read_at.clear()
    async with second.running():
        await until("everything was looked at", lambda: len(log.read_at) >= 3)
        await asyncio.sleep(0.05)
    assert sorted(first.model.encoded + second.model.encoded) == ["text of a", "text of b", "text of c"]
    await cache.close()


async def test_it_bears_that_kafka_and_the_model_are_away() -> None:
    """Both are tried again; meanwhile a note says why, and nothing is unready for it."""
    fill = Fill(log_of("a"), scores(a=1.0))
    fill.log.fails = 2
    handle, failures = fill.lane.handle, [1, 1]

    async def failing(batch: Sequence[Record]) -> Sequence[Verdict]:
        if failures:
            failures.pop()
            raise UnavailableError("the model is away")
        return await handle(batch)

    fill.lane.handle = failing  # type: ignore[method-assign]
    async with fill.running() as head:
        await until("a note says why", lambda: bool(head.notes()))
        assert not head.health()
        await until("it is embedded", lambda: fill.model.encoded == ["text of a"])
    assert fill.log.opened == 3


async def test_texts_that_cannot_be_embedded_are_left_to_the_log_pass() -> None:
    """What the handler refuses is refused again, with a dead letter, by the log pass: the lane goes on."""
    log = MemoryLog()
    log.append(b"acme/a", b"rubbish")
    log.write("b", ["word " * 600])
    log.write("c", ["fine"])
    fill = Fill(log, scores(a=9.0, b=5.0, c=1.0))
    async with fill.running():
        await until("the next is embedded", lambda: "fine" in fill.model.encoded)


async def test_only_own_partitions_have_progress() -> None:
    """Before an assignment nothing is ours; then what the loop was given, without lanes, until it is given others."""
    topic = topics.doc_chunked(1)
    own = OwnPartitions(Fill(MemoryLog(3), {}).progress, topic)
    assert await own() == {}
    own.assigned({Partition(topic, 0): 5, Partition(topic, 2): 0, Partition(topics.replay(topic), 1): 0})
    assert await own() == {0: 0, 2: 0}
    own.assigned({Partition(topic, 1): 0})
    assert await own() == {1: 0}


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Now."""
        return self.now


def test_the_lane_keeps_to_its_share() -> None:
    """Over any time in which the log pass works, at most the stated share of texts and one batch is the lane's; while
    it rests, the lane has the encoder; and a long rest is not made up for."""
    clock = Clock()
    share = EncoderShare(0.25, idle_s=5.0, now=clock)
    lane = 0
    for _ in range(100):
        share.log(30)
        while share.may() and lane < 10_000:
            share.lane(8)
            lane += 8
    assert lane == pytest.approx(100 * 30 / 3, rel=0.05)
    clock.now = 6.0
    for _ in range(10_000):
        assert share.may()
        share.lane(8)
    share.log(30)
    assert not share.may()
    share.log(200_000)
    assert share.may()


async def test_waiting_for_the_encoder_ends_with_the_stop() -> None:
    """A lane that may not begin does not keep its process from stopping."""
    share, stopping = EncoderShare(0.5, idle_s=1e9), asyncio.Event()
    share.lane(100)
    waiting = asyncio.create_task(share.admitted(stopping))
    await asyncio.sleep(0)
    stopping.set()
    assert not await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 2.0])
def test_a_share_is_a_share(share: float) -> None:
    """All or nothing is no share: the error names the value."""
    with pytest.raises(ValueError, match=str(share)):
        EncoderShare(share)


def test_the_index_knows_the_newest_place_in_stated_bytes() -> None:
    """Of 150,000 records of 50,000 keys the newest places are kept, 22 bytes each; a key never added is unknown."""
    index = KeyIndex(1_000_000)
    for offset in range(150_000):
        index.add(b"k%d" % (offset % 50_000), Place(offset % 6, offset, 100 + offset % 7))
    assert len(index) == 50_000
    assert index.nbytes == 50_000 * BYTES_PER_KEY == 50_000 * 22
    found = index.find([b"k%d" % n for n in range(50_000)])
    assert found == [Place((100_000 + n) % 6, 100_000 + n, 100 + (100_000 + n) % 7) for n in range(50_000)]
    assert index.find([b"never"]) == [None]


def test_the_index_is_bounded() -> None:
    """Beyond the bound keys are left out and counted; those that are kept stay right."""
    index = KeyIndex(1_000)
    for offset in range(100_000):
        index.add(b"k%d" % offset, Place(0, offset, 1))
    kept = [place for place in index.find([b"k%d" % n for n in range(100_000)]) if place is not None]
    assert len(index) == len(kept) == 1_000
    assert index.left_out == 99_000
    assert KeyIndex(5).find([b"k"]) == [None]
