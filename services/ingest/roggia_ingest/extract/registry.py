"""Which extractor reads which media type."""

from __future__ import annotations

from collections.abc import Callable

from roggia_ingest.errors import ContentError
from roggia_ingest.extract.csvs import csv_table
from roggia_ingest.extract.extracted import Extracted
from roggia_ingest.extract.text import markdown, plain

Extractor = Callable[[bytes, str | None], Extracted]


def html(content: bytes, charset: str | None) -> Extracted:
    """See `roggia_ingest.extract.html`, which is loaded when first needed."""
    from roggia_ingest.extract import html as module

    return module.html(content, charset)


def pdf(content: bytes, charset: str | None) -> Extracted:
    """See `roggia_ingest.extract.pdf`, which is loaded when first needed."""
    from roggia_ingest.extract import pdf as module

    return module.pdf(content, charset)


_EXTRACTORS: dict[str, Extractor] = {
    "application/pdf": pdf,
    "application/xhtml+xml": html,
    "text/csv": csv_table,
    "text/html": html,
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
