"""From a request to the one collection that answers it. What it holds, the collection itself says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from roggia_runtime.errors import UnavailableError
from roggia_schemas.names import alias_name, collection_name

from roggia_embedder.ports import Aliasing, IndexBinding, Searching
from roggia_embedder.query import api
from roggia_embedder.query.errors import IndexUnavailableError, UnknownGenerationError, UnknownIndexError
from roggia_embedder.query.models import Models

_TRIES = 3
"""A collection may go between the look at its alias and the look at itself."""
Canary: TypeAlias = Callable[[str, str, str], int | None]
"""Tenant, domain and query to the generation that answers as a canary, or None."""


def no_canary(_tenant_id: str, _domain: str, _query: str) -> int | None:
    """Nobody answers as a canary."""
    return None


class Resolver:
    """Resolves once per request. Neither alias nor record is believed about the model: it is read from the collection,
    so that a catalogue that lags behind can name an older collection, never a wrong model."""

    def __init__(
        self,
        catalogue: Aliasing,
        store: Searching,
        models: Models,
        canary: Canary = no_canary,
    ) -> None:
        self._catalogue, self._store, self._models, self._canary = catalogue, store, models, canary

    async def resolve(self, request: api.SearchRequest, *, fresh: bool = False) -> IndexBinding:
        """What answers; `fresh` believes no store's memory. Raises `UnknownIndexError`, `UnknownGenerationError`,
        `IndexUnavailableError`."""
        try:
            if request.generation is not None:
                return await self._pinned(request, request.generation, fresh)
            return await self._as_canary(request, fresh) or await self._serving(request, fresh)
        except UnavailableError as error:
            raise IndexUnavailableError(f"the index catalogue does not answer: {error}") from error

    async def _serving(self, request: api.SearchRequest, fresh: bool) -> IndexBinding:
        gone = ""
        for _ in range(_TRIES):
            alias = await self._catalogue.resolve(request.tenant, request.domain)
            if alias is None:
                raise UnknownIndexError(
                    f"domain: tenant {request.tenant!r} has no index {request.domain!r}; publish a document there "
                    "first, or check both names",
                    "domain",
                )
            found = await self._of(alias.alias, alias.collection, fresh)
            if found is not None:
                return found
            gone = alias.collection
        raise IndexUnavailableError(f"collection {gone} is being replaced; try again")

    async def _as_canary(self, request: api.SearchRequest, fresh: bool) -> IndexBinding | None:
        """The canary that is to answer, if it can: it must not cost a user the answer."""
        number = self._canary(request.tenant, request.domain, request.query)
        try:
            found = None if number is None else await self._of_generation(request, number, fresh)
        except UnavailableError:  # of another store, perhaps; if not, what serves says the same
            return None
        return found if found is not None and self._models.has(found.model) else None

    async def _pinned(self, request: api.SearchRequest, number: int, fresh: bool) -> IndexBinding:
        found = await self._of_generation(request, number, fresh)
        if found is None:
            raise UnknownGenerationError(
                f"generation: index {request.domain!r} of tenant {request.tenant!r} has no collection of generation "
                f"{number}; see GET {api.COLLECTIONS_PATH}, or leave it out for the one that serves",
                "generation",
            )
        return found

    async def _of_generation(self, request: api.SearchRequest, number: int, fresh: bool) -> IndexBinding | None:
        alias = alias_name(request.tenant, request.domain)
        return await self._of(alias, collection_name(request.tenant, request.domain, number), fresh)

    async def _of(self, alias: str, collection: str, fresh: bool) -> IndexBinding | None:
        spec = await self._store.spec(collection, fresh=fresh)
        return None if spec is None else IndexBinding(alias, spec.name, spec.generation, spec.model, spec.dimension)
