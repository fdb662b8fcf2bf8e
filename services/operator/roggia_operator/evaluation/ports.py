"""What an evaluation asks of the outside: an index to search, the log of the corpus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from roggia_schemas.events import RetrievalShadowed

from roggia_operator.evaluation.corpus.documents import Document
from roggia_operator.evaluation.golden.clicks import Served


@dataclass(frozen=True, slots=True)
class Question:
    """One search of one pinned generation. `mode` as the query API names it.

    `exact` asks for the true nearest neighbours, without the index's shortcut; it makes sense for mode `dense`.
    """

    tenant: str
    domain: str
    query: str
    groups: tuple[str, ...] = ()
    k: int = 50
    generation: int | None = None
    mode: str = "hybrid"
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage that was found."""

    doc_id: str
    chunk_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a generation answered, and with what. `seconds`: as the caller waited, without retries before it."""

    hits: tuple[Hit, ...]
    generation: int
    collection: str
    model: str
    seconds: float


class Ask(Protocol):
    """A query service.

    Raises `WrongGenerationError` when another generation answered than the one pinned, `EvaluationError` for a question
    that it refuses, `UnavailableError` when it does not answer after some tries.
    """

    async def __call__(self, question: Question) -> Answer:
        """Search."""
        ...


class CorpusLog(Protocol):
    """`doc.chunked.c<K>`. Raises `UnavailableError` and `AdminError`."""

    topic: str
    offsets: Mapping[int, int]
    """Up to which `documents` has read, by partition; empty before."""
    unreadable: int
    """Records that could not be read so far."""

    def documents(self, tenant: str = "", domain: str = "") -> AsyncIterator[Document]:
        """The newest version of every living document, of one tenant or domain where one is named."""
        ...


class ServedLog(Protocol):
    """`retrieval.served`. Raises `UnavailableError` and `AdminError`."""

    async def searches(self) -> Mapping[str, Served]:
        """Searches that were recorded with their text, by query id."""
        ...


class ShadowedLog(Protocol):
    """`retrieval.shadowed`. Raises `UnavailableError` and `AdminError`."""

    def events(self) -> AsyncIterator[RetrievalShadowed]:
        """What is kept of it; records that cannot be read are left out."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """A run to be kept where models are registered: numbers, words, and files by name. It is no gate's report."""

    title: str
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    files: Mapping[str, str] = field(default_factory=dict, hash=False)


class Runs(Protocol):
    """Who keeps runs. Blocks. Raises `ModelRegistryUnavailableError` and `ModelRegistryError`."""

    def file(self, run: Run) -> str:
        """Keep a run; return its id."""
        ...
