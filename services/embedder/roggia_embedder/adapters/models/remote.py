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
from typing import NamedTuple

import numpy as np

from roggia_embedder.adapters.models.http_call import RefusalError
from roggia_embedder.embedding.batching import plan
from roggia_embedder.embedding.witness import WITNESS, Testimony, Witness, witness_file
from roggia_embedder.errors import ChunkTooLongError
from roggia_embedder.ports import Matrix, Spent, TextKind, Took
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


class Answer(NamedTuple):
    """Unit vectors in the order of the texts, what the server calls its model, and the tokens that it counted, if it
    says so."""

    rows: Matrix
    told: str
    tokens: int | None = None


class _Call(NamedTuple):
    """One `encode`: until when tries are begun (`time.monotonic`), and who hears of every answer."""

    until: float
    spent: Spent


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
    def _ask(self, texts: Sequence[str], until: float) -> Answer:
        """The server's answer. Raises `RefusalError` for too much at once."""

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
        return self.encode_metered(texts, kind, _unheard)

    def encode_metered(self, texts: Sequence[str], kind: TextKind, spent: Spent) -> Matrix:
        """See `EncodeMetered`. The fixed text that goes with each request is in its tokens."""
        rows = np.empty((len(texts), self.dimension), np.float32)
        if not texts:
            return rows
        prefix, until = self._prefix[kind], self._until(kind)
        sent = [prefix + text for text in texts]
        call = _Call(until, lambda held, took: spent([text.removeprefix(prefix) for text in held], took))
        texts_limit, tokens_limit = self._limits()
        most = min(texts_limit, self._learnt) - bool(self._terms.agreement)
        batches = plan([_estimate(text) for text in sent], tokens_limit, max(most, 1))
        long: dict[int, int] = {}
        for batch, found in zip(batches, self._all([[sent[i] for i in batch] for batch in batches], call), strict=True):
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

    def _all(self, batches: Sequence[Sequence[str]], call: _Call) -> list[list[Matrix | int]]:
        if len(batches) == 1:
            return [self._some(batches[0], call)]
        with ThreadPoolExecutor(min(self._terms.at_once, len(batches)), "roggia-remote-model") as pool:
            futures = [pool.submit(self._some, batch, call) for batch in batches]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _some(self, texts: Sequence[str], call: _Call) -> list[Matrix | int]:
        """A row per text, or its tokens (0: not known) when it is longer than the window."""
        if not texts:
            return []
        try:
            return list(self._checked(texts, call))
        except RefusalError as refusal:
            if refusal.status not in _TOO_MUCH:
                raise
            return self._split(texts, refusal, call)

    def _split(self, texts: Sequence[str], refusal: RefusalError, call: _Call) -> list[Matrix | int]:
        """What to do about texts that were too much: leave out what cannot fit, else ask for halves."""
        counts = self._count(texts, call.until)
        long = {i for i, count in enumerate(counts or []) if count > self.window}
        if counts and long:
            rest = iter(self._some([text for i, text in enumerate(texts) if i not in long], call))
            return [counts[i] if i in long else next(rest) for i in range(len(texts))]
        if len(texts) == 1:
            if counts or not _about_length(refusal):
                raise refusal
            return [0]
        middle = len(texts) // 2
        halves = [*self._some(texts[:middle], call), *self._some(texts[middle:], call)]
        if not any(isinstance(row, int) for row in halves):
            self._learnt = max(2, min(self._learnt, middle + 1))
        return halves

    def _checked(self, texts: Sequence[str], call: _Call) -> Matrix:
        witness = [WITNESS] if self._terms.agreement else []
        answer = self._ask([*texts, *witness], call.until)
        call.spent(texts, _took(texts, answer.tokens))
        if not witness:
            return answer.rows
        self._witness.hear(Testimony(answer.told, answer.rows[-1]))
        return answer.rows[:-1]


def _unheard(_texts: Sequence[str], _took: Took) -> None:
    """Nobody counts."""


def _took(texts: Sequence[str], told: int | None) -> Took:
    return Took(sum(map(_estimate, texts)), reported=False) if told is None else Took(told, reported=True)


def _about_length(refusal: RefusalError) -> bool:
    words = refusal.words
    return refusal.status == _TOO_LARGE or bool(_LENGTH.search(words) and _EXCEEDED.search(words))


def _estimate(text: str) -> int:
    """Tokens, roughly and not too few: for packing, and for what a server does not count. No limit is guarded by it."""
    return len(text.encode()) // _BYTES_PER_TOKEN + 2
