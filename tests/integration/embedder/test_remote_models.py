"""Models behind a server, OpenAI's API and TEI's: what they return, what they refuse, how they wait."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from roggia_embedder.adapters.models.openai_http import OpenAiModel
from roggia_embedder.adapters.models.remote import Shape
from roggia_embedder.embedding import cooldown, retrying
from roggia_embedder.embedding.witness import WITNESS
from roggia_embedder.errors import (
    ChunkTooLongError,
    EmbedderError,
    ModelLoadError,
    ModelUnavailableError,
)
from roggia_embedder.remote import RemoteTerms

from tests.support.model_server import WINDOW, Fault, ModelServer
from tests.support.remote_models import AT_ONCE, DIMENSION, KINDS, TEXTS, model_at, rows_of
from tests.support.watched_gate import WatchedGate


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_many_texts_come_back_in_order_whatever_the_server_does(server: ModelServer, kind: str, encoding: Any) -> None:
    """100 texts go in requests of at most 32, the answers are shuffled, rows are unit vectors in the texts' order."""
    model = model_at(server, kind, RemoteTerms(encoding=encoding))
    np.testing.assert_allclose(model.encode(TEXTS), rows_of(TEXTS), atol=1e-6)
    asked = server.encodings()
    assert len(asked) == 4
    assert max(len(one.texts) for one in asked) <= 32
    assert sorted(text for one in asked for text in one.texts if text != WITNESS) == sorted(TEXTS)


@pytest.mark.parametrize("kind", KINDS)
def test_prefixes_go_before_what_they_are_for(server: ModelServer, kind: str) -> None:
    """A passage and a query of the same text are different texts to the server; the key goes with each request."""
    model = model_at(server, kind, shape=Shape(WINDOW, DIMENSION, "passage: ", "query: "), key=SecretStr("k"))
    model.encode(["a"])
    model.encode(["a"], "query")
    first, second = server.encodings()
    assert [first.texts[0], second.texts[0]] == ["passage: a", "query: a"]
    assert first.headers["authorization"] == "Bearer k"


def test_a_server_that_takes_fewer_texts_is_asked_for_fewer(server: ModelServer) -> None:
    """A request that is too large is halved until it fits, and the size is kept for the next call."""
    server.most = 5
    model = model_at(server, "openai")
    np.testing.assert_allclose(model.encode(TEXTS[:20]), rows_of(TEXTS[:20]), atol=1e-6)
    before = len(server.asked)
    model.encode(TEXTS[:20])
    assert all(len(one.texts) <= 5 for one in server.asked[before:])


def test_tei_says_itself_how_many_texts_it_takes(server: ModelServer) -> None:
    """`max_client_batch_size` is kept from the first request on."""
    server.most = server.info["max_client_batch_size"] = 5
    model_at(server, "tei").encode(TEXTS[:20])
    assert max(len(one.texts) for one in server.encodings()) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_too_long_texts_are_named_and_the_others_are_not_blamed(server: ModelServer, kind: str) -> None:
    """The server refuses a whole request; which texts were too long is found out, by tokens or by halving."""
    texts = [*TEXTS[:9], "word " * (WINDOW + 1), *TEXTS[9:12], "long " * (WINDOW + 9)]
    with pytest.raises(ChunkTooLongError) as caught:
        model_at(server, kind).encode(texts)
    assert caught.value.texts == (9, 13)
    assert caught.value.tokens == (WINDOW + 9 if kind == "tei" else 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [500, 503, 408, 424])
