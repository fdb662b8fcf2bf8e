"""Plain text and Markdown, which are already text."""

from __future__ import annotations

import re

from roggia_ingest.chunk.headings import heading_title
from roggia_ingest.extract.decoding import decode
from roggia_ingest.extract.extracted import Extracted

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(?P<body>.*?)^(?:---|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r"^title:(?P<title>.*)$", re.MULTILINE)
_HEADING = re.compile(r"^ {0,3}#{1,2}[ \t]+\S.*$", re.MULTILINE)
_SEARCHED = 20_000


def plain(content: bytes, charset: str | None) -> Extracted:
    """Plain text. Its title is its first line when that is underlined, as in reStructuredText."""
    text = decode(content, charset)
    match = re.match(r"\s*(\S.{0,200})\r?\n[ \t]*([=\-~^])\2{3,}[ \t]*\r?$", text[:_SEARCHED], re.MULTILINE)
    return Extracted(text, markdown=False, extractor="text/1", title=match[1] if match else None)


def markdown(content: bytes, charset: str | None) -> Extracted:
    """Markdown. Its title is the front matter's, or the first heading of level 1 or 2."""
    text = decode(content, charset)
    return Extracted(text, markdown=True, extractor="markdown/1", title=_title(text[:_SEARCHED]))


def _title(head: str) -> str | None:
    if (front := _FRONT_MATTER.match(head)) and (match := _TITLE.search(front["body"])):
        return match["title"].strip().strip("\"'")
    heading = _HEADING.search(head)
    return heading_title(heading[0]) if heading else None
