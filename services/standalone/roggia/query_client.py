"""Client of the query service, as the command line uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from roggia.errors import NotRunningError, StandaloneError, UsageError


@dataclass(frozen=True, slots=True)
class Question:
    """One search or ask. `groups` are those of the person who asks; `filters` as the service documents them.

    `generation` asks one index generation, whichever serves; None: the one that serves.
    """

    tenant: str
    domain: str
    text: str
    groups: Sequence[str] = ()
    k: int = 5
    mode: str = "hybrid"
    filters: Mapping[str, Any] = field(default_factory=dict)
    generation: int | None = None

    def body(self) -> dict[str, Any]:
        """The JSON that `/v1/search` and `/v1/ask` take."""
        pinned = {} if self.generation is None else {"generation": self.generation}
        return {
            **pinned,
            "tenant": self.tenant,
            "domain": self.domain,
            "query": self.text,
            "groups": list(self.groups),
            "k": self.k,
            "mode": self.mode,
            "filters": dict(self.filters),
        }


class QueryClient:
    """Calls one query service. `base` is its URL without a path; `timeout_s` bounds every call."""

    def __init__(self, base: str, timeout_s: float = 30.0) -> None:
        self._base = base.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def search(self, question: Question) -> dict[str, Any]:
        """Passages for a question. Raises `UsageError` (4xx), `StandaloneError` (5xx), `NotRunningError`."""
        return await self._post("/v1/search", question)

    async def ask(self, question: Question) -> dict[str, Any]:
        """An extractive answer with citations. Raises as `search` does."""
        return await self._post("/v1/ask", question)

    async def _post(self, path: str, question: Question) -> dict[str, Any]:
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as http,
                http.post(self._base + path, json=question.body()) as reply,
            ):
                body: dict[str, Any] = await reply.json(content_type=None)
                status = reply.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as failed:
            raise NotRunningError(
                f"no query service answers at {self._base} ({type(failed).__name__}): start one with `roggia up`, "
                "or name it with --query-url"
            ) from failed
        if status >= 400:
            raise _refusal(status, body)
        return body


def _refusal(status: int, body: Any) -> StandaloneError:
    error = body.get("error", {}) if isinstance(body, dict) else {}
    message = str(error.get("message") or f"the query service answered {status}")
    named = f"{error['field']}: {message}" if error.get("field") and error["field"] not in message else message
    return UsageError(named) if status < 500 else StandaloneError(named)
