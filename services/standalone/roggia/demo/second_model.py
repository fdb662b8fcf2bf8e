"""A second model for the demo, made of the bundled one: its weights rounded to 16 bits, as smaller releases have them.

The file keeps 32-bit numbers, so that every CPU computes with them at full speed; each is the nearest bfloat16. Other
weights have another fingerprint: to the index this is another model, whose vectors never mix with the first one's.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

NAME = "all-MiniLM-L6-v2-rounded"
_WEIGHTS = "model.safetensors"
_ROUNDED = np.uint32(0xFFFF0000)
_HALF = np.uint32(0x7FFF)
_LAST_KEPT = np.uint32(16)


def second_model(first: Path, into: Path) -> Path:
    """A folder under `into` with the rounded weights of the sentence-transformers folder `first`, and all else of it.

    Raises `OSError`, and `ValueError` for weights that are not in one safetensors file.
    """
    folder = into / NAME
    shutil.copytree(first, folder, ignore=shutil.ignore_patterns(_WEIGHTS))
    (folder / _WEIGHTS).write_bytes(rounded((first / _WEIGHTS).read_bytes()))
    return folder


def rounded(safetensors: bytes) -> bytearray:
    """The file with every 32-bit float rounded to the nearest bfloat16, ties to even; all other tensors as they are."""
    made = bytearray(safetensors)
    length = int.from_bytes(made[:8], "little")
    begin = 8 + length
    header = json.loads(bytes(made[8:begin]))
    for name, tensor in header.items():
        if name != "__metadata__" and tensor["dtype"] == "F32":
            first, last = (begin + offset for offset in tensor["data_offsets"])
            bits = np.frombuffer(memoryview(made)[first:last], dtype="<u4")
            bits += _HALF + ((bits >> _LAST_KEPT) & np.uint32(1))
            bits &= _ROUNDED
    return made
