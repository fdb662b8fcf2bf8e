"""References to models: what they become, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from roggia_embedder.app import model_of
from roggia_embedder.errors import ModelLoadError
from roggia_embedder.generations.errors import WrongFingerprintError
from roggia_embedder.generations.uris import load_model, options_for
from roggia_embedder.settings import EmbedderOptions
from roggia_runtime.settings import load
from roggia_schemas.events import GenerationModel

OWN = load(EmbedderOptions, model="stub", dimension=16, device="cuda:1", passage_prefix="own: ")


def test_an_empty_reference_is_the_settings_own_model() -> None:
    """As it is, prefixes and window included."""
    assert options_for(GenerationModel(uri="", window=77, query_prefix="no"), OWN) == OWN


@pytest.mark.parametrize(
    ("uri", "model"),
    [
        ("bundled:all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
        ("file:///models/my%20model", "/models/my model"),
        ("https://models.example/v1", "https://models.example/v1"),
    ],
)
def test_a_reference_names_model_window_and_prefixes_and_the_machine_stays(uri: str, model: str) -> None:
    """What decides about vectors is the reference's; the device is this machine's."""
    named = GenerationModel(
        uri=uri, name="n", version="4", dimension=8, window=128, passage_prefix="p: ", query_prefix="q: "
    )
    made = options_for(named, OWN)
    assert (made.model, made.window, made.dimension) == (model, 128, 8)
    assert (made.passage_prefix, made.query_prefix, made.device) == ("p: ", "q: ", "cuda:1")
    if uri.startswith("https"):
        assert (made.model_name, made.model_revision) == ("n", "4")


@pytest.mark.parametrize("uri", ["models:/handbook/4", "bundled:other", "file://host/x", "nonsense"])
def test_what_cannot_be_loaded_is_refused_with_what_can(uri: str) -> None:
    """The message names the field, the value and the kinds that there are."""
    with pytest.raises(ModelLoadError, match=r"model\.uri: .*use bundled:all-MiniLM-L6-v2, file:///"):
        options_for(GenerationModel(uri=uri), OWN)


def test_a_server_must_be_told_apart_from_its_next_version() -> None:
    """Without name, version and dimension the fingerprint would mean nothing."""
    with pytest.raises(ModelLoadError, match=r"model\.version"):
        options_for(GenerationModel(uri="http://m/v1", name="n", dimension=8), OWN)


def test_stubs_of_other_seeds_are_other_models_of_the_same_dimension() -> None:
    """Different vectors under different fingerprints, and a folder that holds no model is refused."""
    one, two = (load_model(GenerationModel(uri=f"stub:{seed}"), OWN, model_of) for seed in "12")
    assert one.fingerprint != two.fingerprint
    assert (one.dimension, two.dimension) == (16, 16)
    assert (one.encode(["x"]) != two.encode(["x"])).any()
    with pytest.raises(ModelLoadError, match="seed is a number"):
        load_model(GenerationModel(uri="stub:x"), OWN, model_of)
    with pytest.raises(ModelLoadError, match=r"modules\.json"):
        load_model(GenerationModel(uri=f"file://{Path(__file__).parent}"), OWN, model_of)


def test_a_model_that_is_not_the_planned_one_is_refused() -> None:
    """Both fingerprints are named; the right one passes."""
    right = load_model(GenerationModel(uri="stub:1"), OWN, model_of).fingerprint
    load_model(GenerationModel(uri="stub:1", fingerprint=right), OWN, model_of)
    with pytest.raises(WrongFingerprintError, match="wants planned@1") as caught:
        load_model(GenerationModel(uri="stub:1", fingerprint="planned@1"), OWN, model_of)
    assert right in str(caught.value)
