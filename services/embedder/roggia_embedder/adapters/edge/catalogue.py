"""An `IndexCatalogue` in one JSON file beside the shards, replaced atomically."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from roggia_schemas.names import alias_name

from roggia_embedder.adapters.edge.files import write_json
from roggia_embedder.ports import IndexBinding


class EdgeCatalogue:
    """Aliases of one embedded store. The store's lock keeps other processes out."""

    def __init__(self, root: Path) -> None:
        self._path = root / "aliases.json"
        rows = json.loads(self._path.read_text()) if self._path.exists() else []
        self._bindings = {row["alias"]: IndexBinding(**row) for row in rows}

    async def resolve(self, tenant_id: str, domain: str) -> IndexBinding | None:
        """See `IndexCatalogue`."""
        return self._bindings.get(alias_name(tenant_id, domain))

    async def bind(self, binding: IndexBinding) -> None:
        """See `IndexCatalogue`."""
        await self.switch([binding])

    async def switch(self, bindings: Sequence[IndexBinding]) -> None:
        """See `IndexCatalogue`: the file is replaced once, with every alias in it."""
        switched = self._bindings | {binding.alias: binding for binding in bindings}
        if switched != self._bindings:
            self._write(switched)

    async def unbind(self, alias: str) -> None:
        """See `IndexCatalogue`."""
        if alias in self._bindings:
            self._write({name: binding for name, binding in self._bindings.items() if name != alias})

    async def bindings(self) -> Sequence[IndexBinding]:
        """See `IndexCatalogue`."""
        return [self._bindings[alias] for alias in sorted(self._bindings)]

    def _write(self, bindings: dict[str, IndexBinding]) -> None:
        write_json(self._path, [asdict(bindings[alias]) for alias in sorted(bindings)])
        self._bindings = bindings
