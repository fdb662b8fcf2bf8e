"""Finds passages: one index resolved once, the query encoded by that index's own model, tenant and ACL always on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from roggia_runtime.errors import UnavailableError

from roggia_embedder import lexical
from roggia_embedder.errors import StoreUnavailableError, UnknownCollectionError
from roggia_embedder.ports import (
    Filters,
    Hit,
    IndexBinding,
    IndexCatalogue,
    Matrix,
    SearchRequest,
    SparseVector,
    VectorStore,
)
from roggia_embedder.query import answering, api
from roggia_embedder.query.errors import IndexUnavailableError, UnknownIndexError
from roggia_embedder.query.models import Models, QueryModel


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
        catalogue: IndexCatalogue,
        store: VectorStore,
        models: Models,
        *,
        now_ms: Callable[[], int],
        languages: Sequence[str] = ("en",),
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._models = models
        self._now_ms = now_ms
        self._languages = tuple(languages)

    async def search(self, request: api.SearchRequest) -> Found:
        """Passages of the request's tenant and domain that its groups may see, at most `k`.

        Raises `UnknownIndexError`, `ModelNotLoadedError`, `QueryTooLongError`, `IndexUnavailableError`,
        `OverloadedError`.
        """
        binding = await self._resolve(request)
        answering.by(binding.generation)
        dense = None if request.mode is api.Mode.LEXICAL else await self.model(binding).encode_query(request.query)
        words = None if request.mode is api.Mode.DENSE else self._words(request)
        if dense is None and words is None:
            return Found(binding, ())
        hits = await self._search(binding.collection, self._asked(request, dense, words))
        return Found(binding, tuple(passage(hit) for hit in hits), dense)

    def model(self, binding: IndexBinding) -> QueryModel:
        """The model of a resolved index. Raises `ModelNotLoadedError`."""
        return self._models.of(binding)

    async def _resolve(self, request: api.SearchRequest) -> IndexBinding:
        try:
            binding = await self._catalogue.resolve(request.tenant, request.domain)
        except UnavailableError as error:
            raise IndexUnavailableError(f"the index catalogue does not answer: {error}") from error
        if binding is None:
            raise UnknownIndexError(
                f"domain: tenant {request.tenant!r} has no index {request.domain!r}; publish a document there first, "
                "or check both names",
                "domain",
            )
        return binding

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
        )

    async def _search(self, collection: str, asked: SearchRequest) -> list[Hit]:
        try:
            return await self._store.search(collection, asked)
        except UnknownCollectionError as error:
            raise IndexUnavailableError(f"collection {collection} is being replaced; try again") from error
        except StoreUnavailableError as error:
            raise IndexUnavailableError(f"the vector store does not answer: {error}") from error


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
