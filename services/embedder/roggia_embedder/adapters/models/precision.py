"""bf16 and fp16 for torch, only where the hardware computes in them: elsewhere they are emulated, 6 to 8 x slower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roggia_embedder.errors import ModelLoadError
from roggia_embedder.precision import Precision, number_type

if TYPE_CHECKING:
    import torch

_INSTRUCTIONS: dict[Precision, tuple[str, ...]] = {
    "bf16": ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"),
    "fp16": ("avx512_fp16", "amx_fp16", "fp16_arith"),
}
"""Names of `torch.cpu.get_capabilities` (x86, then Arm)."""


def torch_dtype(precision: Precision, device: str) -> torch.dtype:
    """The number type to compute in. Raises `ModelLoadError` where the device is missing or has no instructions for
    it."""
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelLoadError(f"device: {device}: torch {torch.__version__} sees no such GPU here; use cpu")
    if precision in _INSTRUCTIONS and not _supported(precision, device):
        kinds = " or ".join(_INSTRUCTIONS[precision])
        remedy = f"a CPU with {kinds}, a GPU, or fp32" if device == "cpu" else "fp32, or bf16/fp16 as the GPU has it"
        raise ModelLoadError(
            f"precision: {precision} is not computed by the hardware of device {device}, emulated it is 6 to 8 x "
            f"slower than fp32; use {remedy}"
        )
    found = getattr(torch, number_type(precision), None)
    if not isinstance(found, torch.dtype):
        raise ModelLoadError(f"precision: {precision} is not of backend torch; use fp32, bf16 or fp16")
    return found


def _supported(precision: Precision, device: str) -> bool:
    import torch

    if device == "cpu":
        return any(cpu_has(name) for name in _INSTRUCTIONS[precision])
    if device.startswith("cuda") and precision == "bf16":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return True


def cpu_has(instructions: str) -> bool:
    """Whether this CPU has instructions of this name."""
    import torch

    if hasattr(torch.cpu, "get_capabilities"):
        return bool(torch.cpu.get_capabilities().get(instructions, False))
    # torch before 2.12 tells two of them, by private names.
    older = {"avx512_bf16": "_is_avx512_bf16_supported", "amx_bf16": "_is_amx_tile_supported"}
    asked = getattr(torch.cpu, older.get(instructions, ""), None)
    return bool(asked and asked())
