"""Windows of ranges, chosen at random: what a sample reads."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping

from roggia_runtime.ranges import Span
from roggia_runtime.records import Partition

WINDOW = 100
"""Offsets of one window of a sample."""
_LEAST = 4
_random = random.SystemRandom()


def windows_of(span: Span) -> int:
    """How many windows a range has; the last one may be shorter."""
    return math.ceil(span.offsets / WINDOW)


def offsets_of(spans: Mapping[Partition, Span]) -> int:
    """How many offsets ranges have together."""
    return sum(span.offsets for span in spans.values())


def rounds(spans: Mapping[Partition, Span], offsets: int) -> Iterator[dict[Partition, Span]]:
    """Windows of about `offsets` offsets in all, spread over the ranges by their size, one of each range at a time.

    Those of one range come in order.
    """
    share = min(1.0, offsets / max(1, offsets_of(spans)))
    chosen = {part: _windows(span, share) for part, span in spans.items() if span.offsets}
    while now := {part: windows.pop() for part, windows in chosen.items() if windows}:
        yield now


def _windows(span: Span, share: float) -> list[Span]:
    count = windows_of(span)
    numbers = _random.sample(range(count), min(count, max(_LEAST, math.ceil(count * share))))
    starts = sorted((span.first + number * WINDOW for number in numbers), reverse=True)
    return [Span(first, min(first + WINDOW, span.end)) for first in starts]
