"""Which extractor reads which media type."""

from __future__ import annotations

from collections.abc import Callable

from roggia_ingest.errors import ContentError
from roggia_ingest.extract.extracted import Extracted
from roggia_ingest.extract.text import markdown, plain

Extractor = Callable[[bytes, str | None], Extracted]

_EXTRACTORS: dict[str, Extractor] = {
    "text/plain": plain,
    "text/markdown": markdown,
    "text/x-markdown": markdown,
}
MEDIA_TYPES = frozenset(_EXTRACTORS)
"""Media types that can be read, lower case, without parameters."""


def extract(content: bytes, media_type: str, charset: str | None) -> Extracted:
    """Text of `content`. Raises `ContentError` naming the field and what is wrong."""
    extractor = _EXTRACTORS.get(media_type)
    if extractor is None:
        raise ContentError(
            "content_type", f"{media_type!r} cannot be read; use one of {', '.join(sorted(MEDIA_TYPES))}"
        )
    return extractor(content, charset)
