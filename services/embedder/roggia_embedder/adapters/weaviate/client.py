"""The few requests that the store makes, and what their refusals mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import aiohttp
import msgspec

from roggia_embedder.errors import StoreUnavailableError, StoreUnusableError, UnknownCollectionError

Json: TypeAlias = dict[str, Any]

_TIMEOUT_S: Final = 30.0
_OK, _NOT_FOUND, _INVALID, _LIMITED, _SERVER = 200, 404, 422, 429, 500
_REFUSED: Final = {401, 403}
MOST: Final = 10_000
"""Objects that one query may answer with, or one deletion remove: Weaviate's QUERY_MAXIMUM_RESULTS as it is shipped."""


class Client:
    """One Weaviate server. Raises `StoreUnavailableError` when it does not answer or asks to try again."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def classes(self) -> list[Json]:
        """Every class, ours or not."""
        found: list[Json] = (await self._asked("GET", "/v1/schema")).get("classes") or []
        return found

    async def definition(self, name: str) -> Json | None:
        """A class as it was created, or None."""
        status, body = await self._send("GET", f"/v1/schema/{name}")
        return None if status == _NOT_FOUND else _checked(status, body)

    async def create(self, definition: Json) -> None:
        """Create a class; one that another writer has just created is no error (look at it afterwards)."""
        status, body = await self._send("POST", "/v1/schema", definition)
        if status != _INVALID or await self.definition(definition["class"]) is None:
            _checked(status, body)

    async def drop(self, name: str) -> None:
        """Remove a class with its objects; one that is not there is no error."""
        status, body = await self._send("DELETE", f"/v1/schema/{name}")
        if status != _NOT_FOUND:
            _checked(status, body)

    async def query(self, name: str, text: str, root: str = "Get") -> list[Json]:
        """Rows of a GraphQL query of one class. Raises `UnknownCollectionError` when the class is not there."""
        body = await self._asked("POST", "/v1/graphql", {"query": text})
        if body.get("errors"):
            # What GraphQL says of a class that is missing depends on whether there is any other.
            if await self.definition(name) is None:
                raise UnknownCollectionError(f"class {name} does not exist")
            raise StoreUnavailableError(f"vector store (Weaviate): {body['errors'][0].get('message')}")
        rows: list[Json] = body["data"][root][name] or []
        return rows

    async def put(self, objects: Sequence[Json]) -> None:
        """Insert or replace objects, each as a whole. Raises when one of them was not taken."""
        answer = await self._asked("POST", "/v1/batch/objects", {"objects": list(objects)})
        for one in answer:
            if one["result"]["status"] == "FAILED":
                raise StoreUnavailableError(
                    f"vector store (Weaviate): object {one['id']}: {one['result'].get('errors')}"
                )

    async def delete(self, name: str, where: Json) -> int:
        """Remove every object that matches. Returns how many."""
        removed: int = 0
        while True:
            body = {"match": {"class": name, "where": where}, "output": "minimal"}
            results = (await self._asked("DELETE", "/v1/batch/objects", body))["results"]
            if results["failed"]:
                raise StoreUnavailableError(f"vector store (Weaviate): {results['failed']} objects were not deleted")
            removed += int(results["successful"])
            if results["matches"] < results["limit"]:
                return removed

    async def page(self, name: str, after: str, limit: int) -> list[Json]:
        """Objects in the order of their ids, from behind `after` on (empty: from the first), with vectors."""
        wanted = {"class": name, "limit": str(limit), "after": after, "include": "vector"}
        found: list[Json] = (await self._asked("GET", "/v1/objects", parameters=wanted)).get("objects") or []
        return found

    async def one(self, name: str, object_id: str) -> Json | None:
        """Properties of one object, or None."""
        status, body = await self._send("GET", f"/v1/objects/{name}/{object_id}")
        if status == _NOT_FOUND:
            return None
        properties: Json = _checked(status, body)["properties"]
        return properties

    async def _asked(self, method: str, path: str, body: Json | None = None, parameters: Any = None) -> Any:
        return _checked(*await self._send(method, path, body, parameters))

    async def _send(
        self, method: str, path: str, body: Json | None = None, parameters: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={**self._headers, "Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            )
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with self._session.request(method, self._url + path, data=data, params=parameters) as response:
                return response.status, _decoded(await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StoreUnavailableError(f"vector store (Weaviate): {type(error).__name__}: {error}") from error


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content) if content else {}
    except msgspec.DecodeError:
        return {"error": content[:200].decode(errors="replace")}


def _checked(status: int, body: Any) -> Any:
    if status == _OK:
        return body
    if status in _REFUSED:
        raise StoreUnusableError(f"store: Weaviate refuses the key (HTTP {status}); set store_key")
    if status == _LIMITED or status >= _SERVER:
        raise StoreUnavailableError(f"vector store (Weaviate): HTTP {status}: {body}")
    if status == _NOT_FOUND:
        raise UnknownCollectionError(f"vector store (Weaviate): not found: {body}")
    raise StoreUnusableError(f"store: Weaviate refuses a request (HTTP {status}): {body}; is it 1.24 or newer?")
