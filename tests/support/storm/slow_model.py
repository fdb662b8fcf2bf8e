"""Stub models that take their time: to load, and for every call the same, as a batch on an accelerator does."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from roggia_embedder.adapters.models.stub import StubModel
from roggia_embedder.ports import Matrix, TextKind

LATENCY = "STORM_MODEL_LATENCY_S"
"""Environment variable: seconds of one batch of passages. Queries, which are short, take a tenth, loading 20 times."""
QUERY_SHARE, LOADS = 0.1, 20


def install() -> None:
    """Slow the stub down in this process, where the variable says so."""
    batch_s = float(os.environ.get(LATENCY, "0"))
    if not batch_s:
        return
    quick = StubModel.encode

    def encode(self: StubModel, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        time.sleep(batch_s if kind == "passage" else batch_s * QUERY_SHARE)
        return quick(self, texts, kind)

    def warm_up(self: StubModel) -> None:
        time.sleep(batch_s * LOADS)

    StubModel.encode, StubModel.warm_up = encode, warm_up  # type: ignore[method-assign]
