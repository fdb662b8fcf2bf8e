"""What a local model computes with, and in which numbers. Both are part of its fingerprint. Values, not behaviour."""

from __future__ import annotations

from typing import Literal, TypeAlias

Backend: TypeAlias = Literal["torch", "onnx"]
Precision: TypeAlias = Literal["fp32", "bf16", "fp16", "int8"]

PRECISIONS: dict[Backend, tuple[Precision, ...]] = {"torch": ("fp32", "bf16", "fp16"), "onnx": ("fp32", "int8")}
"""What each backend can do."""

INT8 = "int8.1"
"""How the first recipe of int8 weights is called in fingerprints: another recipe makes other vectors and needs
another name."""

_NAMES: dict[Precision, str] = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "int8": INT8}


def number_type(precision: Precision) -> str:
    """A precision as fingerprints name it."""
    return _NAMES[precision]


def precision_of(number: str) -> Precision | None:
    """The precision that a fingerprint names; None for one that is not of this version."""
    return next((precision for precision, name in _NAMES.items() if name == number), None)