def test_a_fault_that_passes_is_waited_out(
    server: ModelServer, kind: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two failures, then an answer: the caller sees the answer alone."""
    monkeypatch.setattr(retrying, "_FIRST_S", 0.01)
    server.faults.extend([Fault(status), Fault(200, cut=5)])
    np.testing.assert_allclose(model_at(server, kind).encode(["one"]), rows_of(["one"]), atol=1e-6)
    assert len(server.encodings()) == 3


def _date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("kind", "status", "headers"),
    [
        ("openai", 429, {"retry-after": "1"}),
        ("openai", 429, {"retry-after-ms": "1000", "retry-after": "9"}),
        ("tei", 503, {"retry-after": "1"}),
        ("openai", 429, "date"),
    ],
    ids=str,
)
def test_retry_after_is_kept_to(server: ModelServer, kind: str, status: int, headers: Any) -> None:
    """In seconds, in milliseconds, or as a date against the server's own: nothing is sent before."""
    if headers == "date":
        headers = {"retry-after": _date(2)}
    server.faults.append(Fault(status, headers=headers))
    model_at(server, kind).encode(["one"])
    first, second = server.encodings()
    assert 0.95 < second.at - first.at < 8


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> WatchedGate:
    """The gate of whatever server is asked next."""
    made = WatchedGate()
    monkeypatch.setattr(cooldown, "Gate", lambda: made)
    return made


def test_all_callers_of_a_process_pause_together(server: ModelServer, gate: WatchedGate) -> None:
    """One refusal stops six threads with three models of that server; after the pause one goes alone, then all."""
    models = [model_at(server, "openai"), model_at(server, "openai"), model_at(server, "tei", timeout_s=9.0)]
    models[2].warm_up()
    server.asked.clear()
    server.faults.append(Fault(429, headers={"retry-after": "1"}))
    limited = threading.Thread(target=models[0].encode, args=(["first"],))
    limited.start()
    assert gate.noted.refused.wait(60)
    threads = [threading.Thread(target=models[n % 3].encode, args=([f"n {n}"],)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in [limited, *threads]:
        thread.join()
    refused, *rest = sorted(one.at for one in server.asked)
    assert len(server.encodings()) == 8
    assert min(rest) - refused >= 0.95


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_of_faults_changes_no_vector_and_no_pause_is_broken(
    server: ModelServer, gate: WatchedGate, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six threads on three models, a third of all requests failing somehow: whoever gets an answer gets the right one,
    in time everybody does, and nothing is let through between a refusal and the end of the pause that it asked for, or
    sent without having been let through."""
    monkeypatch.setattr(retrying, "_FIRST_S", 0.005)
    chance = random.Random(seed)
    limited = Fault(429, {"retry-after": "1"})
    faults = [limited, *[Fault(500), Fault(503), Fault(cut=9), Fault(hang_up=True)] * 3, *[Fault()] * 26]
    server.faults.extend([Fault(), Fault(), limited, *chance.choices(faults, k=90)])
    models = [model_at(server, kind, RemoteTerms(texts=4, patience_s=20.0)) for kind in ("openai", "openai", "tei")]
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(4):
            texts = [f"thread {number} turn {turn} text {n}" for n in range(1 + number * 2)]
            found = models[number % 3].encode(texts)
            if not np.allclose(found, rows_of(texts), atol=1e-6):
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(server.encodings()) > 60
    assert gate.noted.refusals >= 1
    assert gate.noted.early == []
    assert len(server.asked) <= len(gate.noted.admitted)


def test_another_key_is_another_account(server: ModelServer) -> None:
    """A limit on one key does not hold back who has another."""
    server.faults.append(Fault(429, headers={"retry-after": "60"}))
    with pytest.raises(ModelUnavailableError, match="429"):
        model_at(server, "openai", AT_ONCE, key=SecretStr("a")).encode(["one"])
    with pytest.raises(ModelUnavailableError, match="too many requests"):
        model_at(server, "openai", key=SecretStr("a")).encode(["one"])
    model_at(server, "openai", key=SecretStr("b")).encode(["one"])
    assert len(server.encodings()) == 2


def test_a_query_does_not_wait_for_long(server: ModelServer) -> None:
    """Somebody waits for the answer: patience for queries is its own."""
    server.faults.extend([Fault(503)] * 9)
    with pytest.raises(ModelUnavailableError, match="503"):
        model_at(server, "openai").encode(["one"], "query")
    assert len(server.encodings()) == 1


def test_an_account_without_money_is_said_at_once(server: ModelServer) -> None:
    """Waiting does not fill an account: the words of the server are the error."""
    server.faults.append(Fault(429, words='{"error": {"code": "insufficient_quota"}}'))
    with pytest.raises(ModelUnavailableError, match="insufficient_quota"):
        model_at(server, "openai").encode(["one"])
    assert len(server.encodings()) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [Fault(delay_s=0.5), Fault(drip_s=0.02)], ids=["silent", "a byte at a time"])
def test_a_slow_server_times_out(server: ModelServer, kind: str, fault: Fault) -> None:
    """A request has an end, also when every single read has one in time; the server counts as down."""
    server.faults.append(fault)
    with pytest.raises(ModelUnavailableError, match="timed out"):
        model_at(server, kind, AT_ONCE, timeout_s=0.2).encode(["one"])


def test_nobody_there_is_unavailable(server: ModelServer) -> None:
    """A refused connection names the address."""
    model = OpenAiModel("http://127.0.0.1:9/v1", name="m", revision="r", shape=Shape(64, 8), terms=AT_ONCE)
    with pytest.raises(ModelUnavailableError, match=r"127\.0\.0\.1:9.*refused"):
        model.encode(["one"])


def test_a_redirect_does_not_take_the_key_elsewhere(server: ModelServer) -> None:
    """Another host is another server: the key is not sent there, and the address of it is said."""
    server.faults.append(Fault(302, {"location": f"{server.url}/v1/elsewhere"}, words="moved"))
    with pytest.raises(EmbedderError, match="302: moved"):
        model_at(server, "openai", key=SecretStr("k")).encode(["one"])
    assert [one.path for one in server.asked] == ["/v1/embeddings"]


def test_a_connection_serves_many_requests(server: ModelServer) -> None:
    """Opened once; when the server has closed it meanwhile, opened again without the caller noticing."""
    model = model_at(server, "tei", AT_ONCE)
    for _ in range(5):
        model.encode(["one"])
    assert server.connections == 1
    server.faults.append(Fault(hang_up=True))
    for _ in range(3):
        model.encode(["one"])
    assert server.connections == 2


def test_a_proxy_of_the_environment_is_used(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server outside is asked through the proxy, with the proxy's own key; `no_proxy` goes straight."""
    monkeypatch.setenv("http_proxy", server.url.replace("http://", "http://user:p%40ss@"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    shape = Shape(WINDOW, DIMENSION)
    OpenAiModel("http://models.example/v1", name="stub", revision="r", shape=shape, terms=AT_ONCE).encode(["one"])
    model_at(server, "openai").encode(["one"])
    through, straight = server.encodings()
    assert through.path == "http://models.example/v1/embeddings"
    assert through.headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    assert straight.path == "/v1/embeddings"


@pytest.mark.parametrize(
    ("status", "words", "too_long"),
    [
        (400, "This model's maximum context length is 8192 tokens, however you requested 9000 tokens", True),
        (400, "the input length exceeds the context length", True),
        (422, "`inputs` must have less than 512 tokens. Given: 600", True),
        (413, "", True),
        (400, "Invalid API token", False),
        (400, "encoding_format: must be float", False),
        (404, "the model `m` does not exist", False),
    ],
)
def test_only_words_about_length_make_a_text_too_long(
    server: ModelServer, status: int, words: str, too_long: bool
) -> None:
    """A text that is too long becomes a dead letter; any other refusal stops the service, and no document pays."""
    server.faults.append(Fault(status, words=words))
    with pytest.raises(EmbedderError) as caught:
        model_at(server, "openai").encode(["one"])
    assert isinstance(caught.value, ChunkTooLongError) == too_long
    assert words in str(caught.value) or too_long


def test_a_wrong_key_stops_the_service(server: ModelServer) -> None:
    """Trying again does not help: the error is not one that is waited for."""
    server.faults.append(Fault(401, words="no such key"))
    with pytest.raises(EmbedderError, match="401: no such key") as caught:
        model_at(server, "openai").encode(["one"])
    assert not isinstance(caught.value, ModelUnavailableError)


def _each(change: Any) -> Any:
    """Change every vector of an answer, of either form."""

    def changed(answer: Any) -> Any:
        if isinstance(answer, list):
            return [change(vector) for vector in answer]
        return answer | {"data": [item | {"embedding": change(item["embedding"])} for item in answer["data"]]}

    return changed


def _list(change: Any) -> Any:
    """Change the list of vectors of an answer, of either form. Indices are left in order from 0."""

    def changed(answer: Any) -> Any:
        if isinstance(answer, list):
            return change(answer)
        return answer | {"data": change(sorted(answer["data"], key=lambda item: item["index"]))}

    return changed


WRONG = {
    "wrong dimension": (_each(lambda vector: vector[:-1]), r"shape \(7,\), not 8"),
    "zeros": (_each(lambda vector: [0.0] * 8), "without a direction"),
    "nan": (_each(lambda vector: [float("nan")] * 8), "without a direction"),
    "words": (_each(lambda vector: "no numbers"), "not numbers"),
    "truncated": (_list(lambda items: items[:1]), "1 vectors for 2 texts"),
    "another form": (lambda answer: {"vectors": answer}, "form|list of vectors"),
    "too many": (_list(lambda items: [*items, *items]), "index twice|4 vectors for 2 texts"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_is_not_one_vector_per_text_is_refused(server: ModelServer, kind: str, name: str) -> None:
    """Nothing of it reaches a cache or an index, and the error says what came."""
    change, words = WRONG[name]
    server.faults.append(Fault(change=change))
    with pytest.raises(EmbedderError, match=words) as caught:
        model_at(server, kind).encode(["one"])
    assert not isinstance(caught.value, ModelUnavailableError)


def test_tei_counts_tokens_and_openai_bounds_them(server: ModelServer) -> None:
    """Exact where the server tells, never less than the truth where it does not."""
    assert model_at(server, "tei").count_tokens(["one two three", "one"]) == [3, 1]
    assert model_at(server, "openai").count_tokens(["one two", ""]) == [7, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": {"reranker": {}}}, "serves reranker, not embeddings"),
        ({"model_sha": None}, "set model_revision"),
        ({"max_input_length": 32}, "window: 64 exceeds the 32"),
        ({"model_type": None}, "not of TEI's form"),
    ],
)
def test_a_tei_server_that_cannot_be_used_is_refused_at_the_start(
    server: ModelServer, change: dict[str, Any], words: str
) -> None:
    """Reranker, weights without a name, a window it does not have, another server."""
    server.info = server.info | change
    with pytest.raises(ModelLoadError, match=words):
        model_at(server, "tei").warm_up()


def test_long_revisions_do_not_look_alike() -> None:
    """A fingerprint has room for 16 characters; what differs later must differ all the same."""
    names = {
        OpenAiModel("http://x/v1", name="m", revision=f"2026-11-29-release-{n}", shape=Shape(64, 8)).fingerprint
        for n in range(3)
    }
    assert len(names) == 3
