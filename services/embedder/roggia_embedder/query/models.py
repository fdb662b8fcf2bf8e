"""The embedding models that this process has loaded, found by fingerprint: a query is encoded by no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Sequence
from typing import Final

from roggia_embedder.embedding.metering import Metering, Owner
from roggia_embedder.errors import ModelChangedError, ModelUnavailableError
from roggia_embedder.ports import EmbeddingModel, IndexBinding, Matrix, TextKind
from roggia_embedder.query.encoding import BatchingEncoder, ClosedError
from roggia_embedder.query.errors import EncoderUnavailableError, ModelNotLoadedError, QueryTooLongError
from roggia_embedder.query.metering import Counted, QueryBills

_KINDS: Final[tuple[TextKind, ...]] = ("query", "passage")
NOT_METERED: Final = Metering(on=False)


class QueryModel:
    """One loaded model, shared by concurrent requests. Queries and quoted sentences are encoded as their kind."""

    def __init__(self, model: EmbeddingModel, max_waiting: int, metering: Metering, bills: QueryBills) -> None:
        self._model = model
        self._counted = [Counted(model, kind, metering, bills) for kind in _KINDS]
        self._queries, self._passages = [BatchingEncoder(one, max_waiting=max_waiting) for one in self._counted]

    async def encode_query(self, text: str, owner: Owner) -> Matrix:
        """Unit vector of a query of `owner`'s. Raises `QueryTooLongError` when it does not fit the window: nothing is
        cut."""
        tokens = (await asyncio.to_thread(self._model.count_tokens, [text], "query"))[0]
        if tokens > self._model.window:
            raise QueryTooLongError(
                f"query: {tokens} tokens do not fit the model's window of {self._model.window}; "
                "shorten the query, or use mode lexical",
                "query",
            )
        row: Matrix = (await _answer(self._queries.encode([text], owner)))[0]
        return row

    async def fitting(self, texts: Sequence[str]) -> list[bool]:
        """Which texts fit the window as passages."""
        counts = await asyncio.to_thread(self._model.count_tokens, texts, "passage")
        return [tokens <= self._model.window for tokens in counts]

    async def encode_sentences(self, texts: Sequence[str], owner: Owner) -> Matrix:
        """Unit vectors of sentences copied from passages, one row each. All of them must fit."""
        return await _answer(self._passages.encode(texts, owner))

    async def close(self) -> None:
        """Finish what is queued and end the threads."""
        await self._queries.close()
        await self._passages.close()
        for counted in self._counted:
            counted.close()


class Models:
    """Models by fingerprint, from `start` on. `max_waiting` bounds the requests that wait for each. What metered ones
    compute is in `bills`."""

    def __init__(
        self, models: Iterable[EmbeddingModel], *, max_waiting: int = 256, metering: Metering = NOT_METERED
    ) -> None:
        self.bills = QueryBills()
        self._metering = metering
        self._waiting = tuple(models)
        self._max_waiting = max_waiting
        self._models: dict[str, QueryModel] = {}

    async def start(self) -> None:
        """Load every model; takes seconds, in a thread."""
        for model in self._waiting:
            await asyncio.to_thread(model.warm_up)
            self.add(model)
        self._waiting = ()

    def add(self, model: EmbeddingModel) -> None:
        """Take a loaded model, unless there is one of its fingerprint."""
        if model.fingerprint not in self._models:
            self._models[model.fingerprint] = QueryModel(model, self._max_waiting, self._metering, self.bills)

    def has(self, fingerprint: str) -> bool:
        """Whether a model is loaded."""
        return fingerprint in self._models

    async def keep(self, fingerprints: Collection[str]) -> None:
        """Let go of every other model. What waits for one is still encoded; requests that come later are refused."""
        for fingerprint in [name for name in self._models if name not in fingerprints]:
            await self._models.pop(fingerprint).close()

    def loading(self) -> bool:
        """Whether `start` has still to finish."""
        return bool(self._waiting)

    def of(self, binding: IndexBinding) -> QueryModel:
        """The model that `binding`'s vectors are of. Raises `ModelNotLoadedError` naming what it holds and what is
        loaded."""
        model = self._models.get(binding.model)
        if model is None:
            remedy = "wait until it is ready" if self.loading() else "start a query role with that model"
            raise ModelNotLoadedError(
                f"collection {binding.collection} holds vectors of model {binding.model}; this process has loaded "
                f"{', '.join(sorted(self._models)) or 'none'}: {remedy}"
            )
        return model

    async def close(self) -> None:
        """End the threads of all models."""
        for model in self._models.values():
            await model.close()


async def _answer(encoding: Awaitable[Matrix]) -> Matrix:
    try:
        return await encoding
    except ClosedError as error:
        raise ModelNotLoadedError(f"the model has just been let go of; try again ({error})") from error
    except (ModelUnavailableError, ModelChangedError) as error:
        raise EncoderUnavailableError(f"the embedding model does not answer: {error}") from error
