"""Models by reference: each kind of uri gives its model, and one that is not the one referred to is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from roggia_embedder.adapters.models import precision as instructions
from roggia_embedder.adapters.models.onnx_model import OnnxModel
from roggia_embedder.adapters.models.openai_http import OpenAiModel
from roggia_embedder.adapters.models.sentence_transformer import SentenceTransformerModel, bundled_path
from roggia_embedder.adapters.models.stub import StubModel
from roggia_embedder.adapters.models.tei_http import TeiModel
from roggia_embedder.embedding.fingerprint import Fingerprint, part_of
from roggia_embedder.errors import ModelLoadError, ModelMismatchError, ModelUnavailableError
from roggia_embedder.generations.loading import load
from roggia_embedder.generations.reference import SCHEMES, ModelRef, reference_of, resolved
from roggia_embedder.settings import EmbedderOptions
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.settings import load as settings

from tests.support.model_server import WINDOW, model_server

STUB = ModelRef("stub:0", dimension=16, window=64)


def options(path: Path, **values: Any) -> EmbedderOptions:
    """Settings whose folder is of this test."""
    return settings(EmbedderOptions, model_folder=path, **values)


class Folders:
    """A model source that holds the bundled model as `models:/small/3`."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def fetch(self, uri: str) -> Path:
        """See `ModelSource`."""
        self.asked.append(uri)
        return bundled_path()


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("bundled:all-MiniLM-L6-v2", SentenceTransformerModel),
        (bundled_path().as_uri(), SentenceTransformerModel),
        ("models:/small/3", SentenceTransformerModel),
        ("http://127.0.0.1:9/v1", OpenAiModel),
        ("https://models.example/v1", OpenAiModel),
        ("tei+http://127.0.0.1:9", TeiModel),
        ("stub:7", StubModel),
    ],
)
def test_each_kind_of_uri_gives_its_model(uri: str, kind: type, tmp_path: Path) -> None:
    """Nothing is loaded or asked before somebody needs it."""
    ref = ModelRef(uri, "small", "1", window=64)
    assert isinstance(load(ref, options(tmp_path), Folders()), kind)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("ftp://x/y", "no model's uri; use one like bundled:all-MiniLM-L6-v2"),
        ("all-MiniLM-L6-v2", "no model's uri"),
        ("bundled:bert", "not bundled"),
        ("file://elsewhere/models/x", "on host elsewhere"),
        ("file:///no/such/folder", r"modules\.json"),
        ("stub:x", "seed of a stub"),
        ("stub:", "seed of a stub"),
        ("models:/small/3", "no model registry"),
        ("models:/small@champion", "an alias moves"),
        ("models:/small/latest", "an alias moves"),
        ("http://127.0.0.1:9/v1", "needs a name"),
    ],
)
def test_a_uri_that_gives_no_model_is_refused_with_a_remedy(uri: str, words: str, tmp_path: Path) -> None:
    """A configuration error: said once, at the start."""
    with pytest.raises(ConfigurationError, match=words):
        load(ModelRef(uri), options(tmp_path))


def test_a_stub_can_be_two_models_of_one_dimension(tmp_path: Path) -> None:
    """Two seeds: different fingerprints, and vectors that have nothing to do with each other. Seed 0 is the stub as it
    always was."""
    models = [load(ModelRef(f"stub:{seed}", dimension=256), options(tmp_path)) for seed in (0, 1)]
    first, second = (model.encode(["the mill by the river"])[0] for model in models)
    assert len({model.fingerprint for model in models}) == 2
    assert abs(float(first @ second)) < 0.3
    assert models[0].fingerprint == StubModel(256, 512).fingerprint
    np.testing.assert_array_equal(first, StubModel(256, 512).encode(["the mill by the river"])[0])


def test_prefixes_of_a_reference_are_the_models(tmp_path: Path) -> None:
    """A passage and a query of the same text differ where the prefixes do, and so does the fingerprint."""
    plain = load(STUB, options(tmp_path))
    prefixed = load(replace(STUB, passage_prefix="passage: ", query_prefix="query: "), options(tmp_path))
    assert abs(float(prefixed.encode(["a"])[0] @ prefixed.encode(["a"], "query")[0])) < 0.99
    np.testing.assert_array_equal(prefixed.encode(["a"], "query"), plain.encode(["query: a"]))
    assert prefixed.fingerprint != plain.fingerprint


