"""A head start beside its log pass: no text twice, one rate for both, and nothing that befalls it reaches others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import cast

import pytest
from roggia_embedder.embedding.in_hand import InHand
from roggia_embedder.embedding.vectors import VectorSupply, Wanted
from roggia_embedder.generations import while_filling
from roggia_embedder.generations.embedding import EmbedWorker
from roggia_embedder.generations.encoding import Ahead, Encoding
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.generations.lane import Lane
from roggia_embedder.generations.pace import HeldLane, Pace
from roggia_embedder.generations.share import EncoderShare
from roggia_embedder.generations.turns import Turns
from roggia_embedder.generations.while_filling import WhileFilling
from roggia_embedder.ports import Matrix, TextKind
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.session import OnAssigned
from roggia_runtime.errors import LaterError, UnavailableError
from roggia_runtime.loop import ConsumerLoop
from roggia_runtime.records import Done, Handler, Record
from roggia_runtime.service import Worker
from roggia_schemas.events import GenerationModel, GenerationState, IndexGeneration
from roggia_schemas.names import Version
from structlog.testing import capture_logs

from tests.support.clients import eventually
from tests.support.embedding import CountingModel, MemoryCache, chunk_set, embed_parts, record
from tests.support.generations import row

FILLING, SHADOW = GenerationState.FILLING, GenerationState.SHADOW


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a second to look again."""
    monkeypatch.setattr(while_filling, "LOOK_S", 0.01)


async def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait for a state."""
    await eventually(what, lambda: asyncio.sleep(0, holds()))


class Slow(CountingModel):
    """Takes long enough for two to overlap."""

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """Encode after a while."""
        time.sleep(0.02)
        return super().encode(texts, kind)


def wanted(doc_id: str, *texts: str) -> Wanted:
    """A revision with these texts, whose hashes are made up."""
    return Wanted("acme", doc_id, Version(1, 0), {text.encode().hex().ljust(64, "0"): text for text in texts})


async def test_a_text_in_one_s_hand_is_waited_for_and_found() -> None:
    """Two supplies over one cache ask for texts that overlap, at once: each text is encoded once, both get all."""
    model, cache, in_hand = Slow(), MemoryCache(), InHand()
    supplies = [VectorSupply(model, cache, in_hand=in_hand) for _ in range(2)]
    asked = [[wanted("a", "one", "two")], [wanted("b", "two", "three"), wanted("c", "one")]]
    answers = await asyncio.gather(*(supply.supply(what) for supply, what in zip(supplies, asked, strict=True)))
    assert sorted(model.encoded) == ["one", "three", "two"]
    assert [len(one.vectors) for answer in answers for one in answer] == [2, 2, 1]  # type: ignore[union-attr]


async def held(in_hand: InHand) -> None:
    """Hold two keys for a moment."""
    async with in_hand.holding([("acme", "a"), ("acme", "b")]):
        pass


async def test_who_gives_up_lets_go() -> None:
    """A wait that is cancelled holds nothing, nor does work that fails: others go on."""
    in_hand = InHand()
    async with in_hand.holding([("acme", "a")]):
        waiting = asyncio.create_task(held(in_hand))
        await asyncio.sleep(0)
        waiting.cancel()
        async with asyncio.timeout(1), in_hand.holding([("acme", "b")]):
            pass
    with pytest.raises(ValueError, match="failed"):
        async with in_hand.holding([("acme", "a")]):
            raise ValueError("failed")
    async with asyncio.timeout(1), in_hand.holding([("acme", "a")]):
        pass


def test_a_log_pass_that_waits_does_not_rest() -> None:
    """What is idle is the lane's; a log pass that is held back, or waits for its turn, has its share all the same."""
    clock = [0.0]
    share = EncoderShare(0.5, idle_s=2.0, now=lambda: clock[0])
    share.lane(10)
    clock[0] = 5.0
    assert share.may()
    share.waits()
    clock[0] = 6.0
    assert not share.may()
    with share.working():
        clock[0] = 60.0
        assert not share.may()
    assert not share.may()
    clock[0] = 62.0
    assert share.may()


