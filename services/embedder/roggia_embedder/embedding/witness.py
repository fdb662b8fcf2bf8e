"""Whether a model server is still the model that it was: one fixed text, asked with every request, remembered.

The weights behind a URL cannot be hashed, and many servers say a name that stays when the weights change. Their vectors
cannot stay: what the server says about the witness text now is compared with what it said first, in this process or, by
a file beside the cache, in an earlier one.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roggia_embedder.errors import EmbedderError, ModelChangedError
from roggia_embedder.ports import Matrix

WITNESS = "Seven grey herons cross the river at 06:40, below the third lock of the old canal."
"""About 20 tokens, with words, numbers and an order: models that differ put it elsewhere."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a server called its model, and its unit vector of `WITNESS`."""

    told: str
    vector: Matrix


class Witness:
    """The first testimony about one model, against which later ones are held. Safe for threads.

    `file` keeps it over restarts; None: for this process only. A model that was changed on purpose gets another
    revision, so another fingerprint and another file (`witness_file`).
    """

    def __init__(self, where: str, agreement: float, file: Path | None = None) -> None:
        self._where = where
        self._agreement = agreement
        self._file = file
        self._lock = threading.Lock()
        self._first: Testimony | None = None

    def hear(self, testimony: Testimony) -> None:
        """Remember the first, compare every later one. Raises `ModelChangedError`."""
        with self._lock:
            if self._first is None:
                self._first = _kept(self._file, testimony)
            first = self._first
        if first.told != testimony.told:
            raise ModelChangedError(self._where, first.told, testimony.told)
        if first.vector.shape != testimony.vector.shape:
            raise ModelChangedError(self._where, f"dimension {first.vector.size}", f"dimension {testimony.vector.size}")
        cosine = float(first.vector @ testimony.vector)
        if cosine < self._agreement:
            raise ModelChangedError(
                self._where, f"{first.told} as it answered first", f"a model whose answer has a cosine of {cosine:.4f}"
            )


def witness_file(folder: Path, fingerprint: str) -> Path:
    """Where the first testimony about a model stands."""
    return folder / "witnesses" / f"{hashlib.sha256(fingerprint.encode()).hexdigest()[:32]}.json"


def _kept(file: Path | None, testimony: Testimony) -> Testimony:
    if file is None:
        return testimony
    try:
        held = json.loads(file.read_text("utf-8"))
        return Testimony(str(held["told"]), np.array(held["vector"], np.float32))
    except FileNotFoundError:
        _write(file, testimony)
        return testimony
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise EmbedderError(f"{file}: cannot be read as a witness: {error!r}; remove it to begin anew") from error


def _write(file: Path, testimony: Testimony) -> None:
    text = json.dumps({"told": testimony.told, "vector": [float(number) for number in testimony.vector]})
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, "utf-8")
        part.replace(file)
    except OSError as error:
        raise EmbedderError(f"model_folder: {file} cannot be written: {error}; name a folder that can") from error
