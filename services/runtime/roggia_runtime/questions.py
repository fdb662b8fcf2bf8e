"""The shape of a question: what can be told of it without telling its words. Pure.

Callers: the query role, which records searches without their text, and evaluation, which slices by it.
"""

from __future__ import annotations

import re

_BANDS = ((3, "1-3 words"), (8, "4-8 words"))
_LONGEST = "9 and more words"
_TOKEN = re.compile(r"[^\s\"'`“”‘’(),;?!]+")
_SHAPES = (
    re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w.:/#@-]+"),  # ERR-1042, v2.3.1, 0x80070057, rfc6962
    re.compile(r"\w{2,}(?:[._]\w{2,}|::\w+)+(?:\(\))?"),  # os.path, max_tokens, std::move
    re.compile(r"[a-z]+(?:[A-Z][a-z0-9]*)+(?:\(\))?|(?:[A-Z][a-z0-9]+){2,}(?:\(\))?"),  # getUser, HttpServer
    re.compile(r"[A-Z]{2,}(?:[-_][A-Z0-9]+)+"),  # SKU-AB, SQL_MODE
    re.compile(r"\d[\d.-]{4,}"),  # part and ticket numbers
)


def words(text: str) -> int:
    """How many words a question has."""
    return len(text.split())


def band(count: int) -> str:
    """The band of a number of words."""
    return next((name for most, name in _BANDS if count <= most), _LONGEST)


def exact(text: str) -> bool:
    """Whether a question names something by its exact form (a code, a version, a function): what dense models lose."""
    tokens = (token.rstrip(".:") for token in _TOKEN.findall(text))
    return any(shape.fullmatch(token) for token in tokens for shape in _SHAPES)
