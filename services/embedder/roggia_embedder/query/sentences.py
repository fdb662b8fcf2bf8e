"""Sentences of Markdown passages: what an extractive answer may quote. Pure and deterministic."""

from __future__ import annotations

import re
from collections.abc import Iterator

MIN_WORDS = 3
MAX_CHARS = 400

_FENCE = re.compile(r"^\s*(```|~~~)")
_NOT_PROSE = re.compile(r"^\s*(#{1,6}\s|\||>>>|\.\.\s|[-=~^*_]{3,}\s*$|!\[)")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_END = re.compile(
    r"(?<=[.!?…])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\betc\.)(?<!\bcf\.)(?<!\bvs\.)[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[^\sa-z])|(?<=[。！？])"
)
_UNSPACED_END = ("。", "！", "？")
"""Ends of sentences in scripts that put no space between words, where words cannot be counted."""
_WORD = re.compile(r"\w+")


def split(text: str) -> tuple[str, ...]:
    """Sentences of `text` in order, as written but for line breaks: prose and list items, cut at `MAX_CHARS` with an
    ellipsis. Headings, tables, code and rules are left out, and so is anything shorter than `MIN_WORDS` words.
    """
    return tuple(
        _shortened(sentence)
        for paragraph in _paragraphs(text)
        for sentence in (part.strip() for part in _END.split(paragraph))
        if len(_WORD.findall(sentence)) >= MIN_WORDS or sentence.endswith(_UNSPACED_END)
    )


def opening(text: str) -> tuple[str, ...]:
    """The start of `text` on one line, cut at `MAX_CHARS`, as one sentence; nothing for an empty text."""
    line = " ".join(text.split())
    return (_shortened(line),) if line else ()


def words(text: str) -> tuple[str, ...]:
    """Case-folded Unicode words of `text`, in order."""
    return tuple(_WORD.findall(text.casefold()))


def _paragraphs(text: str) -> Iterator[str]:
    lines: list[str] = []
    for line in _prose(text):
        if not line or _ITEM.match(line):
            yield from _joined(lines)
            lines = []
        if line:
            lines.append(_ITEM.sub("", line).strip())
    yield from _joined(lines)


def _joined(lines: list[str]) -> Iterator[str]:
    if lines:
        yield " ".join(lines)


def _prose(text: str) -> Iterator[str]:
    """Lines of prose and list items; an empty line wherever something else stood."""
    fenced = False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
            yield ""
        elif fenced or not line.strip() or _NOT_PROSE.match(line):
            yield ""
        else:
            yield line


def _shortened(sentence: str) -> str:
    if len(sentence) <= MAX_CHARS:
        return sentence
    cut = sentence[: MAX_CHARS - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut).rstrip() + "…"
