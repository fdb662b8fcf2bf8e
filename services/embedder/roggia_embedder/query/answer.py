"""Composes an answer from sentences that the passages hold: extractive, cited, deterministic. Pure: encodes nothing.

Sentences are scored by meaning (cosine with the question), by words (share of the question's words, rare ones
counting more) and by their passage's rank; chosen greedily against repetition (maximal marginal relevance, Carbonell
and Goldstein 1998). Nothing is generated: every sentence of the answer stands in the passage that its number names.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from roggia_embedder.query import sentences
from roggia_embedder.query.api import Passage

MAX_CANDIDATES = 32
MAX_PASSAGES = 6
MAX_SENTENCES = 3

NOTHING_FOUND = "Nothing relevant to this question was found in the documents visible to you."

_WORDS_WEIGHT = 0.25
_RANK_WEIGHT = 0.05
_NOVELTY = 0.35
_KEEP = 0.85
"""A further sentence is added only when it scores at least this share of the best one."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that may be quoted: which passage (index in the results), where in it, and its share of the
    question's words (0 to 1)."""

    passage: int
    position: int
    text: str
    words: float


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer before it is addressed: its text and the passages cited, in the order of their numbers.

    `relevance` is the best cosine of question and sentence; no passage is cited when it is below the threshold.
    """

    text: str
    cited: tuple[int, ...]
    relevance: float


def candidates(question: str, passages: Sequence[Passage]) -> tuple[Sentence, ...]:
    """At most `MAX_CANDIDATES` sentences of the best passages, those that share words with the question first."""
    found = [
        (rank, position, text)
        for rank, passage in enumerate(passages[:MAX_PASSAGES])
        for position, text in enumerate(_quotable(passage))
    ]
    weights = _weights(question, [text for _, _, text in found])
    scored = [Sentence(rank, position, text, _coverage(weights, text)) for rank, position, text in found]
    best = sorted(scored, key=lambda s: (-s.words, s.passage, s.position))[:MAX_CANDIDATES]
    return tuple(sorted(best, key=lambda s: (s.passage, s.position)))


def compose(
    pool: Sequence[Sentence],
    question: NDArray[np.float32],
    rows: NDArray[np.float32],
    threshold: float,
) -> Draft:
    """The answer from `pool`, whose sentences' unit vectors are `rows`; `question` is the question's unit vector."""
    if not pool:
        return Draft(NOTHING_FOUND, (), 0.0)
    meaning = rows @ question
    relevance = float(meaning.max())
    if relevance < threshold:
        return Draft(NOTHING_FOUND, (), relevance)
    return _written([pool[i] for i in _chosen(pool, meaning, rows, threshold)], relevance)


def _quotable(passage: Passage) -> tuple[str, ...]:
    """The passage's sentences; its start when it has none (code, a table), so that it can still be cited."""
    return sentences.split(passage.text) or sentences.opening(passage.text)


def _weights(question: str, texts: Sequence[str]) -> dict[str, float]:
    """Weight of each word of the question: rare among the candidates counts more; a word nobody has counts too."""
    spread = Counter(word for text in texts for word in set(sentences.words(text)))
    return {word: math.log1p(len(texts) / (1 + spread[word])) for word in sentences.words(question)}


def _coverage(weights: dict[str, float], text: str) -> float:
    total = sum(weights.values())
    present = set(sentences.words(text))
    return sum(weight for word, weight in weights.items() if word in present) / total if total else 0.0


def _chosen(
    pool: Sequence[Sentence], meaning: NDArray[np.float32], rows: NDArray[np.float32], threshold: float
) -> list[int]:
    """Indices of what is quoted, the best first. Every sentence passes the threshold by itself."""
    base = {
        i: float(meaning[i]) + _WORDS_WEIGHT * sentence.words + _RANK_WEIGHT / (1 + sentence.passage)
        for i, sentence in enumerate(pool)
        if meaning[i] >= threshold
    }
    chosen: list[int] = []
    while len(chosen) < min(MAX_SENTENCES, len(base)):
        gains = {i: base[i] - _repetition(i, chosen, rows) for i in base if i not in chosen}
        best = max(gains, key=lambda i: (round(gains[i], 6), -i))
        if chosen and (base[best] < _KEEP * base[chosen[0]] or _repeats(best, chosen, rows)):
            break
        chosen.append(best)
    return chosen


def _repetition(i: int, chosen: Sequence[int], rows: NDArray[np.float32]) -> float:
    return _NOVELTY * max((float(rows[i] @ rows[j]) for j in chosen), default=0.0)


def _repeats(i: int, chosen: Sequence[int], rows: NDArray[np.float32]) -> bool:
    return any(float(rows[i] @ rows[j]) > 0.95 for j in chosen)


def _written(chosen: Sequence[Sentence], relevance: float) -> Draft:
    """The sentences grouped by passage, the best sentence's passage first, each followed by its number."""
    order = list(dict.fromkeys(sentence.passage for sentence in chosen))
    ordered = sorted(chosen, key=lambda s: (order.index(s.passage), s.position))
    text = " ".join(f"{sentence.text} [{order.index(sentence.passage) + 1}]" for sentence in ordered)
    return Draft(text, tuple(order), relevance)
