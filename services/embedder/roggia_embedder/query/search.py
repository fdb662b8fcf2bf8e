"""Finds passages: one index resolved once, the query encoded by that index's own model, tenant and ACL always on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from roggia_embedder import lexical
from roggia_embedder.embedding.metering import Owner
from roggia_embedder.errors import EmbedderError, StoreUnavailableError, UnknownCollectionError
from roggia_embedder.ports import (
    Aliasing,
    Filters,
    Hit,
    IndexBinding,
    Matrix,
    Searching,
    SearchRequest,
    SparseVector,
    model_stamp,
)
from roggia_embedder.query import answering, api
from roggia_embedder.query.errors import IndexUnavailableError
from roggia_embedder.query.models import Models, QueryModel
from roggia_embedder.query.resolving import Canary, Resolver, no_canary

_TRIES = 3
"""How often an index is resolved for one request: a collection may be replaced once while it is being asked, and its
successor too."""


class _ReplacedError(EmbedderError):
    """The collection went, or holds another model's vectors, between the look at its spec and the search."""


@dataclass(frozen=True, slots=True)
class Found:
    """Passages, best first, and the index that they came from. `vector` is the query's, None in lexical mode."""

    binding: IndexBinding
    passages: tuple[api.Passage, ...]
    vector: Matrix | None = None


class Searcher:
    """Answers checked requests. `languages` are those whose stems a query without a language filter is tried in."""

    def __init__(
        self,
        catalogue: Aliasing,
        store: Searching,
        models: Models,
        *,
        now_ms: Callable[[], int],
        languages: Sequence[str] = ("en",),
        canary: Canary = no_canary,
    ) -> None:
        self._resolver = Resolver(catalogue, store, models, canary)
        self._store = store
        self._models = models
        self._now_ms = now_ms
        self._languages = tuple(languages)

    async def search(self, request: api.SearchRequest) -> Found:
        """Passages of the request's tenant and domain that its groups may see, at most `k`.

        Raises `UnknownIndexError`, `UnknownGenerationError`, `ModelNotLoadedError`, `QueryTooLongError`,
        `IndexUnavailableError`, `OverloadedError`.
        """
        why: _ReplacedError | None = None
        for _ in range(_TRIES):
            try:
                return await self._in(await self._resolver.resolve(request, fresh=why is not None), request)
            except _ReplacedError as error:
                why = error
        raise IndexUnavailableError(f"{why}; try again") from why

    async def _in(self, binding: IndexBinding, request: api.SearchRequest) -> Found:
        """Passages of a resolved index. Raises `_ReplacedError` when its collection is no longer what it was."""
        answering.by(binding.generation)
        dense = None if request.mode is api.Mode.LEXICAL else await self._vector(binding, request)
        words = None if request.mode is api.Mode.DENSE else self._words(request)
        if dense is None and words is None:
            return Found(binding, ())
        hits = await self._search(binding.collection, self._asked(request, dense, words))
        if dense is not None:
            _check_models(binding, hits)
        return Found(binding, tuple(passage(hit) for hit in hits), dense)

    async def _vector(self, binding: IndexBinding, request: api.SearchRequest) -> Matrix:
        return await self.model(binding).encode_query(request.query, payer(request))

    def model(self, binding: IndexBinding) -> QueryModel:
        """The model of a resolved index. Raises `ModelNotLoadedError`."""
        return self._models.of(binding)

    def _words(self, request: api.SearchRequest) -> SparseVector | None:
        languages = (request.filters.language,) if request.filters.language else self._languages
        words = lexical.encode_query(request.query, languages)
        return words if len(words.indices) else None

    def _asked(self, request: api.SearchRequest, dense: Matrix | None, words: SparseVector | None) -> SearchRequest:
        wanted = request.filters
        return SearchRequest(
            tenant_id=request.tenant,
            groups=request.groups,
            k=request.k,
            now_ms=self._now_ms(),
            dense=dense,
            lexical=words,
            filters=Filters(language=wanted.language, source=wanted.source, metadata=wanted.metadata),
            exact=request.exact,
        )

    async def _search(self, collection: str, asked: SearchRequest) -> list[Hit]:
        try:
            return await self._store.search(collection, asked)
        except UnknownCollectionError as error:
            raise _ReplacedError(f"collection {collection} is being replaced") from error
        except StoreUnavailableError as error:
            raise IndexUnavailableError(f"the vector store does not answer: {error}") from error


def payer(request: api.SearchRequest) -> Owner:
    """Whose cost it is what a model computes for a request. One that measures, also of a generation in the shadow, is
    on nobody's budget."""
    return Owner(request.tenant, shadow=request.measures)


def _check_models(binding: IndexBinding, hits: Sequence[Hit]) -> None:
    """Every passage says which model made its vector. Raises `_ReplacedError` for another than was asked with."""
    stamp = model_stamp(binding.model)
    if any(hit.model not in ("", stamp) for hit in hits):
        raise _ReplacedError(f"collection {binding.collection} holds vectors of another model than {binding.model}")


def passage(hit: Hit) -> api.Passage:
    """A hit as it travels to the client."""
    return api.Passage(
        doc_id=hit.doc_id,
        chunk_id=hit.chunk_id,
        score=hit.score,
        text=hit.text,
        title=hit.title,
        heading_path=tuple(hit.heading_path),
        source=hit.source,
        language=hit.language,
        revision=hit.version.revision,
        metadata=dict(hit.metadata),
    )
