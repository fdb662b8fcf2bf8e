"""Everything the embedder raises. All of it derives from the runtime's `RoggiaError`."""

from __future__ import annotations

from collections.abc import Sequence

from roggia_runtime.errors import ConfigurationError, RoggiaError, UnavailableError


class EmbedderError(RoggiaError):
    """Root of the embedder's own errors."""


class ChunkTooLongError(EmbedderError):
    """A text has more tokens than the model's window. It is refused, never silently cut.

    `tokens` is 0 when a server refused it without a number. `texts` are the places of all such texts in the call, when
    whoever refused knows them; empty: count to find them.
    """

    def __init__(self, tokens: int, window: int, texts: tuple[int, ...] = ()) -> None:
        size = f"of {tokens} tokens" if tokens else "that the model server calls too long"
        super().__init__(f"a text {size} does not fit the model's window of {window}")
        self.tokens = tokens
        self.window = window
        self.texts = texts


class ModelMismatchError(EmbedderError):
    """Vectors of one model were about to enter, or be asked from, a collection of another."""

    def __init__(self, collection: str, holds: str, offered: str) -> None:
        super().__init__(f"collection {collection} holds vectors of model {holds}, not of {offered}")
        self.collection = collection
        self.holds = holds
        self.offered = offered


class ReferenceMismatchError(ModelMismatchError):
    """What a model reference's uri gives is not the model that the reference names: `holds` is what it names."""

    def __str__(self) -> str:
        return (
            f"model: {self.collection} gives {self.offered}, not {self.holds} as its reference says; restore those "
            "weights and settings, or make a new generation for what is there now"
        )


class ModelChangedError(EmbedderError):
    """A model server answers as another model than before. Its vectors are refused: mixed in one collection, they
    would be compared without meaning. Who changed the model on purpose makes a new generation with a new revision."""

    def __init__(self, where: str, before: str, after: str) -> None:
        super().__init__(
            f"{where}: the model has changed: it was {before}, now it is {after}; restore it, or set another "
            "model_revision and make a new generation"
        )
        self.before = before
        self.after = after


class UnknownCollectionError(EmbedderError):
    """A physical collection or alias does not exist (yet): nothing was indexed under this name."""


class StoreUnavailableError(EmbedderError, UnavailableError):
    """The vector store does not answer now; the caller may try again."""


class UnknownStoreError(StoreUnavailableError):
    """An index generation is in a store whose name this process does not know. Another process may; this one goes on
    once its settings name it."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"store: {name!r} is none of this process's stores ({', '.join(known) or 'it has no named ones'}); add it "
            "to ROGGIA_EMBEDDER_STORES"
        )
        self.name = name


class ModelUnavailableError(EmbedderError, UnavailableError):
    """The model server does not answer now; the caller may try again."""


class StoreLockedError(EmbedderError, ConfigurationError):
    """Another process holds the embedded store, which admits one. Stop it, or use a server."""


class StoreUnusableError(EmbedderError, ConfigurationError):
    """The vector store named in the settings cannot do what is asked of it: no such engine, an extension missing, an
    account that it refuses, tables of a newer version, an option that it does not have."""


class ModelLoadError(EmbedderError, ConfigurationError):
    """The embedding model named in the settings cannot be used: no model there, or a window it does not have."""


class CacheUnavailableError(EmbedderError, UnavailableError):
    """The vector cache does not answer now; the caller may try again."""
