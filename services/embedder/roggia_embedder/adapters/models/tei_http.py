"""Text Embeddings Inference by its own API: it says which weights it has, what it takes, and counts tokens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from roggia_embedder.adapters.models.http_call import Caller
from roggia_embedder.adapters.models.remote import Answer, RemoteModel, Shape
from roggia_embedder.embedding.fingerprint import Fingerprint
from roggia_embedder.embedding.rows import tokens_told, unit_rows
from roggia_embedder.errors import EmbedderError, ModelChangedError, ModelLoadError
from roggia_embedder.remote import TERMS, RemoteTerms

_TOKENS = "x-compute-tokens"
"""Header in which TEI says what an answer took."""


@dataclass(frozen=True, slots=True)
class TeiInfo:
    """What `/info` says about the model and what the server takes in one request."""

    model: str
    sha: str
    dtype: str
    pooling: str
    window: int
    texts: int
    tokens: int

    @property
    def identity(self) -> str:
        """What must not change while a server is in use."""
        return f"{self.model}@{self.sha or 'no sha'};{self.dtype};{self.pooling}"


class TeiModel(RemoteModel):
    """A TEI server. `/info` is read before the first answer and again after the answers of every call.

    A server that loaded its weights from a folder knows no `model_sha`: then `revision` stands for them.
    `--default-prompt` of the server is not seen from here: leave it out and use prefixes.
    """

    def __init__(
        self,
        url: str,
        *,
        revision: str = "",
        shape: Shape,
        key: SecretStr | None = None,
        timeout_s: float = 60.0,
        terms: RemoteTerms = TERMS,
        folder: Path | None = None,
    ) -> None:
        self._caller = Caller(url, key=key, timeout_s=timeout_s)
        self._revision = revision
        self._first: TeiInfo | None = None
        super().__init__(url, shape, terms, folder)

    @cached_property
    def fingerprint(self) -> str:
        """See `EmbeddingModel`. Asks the server once. Raises `ModelUnavailableError`, and `ModelLoadError` for a server
        that cannot be used."""
        info = self._info
        weights = info.sha or self._revision
        if not weights:
            raise ModelLoadError(f"{self._where}: /info has no model_sha; set model_revision to stand for the weights")
        if self.window > info.window:
            raise ModelLoadError(f"window: {self.window} exceeds the {info.window} tokens that {self._where} takes")
        prefixes = self._shape.passage_prefix, self._shape.query_prefix
        parts = (info.model, weights, self.window, info.pooling, True, *prefixes, self.dimension, "tei", info.dtype)
        return str(Fingerprint(*parts))

    @property
    def _info(self) -> TeiInfo:
        with self._opening:
            if self._first is None:
                self._first = self._read_info(self._until("passage"))
            return self._first

    def _read_info(self, until: float) -> TeiInfo:
        return tei_info(self._caller.ask("/info", until=until), self._where)

    def _limits(self) -> tuple[int, int]:
        texts, tokens = super()._limits()
        return min(texts, self._info.texts), min(tokens, self._info.tokens)

    def _count(self, texts: Sequence[str], until: float) -> list[int] | None:
        most = self._info.texts
        return [n for start in range(0, len(texts), most) for n in self._tokens(texts[start : start + most], until)]

    def _tokens(self, texts: Sequence[str], until: float) -> list[int]:
        answer = self._caller.ask("/tokenize", {"inputs": list(texts), "add_special_tokens": True}, until=until)
        if not isinstance(answer, list) or len(answer) != len(texts):
            raise EmbedderError(f"{self._where}/tokenize: gave no list of tokens for each of {len(texts)} texts")
        return [len(tokens) for tokens in answer]

    def _ask(self, texts: Sequence[str], until: float) -> Answer:
        body = {"inputs": list(texts), "normalize": True, "truncate": False}
        vectors, headers = self._caller.reply("/embed", body, until=until)
        rows = unit_rows(vectors, len(texts), self.dimension, self._where)
        return Answer(rows, self._info.identity, tokens_told(headers.get(_TOKENS)))

    def _confirm(self, until: float) -> None:
        now = self._read_info(max(until, time.monotonic()))
        if now.identity != self._info.identity:
            raise ModelChangedError(self._where, self._info.identity, now.identity)


def tei_info(answer: Any, where: str) -> TeiInfo:
    """`/info` of TEI 1.x. Raises `ModelLoadError` when it serves no embeddings, or is another server."""
    try:
        kind = answer["model_type"]
        if "embedding" not in kind:
            raise ModelLoadError(f"{where}: serves {', '.join(kind)}, not embeddings")
        return TeiInfo(
            model=str(answer["model_id"]),
            sha=str(answer.get("model_sha") or ""),
            dtype=str(answer["model_dtype"]),
            pooling=str(kind["embedding"]["pooling"]),
            window=int(answer["max_input_length"]),
            texts=int(answer["max_client_batch_size"]),
            tokens=int(answer["max_batch_tokens"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelLoadError(f"{where}/info: is not of TEI's form: {error!r}") from error
