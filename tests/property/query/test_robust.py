"""Whatever a client sends or a passage holds: a request or a named refusal, sentences that stand in their text."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st
from roggia_embedder.query import answer, api, sentences, validate
from roggia_embedder.query.errors import QueryError

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_fields = st.sampled_from([*api.SearchRequest.__struct_fields__, "other"])
_bodies = st.binary(max_size=200) | st.dictionaries(_fields, _json).map(lambda body: json.dumps(body).encode())
_markdown = st.text(st.sampled_from("ab. !?\n#-*|`>~:)(1é。👍\t"), max_size=300) | st.text(max_size=200)


@given(_bodies)
@settings(max_examples=400, deadline=None)
@example(b'{"tenant":"a","domain":"b","query":"\\ud800x"}')
@example(b'{"tenant":"a","domain":"b","query":"x","k":NaN}')
@example(b"[" * 60_000)
def test_any_body_is_a_request_or_a_named_refusal(body: bytes) -> None:
    """Parsing gives a checked request or an error that names a field and says what to do; nothing else is raised."""
    try:
        request = validate.parse(body)
    except QueryError as error:
        assert error.field
        assert error.message.startswith(error.field)
        assert 400 <= error.status < 500
    else:
        assert 1 <= request.k <= api.MAX_K
        assert request.query.strip() == request.query != ""


@given(_markdown)
@settings(max_examples=400, deadline=None)
def test_sentences_stand_in_their_text(text: str) -> None:
    """Every sentence is a run of the passage's words, in order and none invented; the limit holds."""
    line = " ".join(text.split())
    for sentence in [*sentences.split(text), *sentences.opening(text)]:
        assert 0 < len(sentence) <= sentences.MAX_CHARS
        words = sentence.removesuffix("…").split()
        assert all(word in line for word in words)


@given(st.text(max_size=40), st.lists(_markdown, max_size=4))
@settings(max_examples=200, deadline=None)
def test_candidates_are_bounded_and_in_reading_order(question: str, texts: list[str]) -> None:
    """However odd question and passages are, candidates are few, in order, and weighed between 0 and 1."""
    passages = [api.Passage(doc_id="d", chunk_id=str(i), score=0.0, text=text) for i, text in enumerate(texts)]
    pool = answer.candidates(question, passages)
    assert len(pool) <= answer.MAX_CANDIDATES
    assert [(s.passage, s.position) for s in pool] == sorted((s.passage, s.position) for s in pool)
    assert all(0.0 <= s.words <= 1.0 + 1e-9 for s in pool)
