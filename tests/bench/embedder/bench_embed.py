"""The embed role against bare `encode` on the same texts, in one process: what batching, cache and events cost.

    OMP_NUM_THREADS=1 python -m tests.bench.embedder.bench_embed [--documents 40] [--chunks 5]

Prints one JSON line per measurement. Seconds are of CPU, over all threads, so that a busy machine does not
decide; measurements alternate.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from roggia_embedder.adapters.models.sentence_transformer import BUNDLED, SentenceTransformerModel, bundled_path
from roggia_embedder.adapters.sqlite_cache import SqliteVectorCache
from roggia_embedder.embedding.parts import Target
from roggia_embedder.embedding.vectors import VectorSupply
from roggia_embedder.handlers.embed import EmbedHandler
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Record
from roggia_runtime.settings import RegistrySettings
from roggia_schemas import topics

from tests.support.embedding import chunk_set, record
from tests.support.measures import report

WINDOW = 512
WORDS = ("river", "mill", "stone", "wheel", "water", "field", "bridge", "order", "gate", "slope", "ditch", "season")


def documents(count: int, chunks: int) -> list[list[str]]:
    """Texts of 60 to 350 words, all different, the same on every run."""
    chance = random.Random(7)

    def text(name: str) -> str:
        return f"{name} " + " ".join(chance.choices(WORDS, k=chance.randint(60, 350)))

    return [[text(f"{number} {place}") for place in range(chunks)] for number in range(count)]


async def role_seconds(model: SentenceTransformerModel, batches: Sequence[Sequence[Record]], cache: Path) -> float:
    """Seconds of the handler over all batches, decoding and encoding events included."""
    store = SqliteVectorCache(cache)
    await store.start()
    handler = EmbedHandler(
        topic=topics.doc_embedded(1),
        codec=EventCodec(RegistrySettings(url=None), source="/bench"),
        supply=VectorSupply(model, store),
        target=Target(1, model.fingerprint, model.dimension, 1 << 20),
        window=WINDOW,
    )
    started = time.process_time()
    for batch in batches:
        await handler.handle(batch)
    seconds = time.process_time() - started
    await store.close()
    return seconds


def encode_seconds(model: SentenceTransformerModel, texts: Sequence[str]) -> float:
    """Seconds of one call with every text."""
    started = time.process_time()
    model.encode(texts)
    return time.process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--chunks", type=int, default=5)
    arguments = parser.parse_args()
    corpus = documents(arguments.documents, arguments.chunks)
    texts = [text for held in corpus for text in held]
    records = [record(chunk_set(f"d{n}", held), n) for n, held in enumerate(corpus)]
    batches = [records[start : start + 20] for start in range(0, len(records), 20)]
    model = SentenceTransformerModel(bundled_path(), name=BUNDLED, window=WINDOW)
    model.warm_up()
    raw: list[float] = []
    role: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(2):
            raw.append(encode_seconds(model, texts))
            role.append(asyncio.run(role_seconds(model, batches, Path(folder) / f"{turn}.sqlite3")))
        replay = asyncio.run(role_seconds(model, batches, Path(folder) / "0.sqlite3"))
    note = f"{len(texts)} chunks, CPU time"
    report("embed role / raw encode of the same texts", min(raw) / min(role), at_least=0.90, note=note)
    report("embed role, replay / first time", replay / min(role), note=note)
    report("embed role, replay per chunk", 1e3 * replay / len(texts), "ms", note=note)


if __name__ == "__main__":
    main()