@given(st.sampled_from(["window", "dimension", "uri", "query_prefix", "fingerprint"]), st.integers(1, 9))
def test_a_model_that_is_not_the_one_referred_to_is_refused(part: str, number: int) -> None:
    """Whatever differs from what was referred to: the error names the uri and both fingerprints."""
    settings_ = settings(EmbedderOptions)
    ref = resolved(STUB, load(STUB, settings_))
    other: dict[str, Any] = {
        "window": ref.window + number,
        "dimension": ref.dimension + number,
        "uri": f"stub:{number}",
        "query_prefix": f"q{number}: ",
        "fingerprint": ref.fingerprint + str(number),
    }
    assert load(ref, settings_).fingerprint == ref.fingerprint
    with pytest.raises(ModelMismatchError, match=r"stub:\d gives .*as its reference says") as caught:
        load(replace(ref, **{part: other[part]}), settings_)
    assert caught.value.holds != caught.value.offered


def test_weights_that_changed_in_their_folder_are_refused(tmp_path: Path) -> None:
    """The folder is the same, a file in it is not: nothing of it may enter the generation's collections."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in bundled_path().rglob("*"):
        target = folder / file.relative_to(bundled_path())
        target.mkdir(parents=True) if file.is_dir() else target.symlink_to(file)
    ref = ModelRef(folder.as_uri())
    ref = resolved(ref, load(ref, options(tmp_path)))
    assert load(ref, options(tmp_path)).dimension == 384
    config = folder / "tokenizer_config.json"
    text = config.read_text()
    config.unlink()
    config.write_text(text + "\n")
    with pytest.raises(ModelMismatchError):
        load(ref, options(tmp_path))


def test_a_registered_version_is_copied_by_the_source(tmp_path: Path) -> None:
    """The source is asked for the uri as it stands, and the fingerprint carries the registered name."""
    source = Folders()
    model = load(ModelRef("models:/small/3", window=64), options(tmp_path), source)
    assert source.asked == ["models:/small/3"]
    assert model.fingerprint.startswith("small@")


def test_a_tei_server_is_held_against_the_reference(tmp_path: Path) -> None:
    """Other weights behind the same address are refused when the reference is loaded; no server is unavailable."""
    with model_server() as server:
        ref = ModelRef(f"tei+{server.url}", dimension=8, window=WINDOW)
        ref = resolved(ref, load(ref, options(tmp_path)))
        assert load(ref, options(tmp_path)).encode(["a"]).shape == (1, 8)
        server.info["model_sha"] = "b" * 40
        with pytest.raises(ModelMismatchError, match="bbbb"):
            load(ref, options(tmp_path))
    with pytest.raises(ModelUnavailableError):
        load(ref, options(tmp_path, remote={"patience_s": 0}))


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("https://ours.example/v1", "ours"),
        ("https://ours.example/v2", "ours"),
        ("https://other.example/v1", "other"),
        ("tei+https://tei.example:8443", "tei"),
        ("http://ours.example/v1", None),
        ("https://ours.example.evil/v1", None),
    ],
)
def test_a_key_goes_to_its_own_server_alone(uri: str, key: str | None, tmp_path: Path) -> None:
    """A record may name any server; only the settings of this machine say which one gets which key."""
    keys = {"https://other.example": "other", "https://tei.example:8443/": "tei"}
    own: dict[str, Any] = {"model": "https://ours.example/v1", "model_name": "m", "model_revision": "r"}
    model = load(ModelRef(uri, "m", "1"), options(tmp_path, **own, model_key="ours", model_keys=keys))
    assert isinstance(model, OpenAiModel | TeiModel)
    assert model._caller._headers.get("authorization") == (f"Bearer {key}" if key else None)


def test_the_settings_are_a_reference_too(tmp_path: Path) -> None:
    """Short names and folders become uris; what a local model has is not taken from settings of remote ones."""
    assert reference_of(options(tmp_path)).uri == "bundled:all-MiniLM-L6-v2"
    assert reference_of(options(tmp_path, model="a/folder")).uri == (Path.cwd() / "a/folder").as_uri()
    assert reference_of(options(tmp_path, model="stub", dimension=64)).dimension == 64
    ref = reference_of(options(tmp_path, model="tei+http://h", precision="bf16", query_prefix="q: ", window=128))
    assert (ref.uri, ref.dimension, ref.window, ref.query_prefix) == ("tei+http://h", 384, 128, "q: ")
    assert reference_of(options(tmp_path)).dimension == 0


@pytest.mark.parametrize("uri", SCHEMES.values())
def test_every_uri_of_a_reference_may_be_a_setting(uri: str, tmp_path: Path) -> None:
    """What the record of a generation can say, the settings can say."""
    assert reference_of(options(tmp_path, model=uri, model_name="m", model_revision="1")).uri == uri


def test_the_fingerprint_says_what_computes_when_the_reference_does_not(tmp_path: Path) -> None:
    """A record that has only the fingerprint of an int8 model loads that, not fp32."""
    parts = Fingerprint("m", "0" * 16, 512, "mean", True, "", "", 384, "onnx", "int8.1")
    ref = ModelRef("bundled:all-MiniLM-L6-v2", fingerprint=str(parts))
    assert ref.numbers == ("onnx", "int8")
    assert isinstance(load(replace(ref, fingerprint="", backend="onnx"), options(tmp_path)), OnnxModel)
    assert part_of(str(parts), "dim") == "384"
    assert ModelRef("stub:0").numbers == ("torch", "fp32")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"precision": "int8"}, "precision int8 is not of backend torch; use fp32, bf16, fp16"),
        ({"backend": "onnx", "precision": "bf16"}, "not of backend onnx; use fp32, int8"),
        ({"backend": "onnx", "device": "cuda"}, "not on device cuda"),
        ({"precision": "fp8"}, "ROGGIA_EMBEDDER_PRECISION: .*'fp32', 'bf16'"),
        ({"remote": {"texts": 1}}, "ROGGIA_EMBEDDER_REMOTE__TEXTS"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(values: dict[str, Any], words: str) -> None:
    """Before anything is loaded, with what goes instead."""
    with pytest.raises(ConfigurationError, match=words):
        settings(EmbedderOptions, **values)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_numbers_that_the_cpu_only_emulates_are_refused(
    precision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six to eight times slower is no option that somebody wants by accident."""
    monkeypatch.setattr(instructions, "cpu_has", lambda name: False)
    model = load(ModelRef("bundled:all-MiniLM-L6-v2", precision=precision), options(tmp_path))
    with pytest.raises(ModelLoadError, match=f"precision: {precision} is not computed by the hardware.*fp32"):
        model.warm_up()


