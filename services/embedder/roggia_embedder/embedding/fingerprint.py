"""The model fingerprint: everything that decides whether two vectors may share a collection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 20
_IDENTITY = {".safetensors", ".bin", ".json", ".txt", ".model"}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Parts of a fingerprint. int8 and fp32 vectors of one model have different ones, on purpose: they do not mix."""

    name: str
    weights: str
    window: int
    pooling: str
    normalized: bool
    passage_prefix: str
    query_prefix: str
    dimension: int
    backend: str
    quantization: str = "none"

    def __str__(self) -> str:
        """One line, stable, readable in collection metadata and events."""
        prefixes = hashlib.sha256(f"{self.passage_prefix}\0{self.query_prefix}".encode()).hexdigest()[:8]
        prefix = "none" if not self.passage_prefix and not self.query_prefix else prefixes
        return (
            f"{self.name}@{self.weights[:16]};window={self.window};pooling={self.pooling};"
            f"norm={int(self.normalized)};prefix={prefix};dim={self.dimension};backend={self.backend};"
            f"quant={self.quantization}"
        )


def part_of(fingerprint: str, part: str) -> str:
    """What a fingerprint's text says about one part (`backend`, `quant`, `dim` …); empty when it has none."""
    parts = dict(item.partition("=")[::2] for item in fingerprint.split(";")[1:])
    return parts.get(part, "")


def weights_hash(folder: Path) -> str:
    """`files_hash` of everything in a sentence-transformers folder that decides about vectors."""
    return files_hash(path for path in folder.rglob("*") if path.is_file() and path.suffix in _IDENTITY)


def weights_in(fingerprint: str) -> str:
    """The part of a fingerprint that `weights_hash` begins with; empty for a text that is no fingerprint."""
    return fingerprint.partition("@")[2].partition(";")[0]


def name_in(fingerprint: str) -> str:
    """The model's name in a fingerprint: a model loaded under another name would have another fingerprint."""
    return fingerprint.partition("@")[0]


def files_hash(paths: Iterable[Path]) -> str:
    """SHA-256 over names and contents of files, in the order of their names.

    Files of one name come in the order of their folders, upper ones first: not as a disk happens to list them, which
    differs between machines.
    """
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: (path.name, len(path.parts), path.as_posix())):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()
