"""The one form of a text, and its language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roggia_ingest.language import Languages
from roggia_ingest.normalize import TITLE_LENGTH, normalize, one_line


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a  \n\n\n\nb\t\n", "a\n\nb"),
        ("e\u0301", "é"),
        ("a\xa0b\u3000c", "a b c"),
        ("so\xadft\u200bword\ufeff", "softword"),
        ("pass\x00ed\x1b[31m", "passed[31m"),
        ("safe\u202egnp.exe", "safegnp.exe"),
        ("seen\U000e0068\U000e0069", "seen"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("    indented\n", "    indented"),
    ],
)
def test_what_changes_and_what_stays(raw: str, expected: str) -> None:
    """Line ends, spaces, NFC; invisible characters go, joiners and indentation stay."""
    assert normalize(raw) == expected


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    """Idempotent, so that a text that was normalised upstream keeps its chunks."""
    assert normalize(normalize(text)) == normalize(text)


def test_titles_are_one_short_line() -> None:
    """White space is collapsed, length bounded, nothing is None."""
    assert one_line(" a\n b\t") == "a b"
    assert one_line("\u200b ") is None
    assert len(one_line("x" * 5_000) or "") == TITLE_LENGTH


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The mill turns when the water of the river comes through the open gate.", "en"),
        ("Die Mühle dreht sich, wenn das Wasser des Flusses durch das Tor kommt.", "de"),
        ("Il mulino gira quando l'acqua del fiume passa per la chiusa aperta.", "it"),
        ("水门打开时，河水流过来，水车就会转动起来，磨坊开始工作。", "zh"),
        ("12345 --- 67890", None),
        ("short", None),
        ("", None),
    ],
)
def test_languages(text: str, language: str | None) -> None:
    """Told when it can be told, else null."""
    assert LANGUAGES.detect(text) == language


LANGUAGES = Languages()
