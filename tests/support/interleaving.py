"""Two index writers on one store, one store call at a time, with crashes: in the order that a seed decides."""

from __future__ import annotations

import random
from collections.abc import Sequence

from roggia_embedder.indexing.writer import Delivery, IndexWriter
from roggia_embedder.ports import VectorStore

from tests.support.index import COLLECTION
from tests.support.stepped import SteppedStore, Stepper

WRITERS = 2


def run_interleaved(chance: random.Random, store: VectorStore, jobs: Sequence[list[Delivery]]) -> None:
    """Every job succeeds once, on one of two writers, in the order and after the crashes that chance decides.

    The schedule comes from a seeded generator, not from single draws: uniform interleavings find more than shrunk ones.
    """
    stepped, waiting = SteppedStore(store), list(jobs)
    running: list[tuple[Stepper, list[Delivery]]] = []
    crashes, steadiness = chance.randint(0, 4), chance.choice([1, 2, 8, 30])
    while waiting or running:
        while waiting and len(running) < WRITERS:
            job = waiting.pop(0)
            running.append((Stepper(IndexWriter(stepped, lambda: 7).write(COLLECTION, job)), job))
        stepper, job = chance.choice(running)
        for _ in range(chance.randint(1, steadiness)):
            if not stepper.done:
                stepper.step()
        if not stepper.done and crashes and chance.random() < 0.1:
            crashes -= 1
            stepper.crash()
            waiting.insert(chance.randint(0, len(waiting)), job)
        if stepper.done:
            running.remove((stepper, job))
