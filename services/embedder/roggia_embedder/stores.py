"""The vector stores that this process has: the one of its settings, and those that they give names to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from roggia_embedder.errors import UnknownStoreError
from roggia_embedder.ports import IndexCatalogue, VectorStore

OWN = ""
"""Name of the store that the settings name first: that of the baseline."""


@dataclass(frozen=True, slots=True)
class OpenStore:
    """A store and the aliases that live beside its collections."""

    store: VectorStore
    catalogue: IndexCatalogue


class Stores:
    """Stores by name. Two names may mean one store: it is opened, kept and swept once."""

    def __init__(self, named: Mapping[str, OpenStore]) -> None:
        self._named = dict(named)

    @classmethod
    def alone(cls, store: VectorStore, catalogue: IndexCatalogue) -> Stores:
        """One store without a name."""
        return cls({OWN: OpenStore(store, catalogue)})

    def __iter__(self) -> Iterator[OpenStore]:
        """Each store once, the settings' own first."""
        return iter(dict.fromkeys(self._named.values()))

    @property
    def several(self) -> bool:
        """Whether there is more than one store."""
        return len(set(self._named.values())) > 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a generation may have, sorted; the store without a name is not among them."""
        return tuple(sorted(name for name in self._named if name != OWN))

    def name(self, one: OpenStore) -> str:
        """The first name of a store."""
        return next(name for name, held in self._named.items() if held == one)

    def holds(self, at: OpenStore, name: str | None) -> bool:
        """Whether a store is the one of a name. What has no name that anybody knows may be anywhere."""
        return name is None or self._named.get(name) == at

    def of(self, name: str) -> OpenStore:
        """The store of a name. Raises `UnknownStoreError`."""
        found = self._named.get(name)
        if found is None:
            raise UnknownStoreError(name, self.names)
        return found