def hosted(state: GenerationState = FILLING, **facts: object) -> Hosted:
    """Generation 2."""
    return Hosted(2, GenerationModel(uri="stub:2"), state=state, **facts)  # type: ignore[arg-type]


class Asked:
    """A handler that counts its calls."""

    calls = 0

    async def handle(self, batch: Sequence[object]) -> list[Done]:
        """Done."""
        self.calls += 1
        return [Done() for _ in batch]


@pytest.mark.parametrize("state", [GenerationState.SHADOW, GenerationState.LIVE, GenerationState.FAILED])
async def test_a_lane_works_only_while_its_generation_fills(state: GenerationState) -> None:
    """Paused or past filling, its handler is not asked."""
    handler, now = Asked(), [hosted()]
    held = HeldLane(cast("Handler", handler), lambda: now[0], Pace())
    await held.handle([])
    for other in (hosted(paused=True), hosted(state)):
        now[0] = other
        with pytest.raises(LaterError):
            await held.handle([])
    assert handler.calls == 1


async def test_lane_and_log_pass_keep_one_rate() -> None:
    """At 50 chunks per second, what the lane has embedded the log pass waits for, and the reverse."""
    encoding = Encoding(CountingModel(), hosted(), lambda: hosted(rate=50.0), embed_parts(CountingModel(), Turns()))
    log, lane = encoding.log_pass(), encoding.lane()
    await lane.handle([record(chunk_set("a", [f"a {n}" for n in range(20)]))])
    with pytest.raises(LaterError) as later:
        await log.handle([record(chunk_set("b", ["b"]))])
    assert 0.1 < later.value.after_s <= 0.4
    await asyncio.sleep(later.value.after_s)
    await log.handle([record(chunk_set("b", [f"b {n}" for n in range(20)]))])
    with pytest.raises(LaterError):
        await lane.handle([record(chunk_set("c", ["c"]))])


async def test_the_lane_waits_while_others_serve() -> None:
    """While a serving generation has work, the lane encodes nothing; it goes on when that rests."""
    model, turns = CountingModel(), Turns()
    lane = Encoding(model, hosted(), hosted, embed_parts(model, turns)).lane()
    with turns.working():
        work = asyncio.create_task(lane.handle([record(chunk_set("a", ["text"]))]))
        await asyncio.sleep(0.05)
        assert model.encoded == []
    await work
    assert model.encoded == ["text"]


class Played:
    """A worker that does as told: runs until stopped, fails, or cannot be stopped."""

    def __init__(self, fails: Exception | None = None, deaf: bool = False) -> None:
        self._fails, self._deaf = fails, deaf
        self._stopping = asyncio.Event()
        self.running = False

    async def run(self) -> None:
        """Run."""
        if self._fails is not None:
            raise self._fails
        self.running = True
        try:
            await (asyncio.sleep(3600) if self._deaf else self._stopping.wait())
        finally:
            self.running = False

    def stop(self) -> None:
        """Unless it is deaf."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Well."""
        return []

    def notes(self) -> list[str]:
        """Fine."""
        return ["at work"] if self.running else []


def quick() -> Backoff:
    """No long waits."""
    return Backoff(0.01, 0.02)


async def test_a_lane_ends_when_the_filling_does_and_begins_again_with_it() -> None:
    """Its worker lives exactly as long as the state; nothing of it is left afterwards."""
    filling, made = [False], list[Played]()

    def make() -> Worker:
        made.append(Played())
        return made[-1]

    lane = WhileFilling(lambda: filling[0], make, "the lane", 1.0, quick)
    work = asyncio.create_task(lane.run())
    await asyncio.sleep(0.03)
    assert made == []
    for count in (1, 2):
        filling[0] = True
        await until("it works", lambda n=count: len(made) == n and made[-1].running)  # type: ignore[misc]
        assert lane.notes() == ["at work"]
        filling[0] = False
        await until("it has ended", lambda: not made[-1].running)
    lane.stop()
    await work
    assert lane.notes() == []


