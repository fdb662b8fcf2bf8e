"""Models from a folder: the bundled one with its real weights."""

from __future__ import annotations

import numpy as np
import pytest
from roggia_embedder.adapters.models.sentence_transformer import BUNDLED, SentenceTransformerModel, bundled_path
from roggia_embedder.errors import ChunkTooLongError, ModelLoadError

WINDOW = 512


@pytest.fixture(scope="module")
def bundled() -> SentenceTransformerModel:
    """The default model, loaded once."""
    return SentenceTransformerModel(bundled_path(), name=BUNDLED, window=WINDOW, batch_tokens=64, threads=1)


def test_rows_are_unit_vectors_in_the_order_of_the_texts(bundled: SentenceTransformerModel) -> None:
    """Batches are sorted by length inside; what comes out is in the caller's order, alone or together alike."""
    texts = ["word " * 90, "a river", "the mill by the river turns", "tax law", "a stream of water"]
    rows = bundled.encode(texts)
    assert (rows.dtype, rows.shape, rows.flags["C_CONTIGUOUS"]) == (np.float32, (5, 384), True)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    for row, text in zip(rows, texts, strict=True):
        np.testing.assert_allclose(row, bundled.encode([text])[0], atol=1e-5)
    assert rows[1] @ rows[4] > rows[1] @ rows[3]


def test_what_fits_the_window_counts_and_what_does_not_is_refused(bundled: SentenceTransformerModel) -> None:
    """Words beyond token 256, the model's own default, still move the vector; one token beyond 512 is an error."""
    base = "river " * 400
    assert abs(float((bundled.encode([base + "river"]) @ bundled.encode([base + "tax"]).T)[0, 0]) - 1) > 1e-6
    assert bundled.count_tokens(["river " * 510]) == [WINDOW]
    bundled.encode(["river " * 510])
    with pytest.raises(ChunkTooLongError) as caught:
        bundled.encode(["short", "river " * 511])
    assert caught.value.tokens == WINDOW + 1


def test_the_fingerprint_tells_window_and_prefixes_apart(bundled: SentenceTransformerModel) -> None:
    """Everything that changes vectors changes the fingerprint."""
    prefixed = SentenceTransformerModel(bundled_path(), name=BUNDLED, window=WINDOW, prefixes=("p: ", "q: "))
    assert len({bundled.fingerprint, prefixed.fingerprint}) == 2
    assert "dim=384" in bundled.fingerprint
    with pytest.raises(ModelLoadError, match="512"):
        SentenceTransformerModel(bundled_path(), name=BUNDLED, window=513).warm_up()
