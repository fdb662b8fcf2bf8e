"""What `Membership` must set in aiokafka's fetcher, which shows it nowhere. As of aiokafka 0.14.

While records of one partition wait to be taken, the fetcher asks a broker for no other one: up to 0.1 s from when they
came. During a batch in hand it is what a live document can lose: it has been written, nobody has asked for it, and the
next batch begins without it. Asking at once would be worse: a request without the partition whose records
are just about to be taken is then under way, and that partition waits for its answer (`fetch_max_wait_ms`).
"""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer

AHEAD_S = 0.02
"""Long enough for an idle loop to take what came, and a tenth of what a batch of embeddings takes."""


def ask_sooner(consumer: AIOKafkaConsumer) -> None:
    """Ask for other partitions `AHEAD_S` after records have come that nobody took. For a consumer that was started."""
    consumer._fetcher._prefetch_backoff = AHEAD_S  # noqa: SLF001
