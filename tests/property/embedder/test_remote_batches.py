"""Packing, splitting and order of remote models, against servers with any limits, without a network."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from roggia_embedder.adapters.models.http_call import RefusalError
from roggia_embedder.adapters.models.remote import Answer, RemoteModel, Shape
from roggia_embedder.adapters.models.stub import StubModel
from roggia_embedder.embedding.batching import plan
from roggia_embedder.embedding.retrying import LONGEST_S, backoff, retry_after
from roggia_embedder.embedding.witness import WITNESS
from roggia_embedder.errors import ChunkTooLongError
from roggia_embedder.remote import RemoteTerms

WINDOW = 20
TEXT = st.integers(1, WINDOW + 3).flatmap(lambda n: st.integers(0, 999).map(lambda seed: _words(n, seed)))


def _words(count: int, seed: int) -> str:
    return " ".join(f"w{random.Random(seed + n).randint(0, 99)}" for n in range(count))


class Limited(RemoteModel):
    """A server that takes so many texts and words at once, and may count."""

    def __init__(self, most: int, words: int, *, counts: bool, terms: RemoteTerms) -> None:
        super().__init__("limited", Shape(WINDOW, 8), terms)
        self.stub = StubModel(8, 10_000)
        self.most, self.words, self.counts = most, words, counts
        self.taken: list[Sequence[str]] = []

    @property
    def fingerprint(self) -> str:
        """One."""
        return "limited"

    def _ask(self, texts: Sequence[str], until: float) -> Answer:
        lengths = self.stub.count_tokens(texts)
        long = any(length > WINDOW for text, length in zip(texts, lengths, strict=True) if text != WITNESS)
        if len(texts) > self.most or sum(lengths) > self.words or long:
            raise RefusalError("limited", 413, "too large")
        self.taken.append(texts)
        return Answer(self.stub.encode(texts), "limited")

    def _count(self, texts: Sequence[str], until: float) -> list[int] | None:
        return self.stub.count_tokens(texts) if self.counts else None


@given(
    st.lists(TEXT, max_size=60),
    st.integers(2, 40),
    st.integers(WINDOW + 20, 400),
    st.booleans(),
    st.integers(2, 64),
    st.integers(16, 500),
)
def test_every_text_has_its_row_whatever_the_server_takes(
    texts: list[str], most: int, words: int, counts: bool, ours: int, tokens: int
) -> None:
    """Rows in order, or exactly the texts beyond the window named; never a request larger than our own terms, and no
    text asked twice in a request that was taken."""
    model = Limited(most, words, counts=counts, terms=RemoteTerms(texts=ours, tokens=tokens, at_once=1))
    long = tuple(n for n, text in enumerate(texts) if len(text.split()) > WINDOW)
    if long:
        with pytest.raises(ChunkTooLongError) as caught:
            model.encode(texts)
        assert caught.value.texts == long
    else:
        np.testing.assert_allclose(model.encode(texts), model.stub.encode(texts), atol=1e-6)
    asked = sorted(text for request in model.taken for text in request if text != WITNESS)
    assert asked == sorted(text for n, text in enumerate(texts) if n not in long)
    assert all(len(request) <= ours for request in model.taken)


@given(st.lists(st.integers(1, 512), max_size=300), st.integers(1, 4096), st.integers(1, 50))
def test_no_batch_has_more_texts_than_allowed(lengths: list[int], budget: int, most: int) -> None:
    """The third limit holds beside the token budget, and a batch ends early only because of one of the two."""
    batches = plan(lengths, budget, most)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) <= most for batch in batches)
    for batch, after in itertools.pairwise(batches):
        assert len(batch) == most or (len(batch) + 1) * lengths[batch[0]] > budget, after


@given(st.floats(0, 1e6), st.booleans(), st.integers(-500_000, 500_000))
@example(0.0, True, 7)
def test_a_wish_is_read_alike_as_seconds_and_as_a_date(seconds: float, dated: bool, wrong_clock: int) -> None:
    """A date is read against the server's `Date`, whatever our own clock says; nothing is longer than an hour."""
    whole = int(seconds)
    theirs = 1_800_000_000
    headers = {"retry-after": str(whole)}
    if dated:
        headers = {"retry-after": _http(theirs + whole), "date": _http(theirs)}
    assert retry_after(headers, datetime.fromtimestamp(theirs + wrong_clock, UTC)) == min(whole, LONGEST_S)


@given(st.text(max_size=30))
def test_nonsense_is_no_wish(text: str) -> None:
    """Whatever a server sends, the answer is a number of seconds within bounds, or none."""
    found = retry_after({"retry-after": text, "date": text}, datetime.now(UTC))
    assert found is None or 0 <= found <= LONGEST_S


@given(st.integers(1, 100), st.floats(0, 1))
def test_pauses_grow_and_end_growing(failures: int, chance: float) -> None:
    """Between half and the whole of 1, 2, 4 … 32 seconds."""
    whole = min(2.0 ** (failures - 1), 32.0)
    assert whole / 2 <= backoff(failures, chance) <= whole


def _http(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
