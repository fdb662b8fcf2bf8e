"""A model by reference: where it is, and what it must be. What an index generation's record says about its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from roggia_schemas.events import GenerationModel

from roggia_embedder.embedding.fingerprint import part_of
from roggia_embedder.errors import ModelLoadError
from roggia_embedder.ports import EmbeddingModel
from roggia_embedder.precision import Backend, Precision, precision_of
from roggia_embedder.settings import DEFAULT_MODEL, STUB_MODEL, EmbedderOptions

SCHEMES = {
    "bundled": "bundled:all-MiniLM-L6-v2",
    "file": "file:///a/folder",
    "http": "http://host/v1",
    "https": "https://host/v1",
    "tei+http": "tei+http://host:8080",
    "tei+https": "tei+https://host",
    "stub": "stub:0",
    "models": "models:/name/3",
}
"""What a uri may begin with, with an example of each."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """`uri` says where; everything else says what must be found there.

    `version` stands for the weights of a remote model (its revision) and is a registered model's version. An empty
    `fingerprint` and a `dimension` of 0 are not known yet: `resolved` fills them in. Without `backend` and `precision`
    they are as the fingerprint names them, else torch and fp32.
    """

    uri: str
    name: str = ""
    version: str = ""
    fingerprint: str = ""
    dimension: int = 0
    window: int = 512
    passage_prefix: str = ""
    query_prefix: str = ""
    backend: Backend | None = None
    precision: Precision | None = None

    def __post_init__(self) -> None:
        """Raises `ModelLoadError` for a uri of no known kind."""
        if self.scheme not in SCHEMES:
            raise ModelLoadError(f"model: {self.uri!r} is no model's uri; use one like {', '.join(SCHEMES.values())}")

    @property
    def scheme(self) -> str:
        """What the uri begins with."""
        return urlsplit(self.uri).scheme

    @property
    def rest(self) -> str:
        """The uri without its scheme."""
        return self.uri.partition(":")[2]

    @property
    def numbers(self) -> tuple[Backend, Precision]:
        """What a local model computes with, and in which numbers."""
        named: Backend = "onnx" if part_of(self.fingerprint, "backend") == "onnx" else "torch"
        return self.backend or named, self.precision or precision_of(part_of(self.fingerprint, "quant")) or "fp32"


def resolved(ref: ModelRef, model: EmbeddingModel) -> ModelRef:
    """The reference of a model that was loaded: with its fingerprint and dimension, so that no other is loaded for it
    later. Blocks while the model loads."""
    return replace(ref, fingerprint=model.fingerprint, dimension=model.dimension)


def reference_of(options: EmbedderOptions) -> ModelRef:
    """The model that the settings name: that of generation 1, which needs no record."""
    uri = uri_of(options.model)
    scheme = urlsplit(uri).scheme
    return ModelRef(
        uri=uri,
        name=options.model_name,
        version=options.model_revision,
        dimension=options.dimension if scheme not in ("bundled", "file", "models") else 0,
        window=options.window,
        passage_prefix=options.passage_prefix,
        query_prefix=options.query_prefix,
        backend=options.backend,
        precision=options.precision,
    )


def reference_to(model: GenerationModel, options: EmbedderOptions) -> ModelRef:
    """The model that an index generation's record names; the settings' own where it names none.

    Raises `ModelLoadError` for a uri of no known kind, or a backend or precision that nobody knows.
    """
    if not model.uri:
        return replace(reference_of(options), fingerprint=model.fingerprint)
    return ModelRef(
        uri=model.uri,
        name=model.name,
        version=model.version,
        fingerprint=model.fingerprint,
        dimension=model.dimension,
        window=model.window,
        passage_prefix=model.passage_prefix,
        query_prefix=model.query_prefix,
        backend=_known(model, "backend", get_args(Backend)),
        precision=_known(model, "precision", get_args(Precision)),
    )


def _known(model: GenerationModel, name: str, allowed: Sequence[Any]) -> Any:
    value = model.options.get(name)
    if value is not None and value not in allowed:
        raise ModelLoadError(f"model.options.{name}: {value!r} is none; use one of {', '.join(allowed)}")
    return value


def uri_of(model: str) -> str:
    """The uri of what the setting `model` says, which may be a short name or a folder."""
    if model == DEFAULT_MODEL:
        return f"bundled:{model}"
    if model == STUB_MODEL:
        return "stub:0"
    known = urlsplit(model).scheme in SCHEMES
    return model if known else Path(model).absolute().as_uri()
