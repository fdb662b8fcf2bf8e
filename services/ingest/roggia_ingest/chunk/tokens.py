"""Token counts of any range of a text from one tokenisation, for tokenizers that treat words apart."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

from roggia_ingest.chunk.sizes import CHARACTERS_PER_TOKEN
from roggia_ingest.errors import TokenizerError

_SEGMENT = 32_768
"""Code points tokenised at once: bounds the tokenizer's memory, which is a hundred times its input's."""


class TokenCounter:
    """A Hugging Face `tokenizer.json` whose counts add up: tokens(a + " " + b) = tokens(a) + tokens(b).

    That holds where the pre-tokenizer cuts at white space (BERT's does) and lets the chunker tokenise a document
    once. Others are refused with `TokenizerError`. Special tokens are never counted; the file's truncation and
    padding are switched off.
    """

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        raw = _read(path)
        pre_tokenizer = (json.loads(raw).get("pre_tokenizer") or {}).get("type")
        if pre_tokenizer != "BertPreTokenizer":
            raise TokenizerError(f"tokenizer {path.name}: pre-tokenizer {pre_tokenizer} is not BertPreTokenizer")
        self._tokenizer = Tokenizer.from_str(raw.decode())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.sha256 = hashlib.sha256(raw).hexdigest()

    def count(self, text: str) -> int:
        """Tokens of `text` on its own."""
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def measure(self, text: str) -> Measured:
        """Tokenise `text` once, for counts of its ranges."""
        starts: list[int] = []
        for begin, end in _segments(text):
            encoding = self._tokenizer.encode(text[begin:end], add_special_tokens=False)
            starts += [begin + span[0] for span in encoding.offsets]
        return Measured(starts)

    def words(self, text: str) -> list[tuple[int, int]]:
        """Spans of the pre-tokenizer's words: between two of them a text may be cut and counts still add up."""
        return [span for _, span in self._tokenizer.pre_tokenizer.pre_tokenize_str(text)]


class Measured:
    """Where the tokens of one text start, in ascending order."""

    def __init__(self, starts: list[int]) -> None:
        self._starts = starts

    def tokens(self, start: int, end: int) -> int:
        """Tokens that start in [start, end)."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def weight(self, start: int, end: int) -> int:
        """Tokens, or characters by `CHARACTERS_PER_TOKEN` where these are more: what the chunker's bounds are for."""
        return max(self.tokens(start, end), -(-(end - start) // CHARACTERS_PER_TOKEN))


def _segments(text: str) -> Iterator[tuple[int, int]]:
    """Cut at line ends or spaces near `_SEGMENT`; a run without either stays whole, so that no word is cut."""
    begin = 0
    while len(text) - begin > _SEGMENT:
        end = _white(text, begin + _SEGMENT)
        yield begin, end
        begin = end
    yield begin, len(text)


def _white(text: str, position: int) -> int:
    while position < len(text) and not text[position].isspace():
        position += 1
    return position


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TokenizerError(f"tokenizer {path}: {error.strerror}") from None
