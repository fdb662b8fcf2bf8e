"""Baseline of the pipeline's benchmark: the model alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from roggia_embedder.adapters.models.sentence_transformer import BUNDLED, SentenceTransformerModel, bundled_path

_WINDOW = 512


def encode_seconds(texts: Sequence[str]) -> float:
    """Wall seconds of the fastest of three ways to encode all texts at once: sentence-transformers' own batches of 8
    and 32, and batches under a token budget. The model is loaded before."""
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(bundled_path()), local_files_only=True)
    plain.max_seq_length = _WINDOW
    ours = SentenceTransformerModel(bundled_path(), name=BUNDLED, window=_WINDOW)
    ours.warm_up()
    plain.encode(["warm up"])
    ways: list[Callable[[], object]] = [lambda: ours.encode(texts)]
    ways += [lambda size=size: plain.encode(list(texts), batch_size=size) for size in (8, 32)]
    return min(_wall(way) for way in ways)


def _wall(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
