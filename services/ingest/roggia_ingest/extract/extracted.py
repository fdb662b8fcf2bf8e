"""What an extractor returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extracted:
    """Text of a document. `markdown` says whether its structure is Markdown; `extractor` names what made it."""

    text: str
    markdown: bool
    extractor: str
    title: str | None = None
