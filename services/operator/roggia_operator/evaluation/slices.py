"""Which slices a question belongs to: a model may gain on average and lose the questions that one tenant asks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roggia_operator.evaluation.golden.model import GoldenQuery

EVERYTHING = "all"
IDENTIFIER = "identifier"
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


def slices(query: GoldenQuery) -> Iterator[str]:
    """Names of the slices, `EVERYTHING` first. Callers group scores by them; a name is `kind=value` or `identifier`."""
    yield EVERYTHING
    yield f"tenant={query.tenant}"
    yield f"domain={query.tenant}/{query.domain}"
    if query.language:
        yield f"language={query.language}"
    yield f"length={band(query.query)}"
    if exact(query.query):
        yield IDENTIFIER
    yield from (f"tag={tag}" for tag in query.tags)


def band(text: str) -> str:
    """The band of a question's length in words."""
    count = len(text.split())
    return next((name for most, name in _BANDS if count <= most), _LONGEST)


def exact(text: str) -> bool:
    """Whether a question names something by its exact form (a code, a version, a function): what dense models lose."""
    tokens = (token.rstrip(".:") for token in _TOKEN.findall(text))
    return any(shape.fullmatch(token) for token in tokens for shape in _SHAPES)
