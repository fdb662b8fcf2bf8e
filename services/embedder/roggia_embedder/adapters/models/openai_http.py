"""Any server with OpenAI's `/v1/embeddings`: vLLM, Infinity, Ollama, TEI's own imitation, or a hosted one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from roggia_embedder.adapters.models.http_call import Caller
from roggia_embedder.adapters.models.remote import Answer, RemoteModel, Shape
from roggia_embedder.embedding.fingerprint import Fingerprint
from roggia_embedder.embedding.rows import in_order, tokens_told, unit_rows
from roggia_embedder.errors import EmbedderError
from roggia_embedder.remote import TERMS, RemoteTerms

_ROOM = 16
"""Characters of a revision that stand in a fingerprint."""


class OpenAiModel(RemoteModel):
    """The server's weights cannot be hashed from here: `revision` stands for them in the fingerprint, and whoever
    changes the weights behind the URL must change it. Who forgets is told by the witness.

    Token counts are not known here: `count_tokens` answers upper bounds. `folder` keeps the witness over restarts.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        revision: str,
        shape: Shape,
        key: SecretStr | None = None,
        timeout_s: float = 60.0,
        terms: RemoteTerms = TERMS,
        folder: Path | None = None,
    ) -> None:
        self._caller = Caller(url, key=key, timeout_s=timeout_s)
        self._name = name
        prefixes = shape.passage_prefix, shape.query_prefix
        self._fingerprint = str(
            Fingerprint(name, _stamp(revision), shape.window, "server", True, *prefixes, shape.dimension, "openai")
        )
        super().__init__(url, shape, terms, folder)

    @property
    def fingerprint(self) -> str:
        """See `EmbeddingModel`."""
        return self._fingerprint

    def _count(self, texts: Sequence[str], until: float) -> list[int] | None:  # noqa: ARG002
        return None

    def _ask(self, texts: Sequence[str], until: float) -> Answer:
        body = {"model": self._name, "input": list(texts), "encoding_format": self._terms.encoding}
        answer = self._caller.ask("/embeddings", body, until=until)
        if not isinstance(answer, dict) or "data" not in answer:
            raise EmbedderError(f"{self._where}: the answer is not of OpenAI's form: it has no data")
        vectors = in_order(answer["data"], self._where)
        told = str(answer.get("model") or "a model without a name")
        rows = unit_rows(vectors, len(texts), self.dimension, self._where)
        usage = answer.get("usage")
        return Answer(rows, told, tokens_told(usage.get("prompt_tokens") if isinstance(usage, dict) else None))


def _stamp(revision: str) -> str:
    """A revision in the room that a fingerprint has; a longer one by its hash, so that two never look alike."""
    if len(revision) <= _ROOM:
        return revision
    return f"{revision[:7]}~{hashlib.sha256(revision.encode()).hexdigest()[:8]}"
