"""Asking: what stands between the passages found and the answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.errors import ModelChangedError, ModelUnavailableError
from roggia_embedder.ports import EmbeddingModel, Matrix, TextKind
from roggia_embedder.query import api
from roggia_embedder.query.errors import EncoderUnavailableError, ModelNotLoadedError
from roggia_embedder.query.role import QueryRole
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.stores import Stores
from roggia_runtime.records import Headers
from roggia_schemas.events import RetrievalServed

from tests.support.query import WordsModel, binding, passage, spec

LONG = " ".join(f"key{i}" for i in range(30)) + " are signing keys."


async def publish(event: RetrievalServed, parent: Headers) -> None:
    """Nobody listens."""


async def role(model: EmbeddingModel, *texts: str, holds: WordsModel | None = None) -> QueryRole:
    """A query role over these passages, which `holds` (or the model itself) encoded."""
    builder = holds or WordsModel()
    store, catalogue = MemoryStore(), MemoryCatalogue()
    await store.ensure_collection(spec(binding(builder)))
    await catalogue.bind(binding(builder))
    await store.upsert(binding(builder).collection, [passage(builder, f"c{i}", t) for i, t in enumerate(texts)])
    made = QueryRole(Stores.alone(store, catalogue), [model], publish, QuerySettings(threshold=0.2))
    assert made.health() == ["model: loading"]
    await made.start()
    assert made.health() == []
    return made


def request(mode: api.Mode = api.Mode.HYBRID) -> api.SearchRequest:
    """A question about keys."""
    return api.SearchRequest(tenant="acme", domain="docs", query="signing keys rotated", mode=mode)


class NarrowModel(WordsModel):
    """Counts more tokens than words: sentences that fit one model's window do not fit another's."""

    def count_tokens(self, texts: Sequence[str], kind: TextKind = "passage") -> list[int]:
        return [tokens * (3 if kind == "passage" else 1) for tokens in super().count_tokens(texts, kind)]


async def test_sentence_beyond_the_window_is_left_out() -> None:
    """A sentence that the model cannot take whole is not quoted, and nothing fails."""
    service = (await role(NarrowModel(), f"{LONG} Signing keys are rotated.", holds=WordsModel())).service
    answer = await service.ask(request())
    assert answer.answer == "Signing keys are rotated. [1]"


async def test_asking_needs_the_model_also_in_lexical_mode() -> None:
    """Finding by words needs no model, judging sentences does: without it the request is refused, not guessed."""
    service = (await role(WordsModel("other"), "Signing keys are rotated.")).service
    assert (await service.search(request(api.Mode.LEXICAL))).results
    with pytest.raises(ModelNotLoadedError):
        await service.ask(request(api.Mode.LEXICAL))


class DownModel(WordsModel):
    """A model server that does not answer, or not as the model that it was."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        raise self._error


@pytest.mark.parametrize(
    "error", [ModelUnavailableError("connection refused"), ModelChangedError("http://model", "a", "b")], ids=repr
)
async def test_model_server_that_is_down_or_another_is_a_503(error: Exception) -> None:
    """A model that may answer later is reported as unavailable; no query is answered by another one."""
    service = (await role(DownModel(error), "Signing keys are rotated.", holds=WordsModel())).service
    with pytest.raises(EncoderUnavailableError) as caught:
        await service.search(request())
    assert (caught.value.status, caught.value.code) == (503, "model_unavailable")


async def test_same_question_same_answer() -> None:
    """Answers are deterministic: asked again, the same sentences in the same order with the same numbers."""
    texts = [f"Signing keys are rotated in month {i}. Keys {i} are kept." for i in range(8)]
    service = (await role(WordsModel(), *texts)).service
    answers = [await service.ask(request()) for _ in range(3)]
    assert len({(a.answer, a.citations, a.relevance) for a in answers}) == 1
    assert answers[0].found
