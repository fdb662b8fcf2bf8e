"""Classes of tokens that have prices of their own, and how a provider's counts fall into them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from operator import attrgetter
from typing import TypeAlias

from roggia_schemas.events import TokenUsage

from roggia_auditor.errors import UsageError


class TokenClass(StrEnum):
    """What has a price. The names are those of `price.changed` and `tenant.usage`."""

    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_WRITE_5M = "cache_write_5m"
    CACHE_WRITE_1H = "cache_write_1h"
    OUTPUT = "output"
    REASONING = "reasoning"
    AUDIO_INPUT = "audio_input"
    AUDIO_OUTPUT = "audio_output"
    IMAGE = "image"
    REQUEST = "request"
    """The call itself, not a token."""

    # A text's, made in C: an Enum's own would be half of what counting an event costs.
    __hash__ = str.__hash__


Counts: TypeAlias = Mapping[TokenClass, int]
"""How many of each class; every token in exactly one of them."""

INPUT_PARTS = (
    TokenClass.CACHE_READ,
    TokenClass.CACHE_WRITE_5M,
    TokenClass.CACHE_WRITE_1H,
    TokenClass.AUDIO_INPUT,
    TokenClass.IMAGE,
)
_OF_TOKENS = tuple(one for one in TokenClass if one is not TokenClass.REQUEST)
_counts = attrgetter(*(one.value for one in _OF_TOKENS))
_INPUTS = frozenset((TokenClass.INPUT, *INPUT_PARTS))
OUTPUT_PARTS = (TokenClass.REASONING, TokenClass.AUDIO_OUTPUT)
MAX_TOKENS = 10**9
"""Of one class in one attempt: beyond it a count is a mistake, and sums could leave 64 bits."""


def counted(usage: TokenUsage) -> Counts:
    """Every token in one class, whichever way the provider counts.

    Raises `UsageError` for a count that is negative, absurd, or smaller than what it is said to hold.
    """
    counts: tuple[int, ...] = _counts(usage)
    if min(counts) < 0 or max(counts) > MAX_TOKENS:
        one, count = next((one, n) for one, n in zip(_OF_TOKENS, counts, strict=True) if not 0 <= n <= MAX_TOKENS)
        raise UsageError(f"usage.{one.value}: {count} is not between 0 and {MAX_TOKENS}")
    found: dict[TokenClass, int] = {one: count for one, count in zip(_OF_TOKENS, counts, strict=True) if count}
    if usage.input_includes:
        _take_out(found, TokenClass.INPUT, INPUT_PARTS)
    if usage.output_includes:
        _take_out(found, TokenClass.OUTPUT, OUTPUT_PARTS)
    return found


def context(counts: Counts) -> int:
    """Input tokens of all classes: what context bands go by."""
    return sum([count for one, count in counts.items() if one in _INPUTS])


def tokens(counts: Counts) -> int:
    """Tokens of all classes."""
    return sum(count for one, count in counts.items() if one is not TokenClass.REQUEST)


def _take_out(found: dict[TokenClass, int], whole: TokenClass, parts: tuple[TokenClass, ...]) -> None:
    """Leave of a count that includes others what is none of them."""
    inside = sum([found[part] for part in parts if part in found])
    if not inside:
        return
    said = found.get(whole, 0)
    if inside > said:
        raise UsageError(
            f"usage.{whole.value}: {said} is said to include {' + '.join(part.value for part in parts)}, "
            f"which are {inside}; if they come on top, set {whole.value}_includes to false"
        )
    found[whole] = said - inside
    if not found[whole]:
        del found[whole]
