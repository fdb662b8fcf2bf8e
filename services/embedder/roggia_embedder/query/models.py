"""The embedding models that this process has loaded, found by fingerprint: a query is encoded by no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from functools import partial

from roggia_embedder.errors import ModelUnavailableError
from roggia_embedder.ports import EmbeddingModel, IndexBinding, Matrix
from roggia_embedder.query.encoding import BatchingEncoder
from roggia_embedder.query.errors import EncoderUnavailableError, ModelNotLoadedError, QueryTooLongError


class QueryModel:
    """One loaded model, shared by concurrent requests. Queries and quoted sentences are encoded as their kind."""

    def __init__(self, model: EmbeddingModel, max_waiting: int) -> None:
        self._model = model
        self._queries = BatchingEncoder(partial(model.encode, kind="query"), max_waiting=max_waiting)
        self._passages = BatchingEncoder(partial(model.encode, kind="passage"), max_waiting=max_waiting)

    @property
    def fingerprint(self) -> str:
        """The model's fingerprint."""
        return self._model.fingerprint

    async def encode_query(self, text: str) -> Matrix:
        """Unit vector of a query. Raises `QueryTooLongError` when it does not fit the window: nothing is cut."""
        tokens = (await asyncio.to_thread(self._model.count_tokens, [text], "query"))[0]
        if tokens > self._model.window:
            raise QueryTooLongError(
                f"query: {tokens} tokens do not fit the model's window of {self._model.window}; "
                "shorten the query, or use mode lexical",
                "query",
            )
        row: Matrix = (await _answer(self._queries.encode([text])))[0]
        return row

    async def fitting(self, texts: Sequence[str]) -> list[bool]:
        """Which texts fit the window as passages."""
        counts = await asyncio.to_thread(self._model.count_tokens, texts, "passage")
        return [tokens <= self._model.window for tokens in counts]

    async def encode_sentences(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors of sentences copied from passages, one row each. All of them must fit."""
        return await _answer(self._passages.encode(texts))

    async def close(self) -> None:
        """Finish what is queued and end the threads."""
        await self._queries.close()
        await self._passages.close()


class Models:
    """Loaded models by fingerprint. `max_waiting` bounds the requests that wait for each."""

    def __init__(self, models: Iterable[EmbeddingModel], *, max_waiting: int = 256) -> None:
        self._models = {model.fingerprint: QueryModel(model, max_waiting) for model in models}

    def of(self, binding: IndexBinding) -> QueryModel:
        """The model that `binding`'s vectors are of. Raises `ModelNotLoadedError` naming what it holds and what is
        loaded."""
        model = self._models.get(binding.model)
        if model is None:
            raise ModelNotLoadedError(
                f"collection {binding.collection} holds vectors of model {binding.model}; this process has loaded "
                f"{', '.join(sorted(self._models)) or 'none'}: start a query role with that model"
            )
        return model

    async def close(self) -> None:
        """End the threads of all models."""
        for model in self._models.values():
            await model.close()


async def _answer(encoding: Awaitable[Matrix]) -> Matrix:
    try:
        return await encoding
    except ModelUnavailableError as error:
        raise EncoderUnavailableError(f"the embedding model does not answer: {error}") from error
