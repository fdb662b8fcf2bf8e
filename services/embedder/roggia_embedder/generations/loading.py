"""From a model's reference to the model: one maker per kind of uri, and the check that it is the one referred to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import SecretStr

from roggia_embedder.adapters.models.remote import Shape
from roggia_embedder.embedding.fingerprint import name_in
from roggia_embedder.errors import ModelLoadError, ReferenceMismatchError
from roggia_embedder.generations.reference import ModelRef
from roggia_embedder.ports import EmbeddingModel, ModelSource
from roggia_embedder.precision import PRECISIONS
from roggia_embedder.settings import DEFAULT_MODEL, EmbedderOptions

_REGISTERED = re.compile(r"models:/[^/@]+/\d+")
_DEFAULT_DIMENSION = 384


def load(ref: ModelRef, options: EmbedderOptions, source: ModelSource | None = None) -> EmbeddingModel:
    """The model that `ref` refers to, with this process's device, threads, keys and patience from `options`.

    With a fingerprint in `ref` the model is loaded and compared (seconds: call it in a thread); without one it is
    loaded by `warm_up` or at first use. `source` is for `models:` uris.

    Raises `ReferenceMismatchError` (a `ModelMismatchError`) when the uri gives another model, `ModelLoadError` when it
    gives none that can be used, `ModelUnavailableError` when a server does not answer now.
    """
    model = _MAKERS[ref.scheme](ref, options, source)
    if ref.fingerprint and model.fingerprint != ref.fingerprint:
        raise ReferenceMismatchError(ref.uri, ref.fingerprint, model.fingerprint)
    if ref.dimension and model.dimension != ref.dimension:
        raise ReferenceMismatchError(ref.uri, f"dimension {ref.dimension}", f"dimension {model.dimension}")
    return model


Maker = Callable[[ModelRef, EmbedderOptions, ModelSource | None], EmbeddingModel]


def _stub(ref: ModelRef, options: EmbedderOptions, source: ModelSource | None) -> EmbeddingModel:  # noqa: ARG001
    from roggia_embedder.adapters.models.stub import StubModel

    if not re.fullmatch(r"\d{1,16}", ref.rest):
        raise ModelLoadError(f"model: {ref.uri!r}: the seed of a stub is a number of at most 16 digits, like stub:7")
    prefixes = ref.passage_prefix, ref.query_prefix
    return StubModel(ref.dimension or _DEFAULT_DIMENSION, ref.window, seed=int(ref.rest), prefixes=prefixes)


def _openai(ref: ModelRef, options: EmbedderOptions, source: ModelSource | None) -> EmbeddingModel:  # noqa: ARG001
    from roggia_embedder.adapters.models.openai_http import OpenAiModel

    if not (ref.name and ref.version):
        raise ModelLoadError(
            f"model: {ref.uri}: a model server needs a name, and a version that stands for its weights"
        )
    return OpenAiModel(
        ref.uri,
        name=ref.name,
        revision=ref.version,
        **_speaking(ref, options),
    )


def _speaking(ref: ModelRef, options: EmbedderOptions) -> dict[str, Any]:
    """What every kind of model server is spoken to with."""
    return {
        "shape": _shape(ref),
        "key": _key(ref.uri, options),
        "timeout_s": options.model_timeout_s,
        "terms": options.remote,
        "folder": options.model_folder,
    }


def _tei(ref: ModelRef, options: EmbedderOptions, source: ModelSource | None) -> EmbeddingModel:  # noqa: ARG001
    from roggia_embedder.adapters.models.tei_http import TeiModel

    return TeiModel(
        ref.uri.removeprefix("tei+"),
        revision=ref.version,
        **_speaking(ref, options),
    )


def _bundled(ref: ModelRef, options: EmbedderOptions, source: ModelSource | None) -> EmbeddingModel:  # noqa: ARG001
    from roggia_embedder.adapters.models.sentence_transformer import bundled_path

    if ref.rest != DEFAULT_MODEL:
        raise ModelLoadError(f"model: {ref.uri!r} is not bundled; bundled:{DEFAULT_MODEL} is")
    return _local(ref, options, bundled_path(), DEFAULT_MODEL)


def _file(ref: ModelRef, options: EmbedderOptions, source: ModelSource | None) -> EmbeddingModel:  # noqa: ARG001
    parts = urlsplit(ref.uri)
    if parts.netloc not in ("", "localhost"):
        raise ModelLoadError(f"model: {ref.uri!r} is on host {parts.netloc}; a folder of this machine is file:///…")
    path = Path(url2pathname(parts.path))
    return _local(ref, options, path, ref.name or path.name)


def _registered(ref: ModelRef, options: EmbedderOptions, source: ModelSource | None) -> EmbeddingModel:
    if not _REGISTERED.fullmatch(ref.uri):
        raise ModelLoadError(f"model: {ref.uri!r} names no version, and an alias moves; use one like models:/name/3")
    if source is None:
        raise ModelLoadError(f"model: {ref.uri}: this process has no model registry; name one, or use file:///…")
    # The fingerprint names the model as it was logged, which need not be its name in the registry.
    name = name_in(ref.fingerprint) or ref.name or ref.rest.split("/")[1]
    return _local(ref, options, source.fetch(ref.uri), name)


def _local(ref: ModelRef, options: EmbedderOptions, path: Path, name: str) -> EmbeddingModel:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    backend, precision = ref.numbers
    if precision not in PRECISIONS[backend]:
        raise ModelLoadError(
            f"precision: {precision} is not of backend {backend}; use {', '.join(PRECISIONS[backend])}"
        )
    prefixes = ref.passage_prefix, ref.query_prefix
    if backend == "onnx":
        from roggia_embedder.adapters.models.onnx_model import OnnxModel

        return OnnxModel(
            path,
            folder=options.model_folder,
            name=name,
            window=ref.window,
            batch_tokens=options.batch_tokens,
            threads=options.threads,
            prefixes=prefixes,
            precision=precision,
        )
    from roggia_embedder.adapters.models.sentence_transformer import SentenceTransformerModel

    return SentenceTransformerModel(
        path,
        name=name,
        window=ref.window,
        batch_tokens=options.batch_tokens,
        device=options.device,
        threads=options.threads,
        prefixes=prefixes,
        precision=precision,
    )


def _key(uri: str, options: EmbedderOptions) -> SecretStr | None:
    """The key for a server, and for no other: a record names the server, the machine's settings hold the key."""
    if options.remote_model and _server(uri) == _server(options.model):
        return options.model_key
    keys = {_server(url): key for url, key in options.model_keys.items()}
    return keys.get(_server(uri))


def _server(uri: str) -> str:
    parts = urlsplit(uri.removeprefix("tei+"))
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _shape(ref: ModelRef) -> Shape:
    return Shape(ref.window, ref.dimension or _DEFAULT_DIMENSION, ref.passage_prefix, ref.query_prefix)


_MAKERS: dict[str, Maker] = {
    "bundled": _bundled,
    "file": _file,
    "http": _openai,
    "https": _openai,
    "tei+http": _tei,
    "tei+https": _tei,
    "stub": _stub,
    "models": _registered,
}
