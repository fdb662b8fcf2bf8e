"""Extractive answers: every sentence stands in the passage that its number names."""

from __future__ import annotations

import re

import numpy as np
import pytest
from roggia_embedder.query import answer, api

from tests.support.query import WordsModel

MODEL = WordsModel(dimension=512)


def found(*texts: str) -> tuple[api.Passage, ...]:
    """Passages with these texts, best first."""
    return tuple(
        api.Passage(doc_id=f"d{i}", chunk_id=f"c{i}", score=1 / (i + 1), text=text) for i, text in enumerate(texts)
    )


def draft(question: str, passages: tuple[api.Passage, ...], threshold: float = 0.2) -> answer.Draft:
    """The answer that the fake model's vectors give."""
    pool = answer.candidates(question, passages)
    rows = MODEL.encode([s.text for s in pool]) if pool else np.zeros((0, MODEL.dimension), np.float32)
    return answer.compose(pool, MODEL.encode([question])[0], rows, threshold)


KEYS = "Signing keys are rotated every month. The operator on duty rotates them. Bread needs flour and water."
BREAD = "Bread dough rests for an hour. Ovens are heated to 230 degrees."


def test_answer_quotes_the_sentence_and_cites_its_passage() -> None:
    """The best sentence comes first, copied, with the number of the passage that holds it."""
    result = draft("how often are signing keys rotated", found(BREAD, KEYS))
    assert result.text.startswith("Signing keys are rotated every month. [1]")
    assert result.cited[0] == 1


def test_every_sentence_stands_in_the_passage_cited() -> None:
    """Nothing is generated: each part of the answer is a substring of the passage that its number names."""
    passages = found(KEYS, BREAD, "Keys are kept in a safe. Signing keys expire after a month.")
    result = draft("signing keys expire after and rotated every month", passages)
    parts = re.findall(r"(.+?) \[(\d+)\]\s*", result.text)
    assert len(parts) >= 2
    for text, number in parts:
        assert text in passages[result.cited[int(number) - 1]].text


def test_numbers_are_one_to_n_without_gaps() -> None:
    """Citations are numbered by first appearance; each cited passage appears in the text."""
    result = draft(
        "signing keys month bread dough hour", found(KEYS, BREAD, "Signing keys and bread dough every month.")
    )
    numbers = [int(n) for n in re.findall(r"\[(\d+)\]", result.text)]
    assert list(dict.fromkeys(numbers)) == list(range(1, len(result.cited) + 1))


def test_nothing_relevant_is_said_plainly() -> None:
    """Below the threshold no passage is cited and the answer says that nothing was found."""
    result = draft("completely unrelated zebra", found(KEYS))
    assert (result.text, result.cited) == (answer.NOTHING_FOUND, ())
    assert result.relevance < 0.2


def test_no_passage_no_answer() -> None:
    """Without passages the answer says that nothing was found."""
    assert draft("keys", ()) == answer.Draft(answer.NOTHING_FOUND, (), 0.0)


def test_the_same_sentence_is_quoted_once() -> None:
    """A sentence that several passages repeat appears once."""
    result = draft("signing keys rotated month", found(KEYS, KEYS, KEYS))
    assert result.text.count("Signing keys are rotated every month.") == 1


def test_order_of_equal_candidates_is_fixed() -> None:
    """The same input gives the same answer, also when sentences tie."""
    passages = found("Keys open doors today. Keys open gates today.", "Keys open doors today. Keys open gates today.")
    assert len({draft("keys open", passages) for _ in range(5)}) == 1


def test_candidates_are_bounded() -> None:
    """However long the passages, no more sentences are encoded than the limit, in reading order."""
    text = " ".join(f"Sentence number {i} speaks about keys." for i in range(200))
    pool = answer.candidates("keys", found(text, text))
    assert len(pool) == answer.MAX_CANDIDATES
    assert list(pool) == sorted(pool, key=lambda s: (s.passage, s.position))


def test_passage_of_code_can_be_cited() -> None:
    """A passage without prose offers its opening."""
    pool = answer.candidates("rotate", found("```\nrotate_keys(every='month')\n```"))
    assert [s.text for s in pool] == ["``` rotate_keys(every='month') ```"]


@pytest.mark.parametrize(("threshold", "quoted"), [(0.40, 2), (0.45, 1), (0.51, 0)])
def test_every_sentence_quoted_passes_the_threshold(threshold: float, quoted: int) -> None:
    """A second sentence must be relevant by itself, however good the first one is."""
    pool = [answer.Sentence(0, 0, "First of all.", 0.0), answer.Sentence(0, 1, "Second of all.", 0.0)]
    question = np.array([1, 0, 0], np.float32)
    rows = np.array([[0.50, 0.86, 0], [0.44, 0, 0.89]], np.float32)
    assert answer.compose(pool, question, rows, threshold).text.count("[1]") == quoted
