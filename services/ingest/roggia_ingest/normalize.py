"""One form for every text: what ingest promises of the text that it chunks.

NFC; lines end in LF without trailing white space; at most one empty line in a row; Unicode's other spaces become a
space; no control, bidirectional-control, zero-width-space or tag characters. Those are taken out, because they are
invisible: a reader of a citation and a model must see the same text. Joiners (U+200C, U+200D) stay: scripts need them.
"""

from __future__ import annotations

import re
import unicodedata

NORMALIZER = "roggia-nfc/1"
"""Name and version; raised by any change that can change a text."""

TITLE_LENGTH = 300

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f\ud800-\udfff]"
)
_LINE_END = re.compile("\r\n|[\r\x85\u2028\u2029]")
_SPACE = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_TRAILING = re.compile(r"(?<![ \t])[ \t]++\n")
_EMPTY_LINES = re.compile(r"\n{3,}")


def normalize(text: str) -> str:
    """Return `text` in the one form. Idempotent."""
    text = _UNSEEN.sub("", _LINE_END.sub("\n", text))
    if not text.isascii():
        text = unicodedata.normalize("NFC", _SPACE.sub(" ", text))
    return _EMPTY_LINES.sub("\n\n", _TRAILING.sub("\n", text + "\n")).strip("\n").rstrip()


def one_line(text: str) -> str | None:
    """A title or label in one line of at most `TITLE_LENGTH` characters; None when nothing is left."""
    return " ".join(normalize(text[: TITLE_LENGTH * 10]).split())[:TITLE_LENGTH] or None
