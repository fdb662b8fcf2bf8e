"""Which sentences of a passage may be quoted."""

from __future__ import annotations

import pytest
from roggia_embedder.query import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is here now. Two is there then! Is three?", ("One is here now.", "Two is there then!")),
        ("A line that\nwraps here. Another one follows.", ("A line that wraps here.", "Another one follows.")),
        ("Use a cache, e.g. Redis, here. Then measure it.", ("Use a cache, e.g. Redis, here.", "Then measure it.")),
        ("Version 3.11 is the least. It runs on Linux.", ("Version 3.11 is the least.", "It runs on Linux.")),
        ("# A heading is no sentence\n\nBut this line is one.", ("But this line is one.",)),
        ("- first item of four\n- second item of four", ("first item of four", "second item of four")),
        ("Before the code.\n```\nx = 1. Y = 2. Z.\n```\nAfter the code.", ("Before the code.", "After the code.")),
        ("| a | table row here |\n|---|---|\n\nProse after the table.", ("Prose after the table.",)),
        ("最初の文です。二番目の文です。", ("最初の文です。", "二番目の文です。")),
        ("Too short.", ()),
        ("", ()),
    ],
)
def test_split(text: str, expected: tuple[str, ...]) -> None:
    """Prose and list items are split at sentence ends; headings, tables, code and fragments are left out."""
    assert sentences.split(text) == expected


def test_long_sentence_is_shortened_visibly() -> None:
    """A sentence beyond the limit ends with an ellipsis, at a word's end."""
    (found,) = sentences.split("word " * 200)
    assert len(found) <= sentences.MAX_CHARS
    assert found.endswith("word…")


def test_opening_of_a_passage_without_prose() -> None:
    """Code alone still has an opening that can be shown."""
    assert sentences.opening("```\nx = 1\n```") == ("``` x = 1 ```",)
    assert sentences.opening(" \n") == ()
