"""The revision a publication carries: a clock in microseconds that never goes back within one process.

Why the clock and not the file's modification time: a restored backup or a checkout brings old times back, and content
published with an older revision than the index has seen is dropped, silently for the one who published it. A file that
did not change costs nothing downstream: same text, same chunk ids, vectors from the cache. The price: of two machines
that publish the same document, the one whose clock is ahead wins; publishers with a version counter use that instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class RevisionClock:
    """Strictly increasing microseconds since the epoch. `clock_ns` is replaced in tests."""

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._last = 0

    def next(self) -> int:
        """A revision above every one that this clock gave before, also when the machine's clock is set back."""
        self._last = max(self._last + 1, self._clock_ns() // 1000)
        return self._last
