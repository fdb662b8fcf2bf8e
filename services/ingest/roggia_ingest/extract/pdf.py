"""PDF with a text layer, by pypdf."""

from __future__ import annotations

import io
import re
import struct
import zlib

import pypdf
from pypdf.errors import PyPdfError

from roggia_ingest.errors import ContentError
from roggia_ingest.extract.extracted import Extracted

MAX_PAGES = 2_000
MAX_CHARACTERS = 16 << 20

_BROKEN = (
    PyPdfError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, RuntimeError,
    EOFError, OSError, zlib.error, struct.error,
)  # fmt: skip
"""What pypdf lets through on damaged files, which are built to no rule at all."""

_HYPHEN = re.compile(r"(?<=[^\W\d_])-\n(?=[a-zß-öø-ÿ])")


def pdf(content: bytes, charset: str | None) -> Extracted:  # noqa: ARG001  # an extractor's signature
    """Text of all pages. Raises `ContentError` for files that are broken, encrypted, too long, or only pictures."""
    try:
        reader = pypdf.PdfReader(io.BytesIO(content), strict=False)
        pages = _pages(reader)
        title = _title(reader)
    except _BROKEN as error:
        raise ContentError("content", f"PDF cannot be read: {type(error).__name__}: {str(error)[:200]}") from None
    text = _HYPHEN.sub("", "\n\n".join(pages))
    if pages and not text.strip():
        raise ContentError("content", f"PDF of {len(pages)} pages has no text layer; run it through OCR first")
    return Extracted(text, markdown=False, extractor=f"pdf/1 pypdf/{pypdf.__version__}", title=title)


def _pages(reader: pypdf.PdfReader) -> list[str]:
    if reader.is_encrypted and not reader.decrypt(""):
        raise ContentError("content", "PDF is encrypted; publish it without a password")
    count = len(reader.pages)
    if count > MAX_PAGES:
        raise ContentError("content", f"PDF of {count} pages; at most {MAX_PAGES}")
    pages, held = [], 0
    for page in reader.pages:
        pages.append(page.extract_text())
        held += len(pages[-1])
        if held > MAX_CHARACTERS:
            raise ContentError("content", f"PDF of more than {MAX_CHARACTERS} characters; split it")
    return pages


def _title(reader: pypdf.PdfReader) -> str | None:
    title = reader.metadata.title if reader.metadata else None
    return str(title) if title else None
