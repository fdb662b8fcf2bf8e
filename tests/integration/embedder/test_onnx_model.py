"""The bundled model on ONNX Runtime: exported once from the local weights, near to torch, never taken for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from roggia_embedder.adapters.models import onnx_export
from roggia_embedder.adapters.models.onnx_model import OnnxModel
from roggia_embedder.adapters.models.sentence_transformer import BUNDLED, SentenceTransformerModel, bundled_path
from roggia_embedder.errors import ChunkTooLongError, ModelLoadError
from roggia_embedder.precision import Precision

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")

WINDOW = 512
TEXTS = [
    "The lock keeper opens the sluice at six.",
    "Signing keys are rotated every month, and after every incident.",
    "A consumer group reads in log order; its offsets are committed after the batch.",
    "word " * 300,
]


def onnx_model(folder: Path, precision: Precision, window: int = WINDOW) -> OnnxModel:
    """The bundled model, exported into `folder`."""
    return OnnxModel(
        bundled_path(), folder=folder, name=BUNDLED, window=window, batch_tokens=512, threads=1, precision=precision
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the module: an export takes half a minute."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def torch_model() -> SentenceTransformerModel:
    """The same weights on torch."""
    return SentenceTransformerModel(bundled_path(), name=BUNDLED, window=WINDOW, threads=1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.99999), ("int8", 0.97)])
def test_vectors_are_near_to_torch_and_of_another_model(
    folder: Path, torch_model: SentenceTransformerModel, precision: Precision, least: float
) -> None:
    """fp32 differs in last digits, int8 by more; both have fingerprints of their own over the same weights."""
    model = onnx_model(folder, precision)
    rows = model.encode(TEXTS)
    assert (rows.dtype, rows.shape) == (np.float32, (4, 384))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.sum(rows * torch_model.encode(TEXTS), axis=1).min() >= least
    assert model.count_tokens(TEXTS) == torch_model.count_tokens(TEXTS)
    ours, theirs = model.fingerprint.split(";"), torch_model.fingerprint.split(";")
    assert next(a for a, b in zip(ours, theirs, strict=True) if a != b) == "backend=onnx"
    assert ours[:-2] == theirs[:-2]
    assert ("quant=int8.1" in ours) == (precision == "int8")


def test_what_was_exported_is_used_again_and_half_an_export_is_not(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second model opens the file of the first; a folder that an interrupted export left is no model."""
    monkeypatch.setattr(onnx_export, "_export", _never)
    assert onnx_model(folder, "int8").encode(["a"]).shape == (1, 384)
    (tmp_path / "onnx" / ".part-x").mkdir(parents=True)
    (tmp_path / "onnx" / ".part-x" / "model.onnx").touch()
    with pytest.raises(AssertionError, match="exported again"):
        onnx_model(tmp_path, "int8").encode(["a"])
    assert [path.name for path in (tmp_path / "onnx").iterdir()] == [".part-x"]


def _never(*arguments: object) -> None:
    raise AssertionError("exported again")


def test_a_file_that_computes_something_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a file is kept it is compared with torch: one that is off says how far."""
    home = next(path for path in (folder / "onnx").iterdir() if path.name.endswith("int8.1"))
    model = onnx_export.open_model(bundled_path(), "cpu").float()
    inputs = json.loads((home / "about.json").read_text())["inputs"]
    with pytest.raises(ModelLoadError, match=r"cosine of 0\.9\d+ to torch, below 0\.9999"):
        onnx_export._check(model, inputs, home / "model.onnx", "fp32")


def test_window_and_length_are_kept_to(folder: Path) -> None:
    """Nothing is cut, and a window beyond the model's positions is refused."""
    with pytest.raises(ChunkTooLongError):
        onnx_model(folder, "int8").encode(["river " * 511])
    with pytest.raises(ModelLoadError, match="512"):
        onnx_model(folder, "int8", 513).warm_up()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A read-only container says which setting to change."""
    (tmp_path / "onnx").write_text("a file in the way")
    with pytest.raises(ModelLoadError, match=r"model_folder: .*onnx cannot be written"):
        onnx_model(tmp_path, "int8").warm_up()
