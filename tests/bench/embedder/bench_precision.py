"""One model in several number types: how fast each is, and how far its vectors are from fp32.

    OMP_NUM_THREADS=1 python -m tests.bench.embedder.bench_precision [--texts 75] [--device cpu]

Texts are paragraphs of this repository's documentation. Seconds are of CPU on one thread (of the clock on a GPU);
measurements alternate. Prints one JSON line per measurement. The first run exports to ONNX, which takes a minute and is
not measured; without the extra `onnx`, and for number types that the hardware does not have, it says so and goes on.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from roggia_embedder.errors import ModelLoadError
from roggia_embedder.generations.loading import load
from roggia_embedder.generations.reference import ModelRef
from roggia_embedder.ports import EmbeddingModel, Matrix
from roggia_embedder.precision import Backend, Precision
from roggia_embedder.settings import EmbedderOptions
from roggia_runtime.settings import load as settings

from tests.support.measures import report

DOCS = Path(__file__).parents[3] / "docs"
KINDS: tuple[tuple[Backend, Precision], ...] = (
    ("torch", "fp32"),
    ("torch", "bf16"),
    ("torch", "fp16"),
    ("onnx", "fp32"),
    ("onnx", "int8"),
)


def paragraphs(count: int) -> list[str]:
    """Paragraphs of 80 to 1500 characters, spread over all pages."""
    found = [
        text
        for page in sorted(DOCS.rglob("*.md"))
        for text in re.split(r"\n\s*\n", page.read_text("utf-8"))
        if 80 <= len(text) <= 1500
    ]
    return found[:: max(1, len(found) // count)][:count]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=75)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    texts = paragraphs(arguments.texts)
    with tempfile.TemporaryDirectory() as folder:
        models = _models(Path(folder), arguments.device)
        tokens = sum(models["torch fp32"].count_tokens(texts))
        clock = time.process_time if arguments.device == "cpu" else time.perf_counter
        best, rows = _measured(models, texts, clock)
    note = f"{len(texts)} paragraphs, {tokens} tokens"
    for name, seconds in best.items():
        report(f"{name}: speed", tokens / seconds, "tokens/s", note=note)
        cosines = np.sum(rows[name] * rows["torch fp32"], axis=1)
        report(f"{name}: mean cosine to torch fp32", float(cosines.mean()), note=f"least {cosines.min():.4f}")
        report(f"{name}: first ten neighbours as in torch fp32", _overlap(rows[name], rows["torch fp32"]), note=note)


def _models(folder: Path, device: str) -> dict[str, EmbeddingModel]:
    models: dict[str, EmbeddingModel] = {}
    for backend, precision in KINDS:
        options = settings(
            EmbedderOptions, model_folder=folder, device=device if backend == "torch" else "cpu", threads=1
        )
        model = load(ModelRef("bundled:all-MiniLM-L6-v2", backend=backend, precision=precision), options)
        try:
            model.warm_up()
            models[f"{backend} {precision}"] = model
        except ModelLoadError as error:
            print(f"{backend} {precision} left out: {error}")
    return models


def _measured(
    models: dict[str, EmbeddingModel], texts: Sequence[str], clock: Callable[[], float]
) -> tuple[dict[str, float], dict[str, Matrix]]:
    best: dict[str, float] = {}
    rows: dict[str, Matrix] = {}
    for _ in range(2):
        for name, model in models.items():
            started = clock()
            rows[name] = model.encode(texts)
            best[name] = min(best.get(name, float("inf")), clock() - started)
    return best, rows


def _overlap(ours: Matrix, theirs: Matrix) -> float:
    """Share of each text's ten nearest texts that both number types name."""
    first, second = (np.argsort(-(rows @ rows.T - 2 * np.eye(len(rows))), axis=1)[:, :10] for rows in (ours, theirs))
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(first, second, strict=True)]))


if __name__ == "__main__":
    main()
