"""Wall-clock time for everybody, so that a test can set it in one place."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Milliseconds since the Unix epoch, UTC. May go backwards when the machine's clock is set."""
    return time.time_ns() // 1_000_000