def test_a_device_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with what to use instead, not as a trace out of torch."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelLoadError, match=r"device: cuda:1: .*sees no such GPU"):
        load(ModelRef("bundled:all-MiniLM-L6-v2"), options(tmp_path, device="cuda:1")).warm_up()


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_is_asked_whether_it_has_bf16(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old GPU emulates bf16: refused as on a CPU; fp16 every one has."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert instructions.torch_dtype("fp16", "cuda") is torch.float16
    if native:
        assert instructions.torch_dtype("bf16", "cuda") is torch.bfloat16
    else:
        with pytest.raises(ModelLoadError, match="device cuda"):
            instructions.torch_dtype("bf16", "cuda")


def test_another_number_type_is_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 over the same weights: near, and of another fingerprint; a reference to fp32 does not take it."""
    monkeypatch.setattr(instructions, "cpu_has", lambda name: True)
    ref = ModelRef("bundled:all-MiniLM-L6-v2")
    plain, half = load(ref, options(tmp_path)), load(replace(ref, precision="bf16"), options(tmp_path))
    text = ["The lock keeper opens the sluice at six."]
    assert 0.98 < float(plain.encode(text)[0] @ half.encode(text)[0]) < 1 - 1e-6
    assert half.fingerprint.endswith("backend=torch;quant=bfloat16")
    with pytest.raises(ModelMismatchError, match="bfloat16"):
        load(replace(resolved(ref, plain), precision="bf16"), options(tmp_path))


def test_a_cpu_is_asked_by_the_names_that_torch_has() -> None:
    """The names are those of `get_capabilities`: a typing error there would refuse every CPU."""
    if not hasattr(torch.cpu, "get_capabilities"):
        pytest.skip("this torch does not tell")
    known = set(torch.cpu.get_capabilities())
    x86 = {"avx512_bf16", "amx_bf16", "avx512_fp16", "amx_fp16"}
    assert "avx2" not in known or x86 <= known
    assert instructions.cpu_has("no such thing") is False
