"""Small records of our own, each one object: replaced as a whole, so that a reader sees it before or after."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from roggia_embedder.adapters.weaviate.client import Client, Json

_CLASS: Final = "RoggiaState"
_IDS: Final = uuid.UUID("3d1d4a3c-7b0f-5c37-9a3e-0c2d7c9f51aa")
_DEFINITION: Final[Json] = {
    "class": _CLASS,
    "description": "Records of Roggia's index: aliases, and who writes.",
    "vectorConfig": {"none": {"vectorizer": {"none": {}}, "vectorIndexType": "flat"}},
    "properties": [
        {"name": "record", "dataType": ["text"], "indexFilterable": False, "indexSearchable": False,
         "tokenization": "field"},
    ],
}  # fmt: skip


class State:
    """Records by name."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._made = False

    async def read(self, name: str) -> dict[str, Any]:
        """The record, empty when it was never written."""
        if not self._made and await self._client.definition(_CLASS) is None:
            return {}
        self._made = True
        held = await self._client.one(_CLASS, _id(name))
        record: dict[str, Any] = json.loads(held["record"]) if held else {}
        return record

    async def write(self, name: str, record: dict[str, Any]) -> None:
        """Replace the record."""
        if not self._made:
            await self._client.create(_DEFINITION)
            self._made = True
        text = json.dumps(record, ensure_ascii=False, sort_keys=True)
        await self._client.put([{"class": _CLASS, "id": _id(name), "properties": {"record": text}}])


def _id(name: str) -> str:
    return str(uuid.uuid5(_IDS, name))
