"""A folder's weights as an ONNX file, in fp32 or int8: made once from the local weights, kept by their hash.

int8 is dynamic quantization with a scale per channel and 7 bits of weight (`reduce_range`). Per channel keeps a mean
cosine of 0.99 to fp32 where one scale per matrix keeps 0.95. Eight bits overflow in the additions of CPUs without VNNI
(onnxruntime's page on quantization), so that the same file would give other vectors there; seven give the same.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roggia_embedder.adapters.models.packed import pooling_of, positions_of
from roggia_embedder.adapters.models.sentence_transformer import open_model
from roggia_embedder.errors import ModelLoadError
from roggia_embedder.ports import Matrix
from roggia_embedder.precision import Precision, number_type

EXTRA = "pip install 'roggia[onnx]'"
_MODEL, _ABOUT = "model.onnx", "about.json"
_LEAST = {"fp32": 0.9999, "int8": 0.95}
"""Cosine to torch that an exported file must keep, on every text of `_PROBES`."""
_PROBES = (
    "a mill",
    "The lock keeper opens the sluice at six and closes it when the grain barges have passed.",
    "import asyncio\n\nasync def main() -> None:\n    await asyncio.sleep(0.5)  # until the queue is empty",
    "river " * 200,
)


@dataclass(frozen=True, slots=True)
class About:
    """What stands beside an ONNX file, so that using it needs no weights in torch."""

    inputs: tuple[str, ...]
    pooling: str
    dimension: int
    positions: int | None
    tokenizer: str


@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX file and what is known about it."""

    file: Path
    about: About


def exported(path: Path, weights: str, precision: Precision, folder: Path) -> Exported:
    """The ONNX file of `path`'s model, made now (up to a minute) unless `folder` has it.

    `weights` is the hash of the model's files. Raises `ModelLoadError` when it cannot be made, or does not compute what
    torch computes; then nothing is kept.
    """
    home = folder / "onnx" / f"{weights[:32]}-{number_type(precision)}"
    if not (home / _ABOUT).is_file():
        _make(path, precision, home, folder / "onnx" / f"{weights[:32]}-{number_type('fp32')}" / _MODEL)
    return Exported(home / _MODEL, _about(json.loads((home / _ABOUT).read_text("utf-8"))))


def session(file: Path, threads: int | None = None) -> Any:
    """A session on the CPU. Raises `ModelLoadError` without the extra."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelLoadError(f"backend: onnx needs onnxruntime, which is not installed; {EXTRA}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _about(held: dict[str, Any]) -> About:
    return About(**held | {"inputs": tuple(held["inputs"])})


def _make(path: Path, precision: Precision, home: Path, made: Path) -> None:
    # Not tempfile's: its folders are for one user, and another service of this machine may read this one.
    work = home.with_name(f".part-{os.getpid()}-{threading.get_ident()}")
    try:
        work.mkdir(parents=True)
    except OSError as error:
        raise ModelLoadError(
            f"model_folder: {home.parent} cannot be written: {error}; name a folder that can"
        ) from error
    try:
        _export(path, precision, work, made)
        try:
            work.rename(home)
        except OSError:
            # Another process was quicker: what it made is the same.
            if not (home / _ABOUT).is_file():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _export(path: Path, precision: Precision, work: Path, made: Path) -> None:
    """`made` is where this model's fp32 file stands, if it was ever exported."""
    model = open_model(path, "cpu").float()
    inputs = tuple(model.tokenizer(["a"]).keys())
    plain = work / "plain.onnx" if precision == "int8" else work / _MODEL
    if precision == "fp32" or not made.is_file():
        _to_onnx(model, inputs, plain)
    if precision == "int8":
        _quantize(made if made.is_file() else plain, work / _MODEL)
        plain.unlink(missing_ok=True)
    _check(model, inputs, work / _MODEL, precision)
    modules = json.loads((path / "modules.json").read_text("utf-8"))
    about = About(
        inputs, pooling_of(model), int(model.get_embedding_dimension() or 0), positions_of(model), modules[0]["path"]
    )
    (work / _ABOUT).write_text(json.dumps(asdict(about)), "utf-8")


def _to_onnx(model: Any, inputs: Sequence[str], file: Path) -> None:
    import torch

    class Columns(torch.nn.Module):
        """A model that takes tensors in order instead of a dictionary: what ONNX can name."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, *columns: Any) -> Any:
            return self.inner(dict(zip(inputs, columns, strict=True)))["sentence_embedding"]

    sample = model.tokenizer(["a mill", "a mill by the river"], padding=True, return_tensors="pt")
    axes = {0: torch.export.Dim("texts", min=1, max=65_536), 1: torch.export.Dim("tokens", min=2, max=65_536)}
    if longest := positions_of(model):
        axes[1] = torch.export.Dim("tokens", min=2, max=longest)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Columns().eval(),
                tuple(sample[name] for name in inputs),
                str(file),
                input_names=list(inputs),
                output_names=["sentence_embedding"],
                dynamic_shapes=(tuple(axes for _ in inputs),),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except ImportError as error:
        raise ModelLoadError(f"backend: onnx needs {error.name} to export the model; {EXTRA}") from error


def _quantize(plain: Path, file: Path) -> None:
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise ModelLoadError(f"backend: onnx needs {error.name} to quantize the model; {EXTRA}") from error
    quantize_dynamic(
        plain,
        file,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
    )


def _check(model: Any, inputs: Sequence[str], file: Path, precision: Precision) -> None:
    import torch

    batch = model.tokenizer(list(_PROBES), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        wanted = model(dict(batch))["sentence_embedding"].numpy()
    ran = session(file).run(None, {name: batch[name].numpy() for name in inputs})[0]
    cosines = _unit(wanted) @ _unit(ran).T
    least = float(np.diag(cosines).min())
    if not least >= _LEAST[precision]:
        raise ModelLoadError(
            f"backend: this model exported to ONNX in {precision} has a cosine of {least:.4f} to torch, below "
            f"{_LEAST[precision]}; use backend torch, or another precision"
        )


def _unit(rows: Any) -> Matrix:
    unit: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
