"""Encoding on behalf of concurrent requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from roggia_embedder.embedding.metering import Owner
from roggia_embedder.query.encoding import BatchingEncoder
from roggia_embedder.query.errors import OverloadedError

ACME, BETA = Owner("acme"), Owner("beta")


class GatedModel:
    """Encodes a text as its length, and waits at a gate, so that a test decides how long one batch takes."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.batches: list[int] = []
        self.threads: set[str] = set()
        self.owners: list[Owner] = []

    def encode(self, texts: Sequence[str], owners: Sequence[Owner]) -> np.ndarray:
        self.gate.wait(5)
        self.batches.append(len(texts))
        self.owners += owners
        self.threads.add(threading.current_thread().name)
        if "poison" in texts:
            raise ValueError("poison")
        return np.array([[len(text)] for text in texts], dtype=np.float32)


async def test_every_request_gets_its_own_rows() -> None:
    """Requests that share a batch each get the rows of their own texts, in order."""
    model = GatedModel()
    encoder = BatchingEncoder(model.encode)
    waiting = [asyncio.create_task(encoder.encode(["x" * n, "x" * (n + 100)], ACME)) for n in range(1, 12)]
    await asyncio.sleep(0)
    model.gate.set()
    rows = await asyncio.gather(*waiting)
    assert [r.ravel().tolist() for r in rows] == [[n, n + 100] for n in range(1, 12)]
    await encoder.close()


async def test_waiting_requests_share_the_next_batch() -> None:
    """While one batch is encoded the others gather: ten requests need two calls of the model, on one thread."""
    model = GatedModel()
    encoder = BatchingEncoder(model.encode, max_texts=16)
    first = asyncio.create_task(encoder.encode(["a"], ACME))
    await asyncio.sleep(0.02)
    rest = [asyncio.create_task(encoder.encode(["b"], ACME)) for _ in range(9)]
    await asyncio.sleep(0)
    model.gate.set()
    await asyncio.gather(first, *rest)
    assert model.batches == [1, 9]
    assert len(model.threads) == 1
    await encoder.close()


async def test_batch_is_bounded() -> None:
    """No call of the model holds more texts than allowed, unless one request alone has more."""
    model = GatedModel()
    encoder = BatchingEncoder(model.encode, max_texts=4)
    tasks = [asyncio.create_task(encoder.encode(["a"] * n, ACME)) for n in (1, 2, 2, 1, 7)]
    await asyncio.sleep(0)
    model.gate.set()
    await asyncio.gather(*tasks)
    assert model.batches == [3, 3, 7]
    await encoder.close()


async def test_failure_reaches_its_batch_and_the_encoder_goes_on() -> None:
    """What the model raises reaches the request; the next request is served."""
    model = GatedModel()
    model.gate.set()
    encoder = BatchingEncoder(model.encode)
    with pytest.raises(ValueError, match="poison"):
        await encoder.encode(["poison"], ACME)
    assert (await encoder.encode(["fine"], ACME)).tolist() == [[4.0]]
    await encoder.close()


async def test_full_queue_refuses_at_once() -> None:
    """Beyond the bound a request is refused immediately, with a reason, instead of waiting."""
    model = GatedModel()
    encoder = BatchingEncoder(model.encode, max_texts=1, max_waiting=2)
    first = asyncio.create_task(encoder.encode(["a"], ACME))
    await asyncio.sleep(0.02)
    tasks = [first, *(asyncio.create_task(encoder.encode(["a"], ACME)) for _ in range(2))]
    await asyncio.sleep(0.02)
    with pytest.raises(OverloadedError, match="2 queries already wait"):
        await encoder.encode(["b"], ACME)
    model.gate.set()
    await asyncio.gather(*tasks)
    await encoder.close()


async def test_a_client_that_left_does_not_disturb_its_batch() -> None:
    """A cancelled request is skipped; the others of its batch get their rows."""
    model = GatedModel()
    encoder = BatchingEncoder(model.encode)
    gone = asyncio.create_task(encoder.encode(["gone"], ACME))
    stays = asyncio.create_task(encoder.encode(["stays"], ACME))
    await asyncio.sleep(0.02)
    gone.cancel()
    model.gate.set()
    assert (await stays).tolist() == [[5.0]]
    await encoder.close()


@pytest.mark.parametrize("room", [1, 9])
async def test_who_left_before_the_call_costs_nothing(room: int) -> None:
    """A cancelled request that still waits is not computed, and takes nobody's place in the queue."""
    model = GatedModel()
    encoder = BatchingEncoder(model.encode, max_waiting=room)
    first = asyncio.create_task(encoder.encode(["a"], ACME))
    await asyncio.sleep(0.02)
    gone = asyncio.create_task(encoder.encode(["gone"], ACME))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    stays = asyncio.create_task(encoder.encode(["stays"], ACME))
    await asyncio.sleep(0)
    model.gate.set()
    assert (await stays).tolist() == [[5.0]]
    await first
    assert model.batches == [1, 1]
    await encoder.close()


async def test_every_text_has_its_requests_owner() -> None:
    """Requests of several tenants share a call of the model, which is told whose each text is."""
    model = GatedModel()
    model.gate.set()
    encoder = BatchingEncoder(model.encode)
    await asyncio.gather(encoder.encode(["a", "b"], ACME), encoder.encode(["c"], BETA))
    assert model.batches == [3]
    assert model.owners == [ACME, ACME, BETA]
    await encoder.close()
