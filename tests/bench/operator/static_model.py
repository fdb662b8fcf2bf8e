"""A second real model from a package index: the static one that `wordllama` carries, as sentence-transformers keep it.

    pip install --no-deps wordllama && python -m tests.bench.operator.static_model FOLDER

256 dimensions, 16 MB, MIT licence. Every token has a fixed vector and a text the mean of its own, so it knows no word
order: worse than the bundled model by design, which is what a gate has to find out. For `bench_gate_models --second`.
"""

from __future__ import annotations

import sys
from importlib.metadata import files
from pathlib import Path

import numpy as np

PACKAGE = "wordllama"
WEIGHTS, TOKENIZER = "l2_supercat_256.safetensors", "l2_supercat_tokenizer_config.json"


def carried(name: str) -> Path:
    """Where a file of the package lies; the package itself is not imported."""
    return next(Path(str(one.locate())) for one in files(PACKAGE) or () if one.name == name)


def write(folder: Path) -> None:
    """Write the model. Raises `PackageNotFoundError` without the package."""
    from safetensors.numpy import load_file
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
    from tokenizers import Tokenizer

    weights = load_file(carried(WEIGHTS))["embedding.weight"].astype(np.float32)
    tokenizer = Tokenizer.from_file(str(carried(TOKENIZER)))
    embedding = StaticEmbedding(tokenizer, embedding_weights=weights)
    SentenceTransformer(modules=[embedding, Normalize()], device="cpu").save(str(folder))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
