"""Bounds how long one content server may hold up everybody else's documents."""

from __future__ import annotations

import time
from collections.abc import Callable

from roggia_schemas.events import ContentRef

from roggia_ingest.errors import ContentError, ContentUnavailableError
from roggia_ingest.ports import ContentSource

_REMEMBERED = 10_000


class PatientSource:
    """A `ContentSource` that gives a reference up when it has been unavailable for `patience_s` seconds.

    Until then its partition waits, in order, because most outages end. After it the document is a dead letter, which
    can be sent again; the documents behind it go on. A restart begins to count anew.
    """

    def __init__(self, source: ContentSource, patience_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._patience_s = patience_s
        self._now = now
        self._since: dict[tuple[str, str], float] = {}

    async def fetch(self, ref: ContentRef) -> bytes:
        """See the port. Raises `ContentError` instead of `ContentUnavailableError` once patience has run out."""
        key = (ref.uri, ref.sha256)
        try:
            content = await self._source.fetch(ref)
        except ContentUnavailableError as error:
            self._judge(key, error)
            raise
        self._since.pop(key, None)
        return content

    def _judge(self, key: tuple[str, str], error: ContentUnavailableError) -> None:
        if len(self._since) >= _REMEMBERED:
            self._since.clear()
        waited = self._now() - self._since.setdefault(key, self._now())
        if waited >= self._patience_s:
            del self._since[key]
            raise ContentError(
                "content_ref.uri", f"unavailable for {waited:.0f} s: {error}; send it again when it answers"
            ) from error
