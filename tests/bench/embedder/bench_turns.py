"""A generation that fills beside one that serves, with the bundled model: what the serving one waits, what turns cost.

    OMP_NUM_THREADS=1 python -m tests.bench.embedder.bench_turns [--texts 60]

Prints one JSON line per measurement. The wait is counted in encoding batches of the filling generation that came before
a serving one's, not in seconds: a busy machine must not decide.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

from roggia_embedder.adapters.models.sentence_transformer import BUNDLED, SentenceTransformerModel, bundled_path
from roggia_embedder.generations.turns import TurnEncoder, Turns

from tests.bench.embedder.bench_embed import WINDOW, documents, encode_seconds
from tests.support.measures import report

BUDGET = 4096


class Journal:
    """Filling batches as they begin."""

    def __init__(self, model: SentenceTransformerModel) -> None:
        self._model, self.begun, self.longest_s = model, 0, 0.0
        self.dimension, self.count_tokens = model.dimension, model.count_tokens

    def encode(self, texts: Sequence[str]) -> object:
        """Encode, and write down."""
        self.begun += 1
        began = time.monotonic()
        rows = self._model.encode(texts)
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        return rows


async def waits(model: SentenceTransformerModel, texts: Sequence[str], times: int = 8) -> tuple[int, float, float]:
    """Most filling batches that began after a serving batch had come and before it was encoded; the longest wait and
    the longest filling batch, in seconds."""
    turns, journal, begun = Turns(), Journal(model), [0]

    def serve(_texts: Sequence[str]) -> object:
        begun.append(journal.begun)
        started.append(time.monotonic())
        return model.encode(_texts)

    started: list[float] = []
    filling = TurnEncoder(turns, journal, BUDGET, lambda: True, lambda _: None)  # type: ignore[arg-type]
    task = asyncio.create_task(_forever(filling, texts))
    most, longest = 0, 0.0
    for _ in range(times):
        await asyncio.sleep(0.7)
        came, before = time.monotonic(), journal.begun
        with turns.working():
            await turns.serve(lambda: serve(texts[:4]))
        most, longest = max(most, begun[-1] - before), max(longest, started[-1] - came)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return most, longest, journal.longest_s


async def _forever(filling: TurnEncoder, texts: Sequence[str]) -> None:
    while True:
        await filling(texts)


def turn_seconds(model: SentenceTransformerModel, texts: Sequence[str]) -> float:
    """Seconds of CPU of a filling generation that nobody disturbs."""
    filling = TurnEncoder(Turns(), model, BUDGET, lambda: True, lambda _: None)
    started = time.process_time()
    asyncio.run(filling(texts))  # type: ignore[arg-type]
    return time.process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=60)
    texts = [text for held in documents(parser.parse_args().texts // 5, 5) for text in held]
    model = SentenceTransformerModel(bundled_path(), name=BUNDLED, window=WINDOW, batch_tokens=BUDGET)
    model.warm_up()
    pairs = [(encode_seconds(model, texts), turn_seconds(model, texts)) for _ in range(2)]
    raw, turns = (sum(column) for column in zip(*pairs, strict=True))
    report("filling by turns against bare encode", raw / turns, at_least=0.90, note=f"{len(texts)} chunks, CPU time")
    batches, wait_s, batch_s = asyncio.run(waits(model, texts))
    report("filling batches that begin before a serving one", batches, "batches", at_most=1)
    report("longest wait against the longest filling batch", wait_s / batch_s, at_most=1.1, note=f"{wait_s:.2f} s")


if __name__ == "__main__":
    main()
