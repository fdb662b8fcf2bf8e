"""BM25 as sparse vectors: Unicode words, stemmed by language, weighted for passages, plain for queries.

The store multiplies by the inverse document frequency (Qdrant's `modifier: idf`), so a passage's weight is the term
frequency part of BM25 (Robertson and Zaragoza, 2009) and a query's weight is 1.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import Stemmer

from roggia_embedder.ports.values import SparseVector

K1 = 1.2
B = 0.75
AVERAGE_WORDS = 256
"""Fixed, not measured: a weight must not depend on what else is in the index."""

_WORD = re.compile(r"\w+")
_LONGEST_WORD = 64
_REMEMBERED = 100_000
_STEMMERS = {
    "ar": "arabic", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english", "eo": "esperanto",
    "es": "spanish", "et": "estonian", "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "ne": "nepali",
    "nl": "dutch", "no": "norwegian", "nb": "norwegian", "nn": "norwegian", "pl": "polish", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho", "sv": "swedish", "ta": "tamil",
    "tr": "turkish", "yi": "yiddish",
}  # fmt: skip


class _Terms(dict[str, int]):
    """Term numbers by word, of one language; filled as words are met, emptied when it is full."""

    def __init__(self, language: str | None) -> None:
        super().__init__()
        algorithm = _STEMMERS.get(language or "")
        known = algorithm in Stemmer.algorithms()
        self._stem: Callable[[str], str] = Stemmer.Stemmer(algorithm, 0).stemWord if known else str

    def __missing__(self, word: str) -> int:
        if len(self) >= _REMEMBERED:
            self.clear()
        term = zlib.crc32(self._stem(word).encode("utf-8", "surrogatepass"))
        self[word] = term
        return term


@lru_cache(maxsize=64)
def _terms(language: str | None) -> _Terms:
    return _Terms(language)


def words(text: str) -> list[str]:
    """Case-folded Unicode words of at most 64 characters, in order; longer runs (encoded data) are no words."""
    found: list[str] = _WORD.findall(text.casefold())
    if len(max(found, key=len, default="")) <= _LONGEST_WORD:
        return found
    return [word for word in found if len(word) <= _LONGEST_WORD]


def terms(text: str, language: str | None) -> list[int]:
    """Term numbers of a text's words, in order, each as often as it stands there: for a store that weighs by itself."""
    numbers = _terms(language)
    return [numbers[word] for word in words(text)]


def encode_passage(text: str, language: str | None) -> SparseVector:
    """Weights of a passage's terms. `language` is its ISO 639-1 code; an unknown one means no stemming."""
    found = words(text)
    counts: dict[int, int] = {}
    terms = _terms(language)
    for word, times in Counter(found).items():
        term = terms[word]
        counts[term] = counts.get(term, 0) + times
    indices = np.fromiter(counts.keys(), dtype=np.uint32, count=len(counts))
    frequency = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
    values = frequency * (K1 + 1) / (frequency + K1 * (1 - B + B * len(found) / AVERAGE_WORDS))
    return SparseVector(indices, values.astype(np.float32))


def encode_query(text: str, languages: Sequence[str | None]) -> SparseVector:
    """Terms of a query, each with weight 1: as written, and stemmed in every language given.

    The language of a passage decides how its words were stemmed, so pass the languages that the index may hold; a
    term that it does not hold costs nothing. An empty result means that the query has no word.
    """
    found = words(text)
    terms = list(dict.fromkeys(_terms(language)[word] for word in found for language in (None, *languages)))
    return SparseVector(np.asarray(terms, dtype=np.uint32), np.ones(len(terms), dtype=np.float32))
