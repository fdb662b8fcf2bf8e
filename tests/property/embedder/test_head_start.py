"""The early benefit of a head start, for corpora and traffic of any draw."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_embedder.generations.order import RULES

from tests.support.coverage import Corpus, World, coverage, expected_in_log_order, in_log_order, with_head_start


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.3, 0.5]))
def test_a_tenth_of_the_work_covers_three_times_the_traffic(seed: int, share: float) -> None:
    """With Zipf traffic, what is covered after a tenth of the work is at least three times what log order covers on
    average over orders, and no more work was done than that, but for a batch."""
    corpus = Corpus(World(documents=2_000, exponent=1.0, answers=4_000, seed=seed))
    traffic = corpus.traffic(seed + 2_000)
    log = expected_in_log_order(corpus, 0.1, traffic)
    done = with_head_start(corpus, corpus.scores(seed + 1_000), 0.1, share, RULES)
    assert coverage(done, traffic) >= 3 * log
    assert sum(corpus.chunks[document] for document in done) <= 0.1 * corpus.work + 300


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_without_traffic_nothing_is_lost(seed: int) -> None:
    """Where nothing was asked for, the lane is empty and the log pass does as much as without it."""
    corpus = Corpus(World(documents=500, seed=seed))
    assert with_head_start(corpus, {}, 0.1, 0.5, RULES) == in_log_order(corpus, 0.1)
