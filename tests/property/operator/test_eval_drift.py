"""Triggers of drift: silent on the same, heard on a shift, and never more than a reason to plan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_operator.evaluation.drift.duplicates import ALIKE, duplicates, near_duplicates, resemblance, shingles
from roggia_operator.evaluation.drift.mmd import content, mmd2
from roggia_operator.evaluation.drift.precision import precision
from roggia_operator.evaluation.drift.trigger import Kind, Trigger
from roggia_operator.evaluation.errors import EvaluationError

from tests.support.golden_sets import Floats

WORDS = [f"w{at}" for at in range(400)]


def _topics(count: int, share: float, random: np.random.Generator) -> Floats:
    """Unit vectors around eight topics; `share` of them belong to the first one, beside what is its due."""
    centres = np.random.default_rng(1).normal(size=(8, 32))
    chosen = np.where(random.random(count) < share, 0, random.integers(0, 8, count))
    points = centres[chosen] + random.normal(size=(count, 32))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def test_windows_of_one_distribution_alarm_no_more_often_than_alpha() -> None:
    """200 looks at alpha 0.05: ten are expected, and more than 19 come by chance once in three hundred times."""
    random = np.random.default_rng(2)
    fired = [
        content(_topics(60, 0, random), _topics(40, 0, random), alpha=0.05, permutations=99, seed=at).fired
        for at in range(200)
    ]

    assert 1 <= sum(fired) <= 19


def test_a_shift_of_topics_is_heard_and_a_small_one_is_not_invented() -> None:
    """A quarter of 400 documents moves to one topic: heard in all of ten; the trigger carries the evidence."""
    random = np.random.default_rng(3)
    said = [content(_topics(400, 0, random), _topics(400, 0.25, random), permutations=199) for _ in range(10)]

    assert all(one.fired for one in said)
    assert all(one.kind is Kind.CONTENT and one.value <= one.threshold == 0.01 for one in said)
    assert said[0].evidence["mmd2"] > 0
    assert "content drift: 0.005 against 0.01 (mmd2" in said[0].reason


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 1_000))
@settings(max_examples=40)
def test_the_estimator_is_its_definition(m: int, n: int, seed: int) -> None:
    """Lemma 6 of Gretton et al. with sums written out, for several splits at once."""
    random = np.random.default_rng(seed)
    kernel = random.random((m + n, m + n))
    kernel = (kernel + kernel.T) / 2
    np.fill_diagonal(kernel, 0)
    splits = np.stack([random.permutation([1.0] * m + [0.0] * n) for _ in range(3)], axis=1)
    for column in range(3):
        x, y = np.flatnonzero(splits[:, column]), np.flatnonzero(splits[:, column] == 0)
        inside = sum(kernel[i, j] for i in x for j in x if i != j) / (m * (m - 1))
        other = sum(kernel[i, j] for i in y for j in y if i != j) / (n * (n - 1))
        across = sum(kernel[i, j] for i in x for j in y) / (m * n)
        assert mmd2(kernel, splits)[column] == pytest.approx(inside + other - 2 * across)


def test_the_same_windows_give_the_same_answer_and_equal_points_none() -> None:
    """The seed is fixed. Two windows of one point repeated are no drift, and no division by zero."""
    random = np.random.default_rng(4)
    one, other = _topics(80, 0, random), _topics(80, 0.3, random)

    assert content(one, other) == content(one, other)
    assert not content(np.ones((30, 4)), np.ones((30, 4))).fired
    assert content(np.ones((30, 4)), -np.ones((30, 4))).fired


@pytest.mark.parametrize(
    ("recent", "said"),
    [
        (np.ones((5, 4)), "recent: 5 embeddings; a window needs"),
        (np.ones((30, 3)), "of 4 and 3 numbers; give one model"),
    ],
)
def test_windows_that_cannot_be_compared_are_refused(recent: Floats, said: str) -> None:
    """Too few points or another model's dimension is an error, never a silence."""
    with pytest.raises(EvaluationError, match=said):
        content(np.ones((30, 4)), recent)


def _texts(count: int, random: np.random.Generator, length: int = 60) -> list[str]:
    return [" ".join(random.choice(WORDS, length)) for _ in range(count)]


def _edited(text: str, random: np.random.Generator) -> str:
    """A text with its last word changed: more than 0.9 alike."""
    return f"{text.rsplit(' ', 1)[0]} {random.choice(WORDS)}"


def _reworded(text: str, random: np.random.Generator) -> str:
    """A text with a word in its middle changed, which five shingles hold: alike, and not a near-duplicate."""
    own = text.split()
    own[len(own) // 2] = str(random.choice(WORDS))
    return " ".join(own)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_near_duplicates_are_exactly_those_that_comparing_all_pairs_finds(seed: int) -> None:
    """Buckets only choose what is compared: the result is that of the quadratic comparison."""
    random = np.random.default_rng(seed)
    texts = _texts(12, random, 30)
    texts += [_edited(text, random) for text in texts[:4]] + ["", "one", "one"]
    texts += [_reworded(text, random) for text in texts[6:10]]
    random.shuffle(texts)
    sets = [shingles(text) for text in texts]
    pairs = [(i, j) for i in range(len(sets)) for j in range(i) if resemblance(sets[i], sets[j]) >= ALIKE]

    assert near_duplicates(texts) == {at for pair in pairs for at in pair}


def test_a_thousand_copies_are_all_found_at_once() -> None:
    """A bucket with very many members is not compared pair by pair, and loses none."""
    random = np.random.default_rng(5)
    (text,) = _texts(1, random)

    assert len(near_duplicates([text] * 1_000 + _texts(50, random))) == 1_000


def test_copies_trigger_and_the_usual_share_of_them_does_not() -> None:
    """From 5 % to 40 % near-duplicates fires; the same share as before never does, in 25 looks."""
    random = np.random.default_rng(6)

    def window(copies: int) -> list[str]:
        texts = _texts(100 - copies, random)
        return texts + [_edited(text, random) for text in texts[:copies]]

    assert duplicates(window(3), window(20)).fired
    (pair,) = _texts(1, random)
    assert not duplicates(window(0), [pair, pair, *_texts(8, random)]).fired, "two of ten are chance"
    assert not any(duplicates(window(10), window(10)).fired for _ in range(25))


def test_precision_triggers_when_it_is_shown_to_be_below_its_objective() -> None:
    """0.6 against 0.8 in 300 questions fires; in ten it is chance; at the objective it hardly ever fires."""
    random = np.random.default_rng(7)

    def measured(share: float, count: int) -> Trigger:
        return precision(random.binomial(5, share, count) / 5, 0.8)

    assert measured(0.6, 300).fired
    assert not precision([1.0, 0.0, 1.0, 0.0, 1.0] * 2, 0.8).fired
    assert sum(measured(0.8, 100).fired for _ in range(100)) <= 4


@pytest.mark.parametrize("found", [[], [0.5, 1.2], [float("nan")]])
def test_precisions_that_are_none_are_refused(found: list[float]) -> None:
    """No question, or a number that is no share, is an error."""
    with pytest.raises(EvaluationError, match="precision: give one number"):
        precision(found, 0.8)


def test_a_trigger_has_nothing_that_could_cut_over() -> None:
    """It is a value: kind, whether, numbers. What follows is a plan's `why`."""
    assert set(Trigger.__struct_fields__) == {"kind", "fired", "value", "threshold", "evidence"}
