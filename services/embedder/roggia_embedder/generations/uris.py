"""From a generation's model reference to the settings that make it. The settings' own maker does the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from roggia_schemas.events import GenerationModel

from roggia_embedder.errors import ModelLoadError
from roggia_embedder.generations.errors import WrongFingerprintError
from roggia_embedder.ports import EmbeddingModel
from roggia_embedder.settings import DEFAULT_MODEL, STUB_MODEL, EmbedderOptions

BUNDLED = "bundled:"
STUB = f"{STUB_MODEL}:"
FILE = "file:///"
_SEED_DIGITS = 16
_REMOTE = ("http://", "https://")


def load_model(
    model: GenerationModel, options: EmbedderOptions, make: Callable[[EmbedderOptions], EmbeddingModel]
) -> EmbeddingModel:
    """The model that a generation names, loaded. Takes seconds: call it in a thread.

    `options` say what is this machine's own (device, threads, keys, time-outs); `make` makes a model of options. Raises
    `ModelLoadError` naming the uri, `WrongFingerprintError`, or `ModelUnavailableError` for a server that is away.
    """
    made = _stub(model, options) if model.uri.startswith(STUB) else make(options_for(model, options))
    made.warm_up()
    if model.fingerprint and made.fingerprint != model.fingerprint:
        raise WrongFingerprintError(model.uri, model.fingerprint, made.fingerprint)
    return made


def _stub(model: GenerationModel, options: EmbedderOptions) -> EmbeddingModel:
    from roggia_embedder.adapters.models.stub import StubModel

    seed = model.uri.removeprefix(STUB)
    if not (seed.isdecimal() and seed.isascii() and len(seed) <= _SEED_DIGITS):
        raise ModelLoadError(f"model.uri: {model.uri!r}: a stub's seed is a number of at most {_SEED_DIGITS} digits")
    prefixes = model.passage_prefix, model.query_prefix
    return StubModel(model.dimension or options.dimension, model.window, seed=int(seed), prefixes=prefixes)


def options_for(model: GenerationModel, options: EmbedderOptions) -> EmbedderOptions:
    """The settings that stand for a reference. An empty uri is the settings' own model, as it is."""
    uri = model.uri
    if not uri:
        return options
    facts: dict[str, Any] = {
        "model": _setting(model),
        "window": model.window,
        "passage_prefix": model.passage_prefix,
        "query_prefix": model.query_prefix,
    }
    if uri.startswith(_REMOTE):
        facts |= {"model_name": model.name, "model_revision": model.version}
    if model.dimension:
        facts["dimension"] = model.dimension
    return options.model_copy(update=facts)


def _setting(model: GenerationModel) -> str:
    uri = model.uri
    if uri == f"{BUNDLED}{DEFAULT_MODEL}":
        return DEFAULT_MODEL
    if uri.startswith(FILE):
        return unquote(urlsplit(uri).path)
    if uri.startswith(_REMOTE):
        if not (model.name and model.version and model.dimension):
            raise ModelLoadError(f"model.uri: {uri} is a server; it needs model.name, model.version, model.dimension")
        return uri
    raise ModelLoadError(
        f"model.uri: {uri!r} is none that can be loaded here; use {BUNDLED}{DEFAULT_MODEL}, {FILE}…, "
        f"http(s)://…/v1 or {STUB}<seed>"
    )
