"""Words of texts, as builders of golden sets compare them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint32]

_WORD = re.compile(r"[^\W_]+(?:[-_.'][^\W_]+)*")
_SENTENCE = re.compile(r"(.{20,}?[.!?。！？])(?:\s|$)", re.DOTALL)
_MARKUP = re.compile(r"^[#>*\-\s|]+|[`*_]{1,3}")


def words(text: str) -> list[str]:
    """Words in order, in lower case."""
    return _WORD.findall(text.casefold())


def hashed(texts: Iterable[str]) -> Hashes:
    """The distinct words of texts as sorted 32-bit hashes: a document's words in a few hundred bytes."""
    found = {zlib.crc32(word.encode()) for text in texts for word in words(text)}
    return np.array(sorted(found), dtype=np.uint32)


def copied(text: str, document: Hashes) -> float:
    """Share of a text's words that stand in a document as well; 0 for a text without words."""
    own = hashed([text])
    return float(np.isin(own, document).mean()) if len(own) else 0.0


def first_sentence(text: str) -> str:
    """The first sentence of a passage without its markup, in one line; empty where there is none."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    found = _SENTENCE.search(body)
    flat = " ".join(_MARKUP.sub("", line) for line in found.group(1).splitlines()) if found else ""
    return " ".join(flat.split())
