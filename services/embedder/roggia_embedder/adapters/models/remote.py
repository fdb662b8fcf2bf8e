"""What models behind a server have in common: packing, parallel requests, splitting, and checks on every answer."""

from __future__ import annotations

import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roggia_embedder.adapters.models.http_call import RefusalError
from roggia_embedder.embedding.batching import plan
from roggia_embedder.embedding.witness import WITNESS, Testimony, Witness, witness_file
from roggia_embedder.errors import ChunkTooLongError
from roggia_embedder.ports import Matrix, TextKind
from roggia_embedder.remote import TERMS, RemoteTerms

_BYTES_PER_TOKEN = 3
_TOO_MUCH = (400, 413, 422)
"""What servers answer to too many texts or tokens: TEI 413 or 422, OpenAI and vLLM 400."""
_TOO_LARGE = 413
_LENGTH = re.compile(r"token|length|context|input", re.IGNORECASE)
_EXCEEDED = re.compile(r"\bmax|exceed|too long|too large|less than|longer|limit", re.IGNORECASE)
"""Words of OpenAI, vLLM, Ollama and TEI about a text beyond the window. Both kinds must be there: "invalid token" is
about a key, and a document must not become a dead letter for it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a remote model before it is asked."""

    window: int
    dimension: int
    passage_prefix: str = ""
    query_prefix: str = ""


class RemoteModel(ABC):
    """A remote model. Calls block, like those of a local one: callers run them in a thread.

    The server must refuse texts beyond its window instead of cutting them.
    """

    def __init__(self, where: str, shape: Shape, terms: RemoteTerms = TERMS, folder: Path | None = None) -> None:
        """`folder` keeps what the server answered first over restarts."""
        self._where = where
        self._shape = shape
        self._terms = terms
        self._folder = folder
        self._learnt = terms.texts
        self._opening = threading.RLock()
        self._held: Witness | None = None
        self._prefix = {"passage": shape.passage_prefix, "query": shape.query_prefix}

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """See `EmbeddingModel`. May ask the server, then raises `ModelUnavailableError`."""

    @abstractmethod
    def _ask(self, texts: Sequence[str], until: float) -> tuple[Matrix, str]:
        """Unit vectors in order, and what the server calls its model. Raises `RefusalError` for too much at once."""

    @abstractmethod
    def _count(self, texts: Sequence[str], until: float) -> list[int] | None:
        """Exact tokens, or None where the server does not tell."""

    def _limits(self) -> tuple[int, int]:
        """Most texts and tokens of one request."""
        return self._terms.texts, self._terms.tokens

    def _confirm(self, until: float) -> None:  # noqa: B027  # a server that says nothing beside its answers
        """Raise `ModelChangedError` when the server says that it is another model now. After the answers came."""

    @property
    def dimension(self) -> int:
        """See `EmbeddingModel`."""
        return self._shape.dimension

    @property
    def window(self) -> int:
        """See `EmbeddingModel`."""
        return self._shape.window

    def warm_up(self) -> None:
        """Encode once. Raises `ModelUnavailableError`."""
        _ = self.fingerprint
        self.encode(["warm up"])

    def count_tokens(self, texts: Sequence[str], kind: TextKind = "passage") -> list[int]:
        """See `EmbeddingModel`; upper bounds where the server does not tell: no byte makes two tokens."""
        sent = [self._prefix[kind] + text for text in texts]
        if not sent:
            return []
        return self._count(sent, self._until(kind)) or [len(text.encode()) for text in sent]

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """See `EmbeddingModel`. Raises `ModelUnavailableError` when the server is down or busy beyond patience, and
        `ModelChangedError` when it is not the model any more that it was; no vector of such a call is returned."""
        rows = np.empty((len(texts), self.dimension), np.float32)
        if not texts:
            return rows
        until = self._until(kind)
        sent = [self._prefix[kind] + text for text in texts]
        texts_limit, tokens_limit = self._limits()
        most = min(texts_limit, self._learnt) - bool(self._terms.agreement)
        batches = plan([_estimate(text) for text in sent], tokens_limit, max(most, 1))
        long: dict[int, int] = {}
        for batch, found in zip(
            batches, self._all([[sent[i] for i in batch] for batch in batches], until), strict=True
        ):
            for index, row in zip(batch, found, strict=True):
                if isinstance(row, int):
                    long[index] = row
                else:
                    rows[index] = row
        if long:
            raise ChunkTooLongError(max(long.values()), self.window, tuple(sorted(long)))
        self._confirm(until)
        return rows

    @property
    def _witness(self) -> Witness:
        with self._opening:
            if self._held is None:
                file = witness_file(self._folder, self.fingerprint) if self._folder else None
                self._held = Witness(self._where, self._terms.agreement, file)
            return self._held

    def _until(self, kind: TextKind) -> float:
        return time.monotonic() + (self._terms.query_patience_s if kind == "query" else self._terms.patience_s)

    def _all(self, batches: Sequence[Sequence[str]], until: float) -> list[list[Matrix | int]]:
        if len(batches) == 1:
            return [self._some(batches[0], until)]
        with ThreadPoolExecutor(min(self._terms.at_once, len(batches)), "roggia-remote-model") as pool:
            futures = [pool.submit(self._some, batch, until) for batch in batches]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _some(self, texts: Sequence[str], until: float) -> list[Matrix | int]:
        """A row per text, or its tokens (0: not known) when it is longer than the window."""
        if not texts:
            return []
        try:
            return list(self._checked(texts, until))
        except RefusalError as refusal:
            if refusal.status not in _TOO_MUCH:
                raise
            return self._split(texts, refusal, until)

    def _split(self, texts: Sequence[str], refusal: RefusalError, until: float) -> list[Matrix | int]:
        """What to do about texts that were too much: leave out what cannot fit, else ask for halves."""
        counts = self._count(texts, until)
        long = {i for i, count in enumerate(counts or []) if count > self.window}
        if counts and long:
            rest = iter(self._some([text for i, text in enumerate(texts) if i not in long], until))
            return [counts[i] if i in long else next(rest) for i in range(len(texts))]
        if len(texts) == 1:
            if counts or not _about_length(refusal):
                raise refusal
            return [0]
        middle = len(texts) // 2
        halves = [*self._some(texts[:middle], until), *self._some(texts[middle:], until)]
        if not any(isinstance(row, int) for row in halves):
            self._learnt = max(2, min(self._learnt, middle + 1))
        return halves

    def _checked(self, texts: Sequence[str], until: float) -> Matrix:
        if not self._terms.agreement:
            return self._ask(texts, until)[0]
        rows, told = self._ask([*texts, WITNESS], until)
        self._witness.hear(Testimony(told, rows[-1]))
        return rows[:-1]


def _about_length(refusal: RefusalError) -> bool:
    words = refusal.words
    return refusal.status == _TOO_LARGE or bool(_LENGTH.search(words) and _EXCEEDED.search(words))


def _estimate(text: str) -> int:
    """Tokens for packing only: no server's limit is guarded by it."""
    return len(text.encode()) // _BYTES_PER_TOKEN + 2