async def test_a_lane_that_cannot_be_stopped_is_given_up() -> None:
    """After its patience, whatever it does: who stops a generation does not wait for ever."""
    deaf = Played(deaf=True)
    lane = WhileFilling(lambda: True, lambda: deaf, "the lane", 0.05, quick)
    work = asyncio.create_task(lane.run())
    await until("it works", lambda: deaf.running)
    lane.stop()
    async with asyncio.timeout(2):
        await work
    assert not deaf.running


class OneBatch(Played):
    """Has the lane judge one batch."""

    def __init__(self, lane: Handler, batch: Sequence[Record]) -> None:
        super().__init__()
        self._lane, self._batch = lane, batch

    async def run(self) -> None:
        """Judge."""
        self.running = True
        await self._lane.handle(self._batch)


async def test_a_generation_that_is_filled_does_not_wait_for_its_lane() -> None:
    """A lane holds a text and waits for its turn while others serve. Its generation fills no more, and goes first with
    the same text: the lane lets go."""
    model, turns, now = CountingModel(), Turns(), [hosted()]
    encoding = Encoding(model, hosted(), lambda: now[0], embed_parts(model, turns))
    batch = [record(chunk_set("a", ["text"]))]
    held_up = OneBatch(encoding.lane(), batch)
    lane = WhileFilling(lambda: now[0].filling, lambda: held_up, "the lane", 60.0, quick)
    with turns.working():
        work = asyncio.create_task(lane.run())
        await until("the lane waits", lambda: held_up.running)
        await asyncio.sleep(0.05)
        assert model.encoded == []
        now[0] = hosted(SHADOW)
        async with asyncio.timeout(5):
            await encoding.log_pass().handle(batch)
    assert model.encoded == ["text"]
    lane.stop()
    await work


class PlayedLoop:
    """Judges one record every now and then, as a consumer loop would."""

    def __init__(self, handler: Handler) -> None:
        self._handler, self._stopping, self.judged = handler, asyncio.Event(), 0

    async def run(self) -> None:
        """Judge until stopped."""
        while not self._stopping.is_set():
            await self._handler.handle([record(chunk_set(f"d{self.judged}", [f"text {self.judged}"]))])
            self.judged += 1
            await asyncio.sleep(0.001)

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def health(self) -> list[str]:
        """Well."""
        return []

    def notes(self) -> list[str]:
        """Nothing."""
        return []


@pytest.mark.parametrize("failure", [RuntimeError("a bug"), UnavailableError("Kafka is down"), MemoryError("no room")])
async def test_a_lane_that_fails_never_reaches_its_log_pass(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it fails, while it is made or while it runs, the log pass goes on and is ready; a note says why."""
    monkeypatch.setattr(while_filling, "FIRST_S", 0.001)
    tries: list[int] = []

    def make() -> Worker:
        tries.append(1)
        if len(tries) == 1:
            raise failure
        return Played(failure)

    loops: list[PlayedLoop] = []

    def loop(_hosted: Hosted, handler: Handler, assigned: OnAssigned | None) -> ConsumerLoop:
        assert assigned is not None
        loops.append(PlayedLoop(handler))
        return cast("ConsumerLoop", loops[-1])

    ahead = Ahead(lambda *_: Lane(make, lambda _: None), 0.5, 1.0)
    rows: list[IndexGeneration] = [row(2, FILLING)]
    view = View(lambda: rows, Hosted(1, GenerationModel(uri="stub:1")))
    worker = EmbedWorker(hosted(), view, embed_parts(CountingModel(), Turns(), loop=loop, ahead=ahead))
    with capture_logs() as logs:
        work = asyncio.create_task(worker.run())
        await until("it was tried", lambda: len(tries) >= 2)
        before = loops[0].judged
        await until("the log pass goes on", lambda: loops[0].judged > before + 20)
        assert worker.health() == []
        assert worker.notes() == [f"embed: head start of generation 2: stopped: {failure}"]
        rows[:] = [row(2, SHADOW)]
        await until("there is nothing to say", lambda: worker.notes() == [])
        worker.stop()
        await work
    assert len([one for one in logs if one["event"] == "worker_failed"]) == len(tries)
