"""One encoder at a time, those that serve first; pause and rate."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
from roggia_embedder.generations.hosted import Hosted
from roggia_embedder.generations.pace import Held, Pace
from roggia_embedder.generations.turns import TurnEncoder, Turns
from roggia_embedder.ports import Matrix, TextKind
from roggia_runtime.errors import LaterError
from roggia_runtime.records import Done, Record, Verdict
from roggia_schemas.events import GenerationModel, GenerationState

from tests.support.embedding import CountingModel

TEXTS = [f"text number {n}" for n in range(24)]


class SlowModel(CountingModel):
    """Takes its time, writes down who encodes, and never two at once."""

    running = threading.Lock()

    def __init__(self, name: str, journal: list[str], seconds: float = 0.01) -> None:
        super().__init__()
        self._name, self._journal, self._seconds = name, journal, seconds

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """Encode, alone."""
        assert self.running.acquire(blocking=False), "two encoders at once"
        try:
            self._journal.append(self._name)
            time.sleep(self._seconds)
            return super().encode(texts, kind)
        finally:
            self.running.release()


def encoder(turns: Turns, model: CountingModel, filling: bool) -> TurnEncoder:
    """Two texts of three words in a turn."""
    return TurnEncoder(turns, model, 6, lambda: filling, lambda _: None)


async def test_a_serving_batch_waits_for_one_filling_batch_at_most() -> None:
    """Of two fillings under way, at most the batch in hand comes before it; both then yield while it works."""
    journal: list[str] = []
    turns = Turns()
    fillings = [encoder(turns, SlowModel("fill", journal), filling=True) for _ in range(2)]
    serving = encoder(turns, SlowModel("serve", journal), filling=False)
    tasks = [asyncio.create_task(filling(TEXTS)) for filling in fillings]
    for _ in range(5):
        await asyncio.sleep(0.015)
        in_hand, before = SlowModel.running.locked(), len(journal)
        with turns.working():
            await serving(TEXTS[:3])
            assert journal[before:] == ["serve"] or (not in_hand and journal[before:] == ["fill", "serve"])
            await asyncio.sleep(0.03)
            assert journal[-1] == "serve"
    await asyncio.gather(*tasks)
    assert journal.count("fill") == 24


async def test_turns_change_no_vector() -> None:
    """Cut in batches, sorted by length and put together again, rows are those of one call, in their order."""
    texts = [*TEXTS, "short", "a much longer text than all of the others put together here"]
    model = CountingModel()
    told: list[int] = []
    made = TurnEncoder(Turns(), model, 6, lambda: True, told.append)
    assert np.array_equal(await made(texts), CountingModel().encode(texts))
    assert sorted(model.encoded) == sorted(texts)
    assert told == [len(texts)]


async def test_filling_gets_its_least_share_of_an_encoder_that_never_rests() -> None:
    """With a share of a fifth, a batch of t seconds is followed by at most 4 t of waiting."""
    journal: list[str] = []
    turns = Turns(min_share=0.2)
    with turns.working():
        began = time.monotonic()
        await encoder(turns, SlowModel("fill", journal), filling=True)(TEXTS)
        took = time.monotonic() - began
    assert journal == ["fill"] * 12
    assert took > 11 * 4 * 0.01


async def test_a_batch_given_up_keeps_the_encoder_until_its_thread_has_ended() -> None:
    """Who stops waiting does not make two encode at once."""
    journal: list[str] = []
    turns = Turns()
    first = asyncio.create_task(encoder(turns, SlowModel("first", journal, 0.1), filling=False)(TEXTS))
    await asyncio.sleep(0.02)
    first.cancel()
    await encoder(turns, SlowModel("second", journal), filling=False)(TEXTS)
    assert journal == ["first", "second"]


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Nothing:
    """Counts how often it is asked."""

    asked = 0

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Done."""
        self.asked += 1
        return [Done() for _ in batch]


def hosted(**facts: object) -> Hosted:
    """A generation that fills unless told otherwise."""
    values = {"number": 2, "model": GenerationModel(uri="stub:2"), "state": GenerationState.FILLING}
    return Hosted(**{**values, **facts})  # type: ignore[arg-type]


async def test_only_a_filling_generation_is_paused() -> None:
    """Its handler is not asked meanwhile; one that serves works whatever the row says."""
    handler, states = Nothing(), [hosted(paused=True)]
    held = Held(handler, lambda: states[-1], Pace(), Turns())
    with pytest.raises(LaterError, match="generation 2 is paused"):
        await held.handle([])
    assert handler.asked == 0
    states.append(hosted(paused=False))
    await held.handle([])
    states.append(hosted(paused=True, state=GenerationState.LIVE))
    await held.handle([])
    assert handler.asked == 2


def test_a_rate_bounds_what_is_embedded_per_second() -> None:
    """Over ten seconds at 20 chunks per second, batches of 50 amount to 200 and the batch in hand."""
    clock, chunks = Clock(), 0
    pace, filling = Pace(clock), hosted(rate=20.0)
    while clock.now < 110:
        try:
            pace.check(filling)
        except LaterError as later:
            clock.now += later.after_s
        else:
            chunks += 50
            pace.spent(50)
    assert 200 <= chunks <= 250
    pace.check(hosted(rate=0.0))
