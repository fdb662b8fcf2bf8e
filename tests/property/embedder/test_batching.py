"""Batches under a token budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from roggia_embedder.embedding.batching import plan


@given(st.lists(st.integers(1, 512), max_size=300), st.integers(1, 4096))
def test_every_text_once_and_no_batch_over_the_budget(lengths: list[int], budget: int) -> None:
    """Each text is in exactly one batch; padded size keeps to the budget unless a single text exceeds it."""
    batches = plan(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget


@given(st.lists(st.integers(1, 512), min_size=1, max_size=300))
def test_lengths_fall_from_batch_to_batch(lengths: list[int]) -> None:
    """Texts are sorted, so padding is bounded by the spread inside one batch."""
    order = [lengths[index] for batch in plan(lengths, 2048) for index in batch]
    assert order == sorted(lengths, reverse=True)
