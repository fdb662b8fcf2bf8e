"""What `Membership` must set in aiokafka's fetcher, which shows it nowhere. As of aiokafka 0.14.

While records of one partition wait to be taken, the fetcher asks a broker for no other one: up to 0.1 s from when they
came. During a batch in hand it is what a live document can lose: it has been written, nobody has asked for it, and the
next batch begins without it. Asking at once would be worse: a request without the partition whose records
are just about to be taken is then under way, and that partition waits for its answer (`fetch_max_wait_ms`).

Where batches of live topics are full, whoever comes waits for a backlog anyway, and many small answers cost 8 % of the
CPU per record (`bench_loop`): there the fetcher waits as it does by itself. For a lane's backlog nobody waits.
"""

from __future__ import annotations

from typing import Final

from aiokafka import AIOKafkaConsumer

SOON_S: Final = 0.02
"""Long enough for an idle loop to take what came, and a tenth of what a batch of embeddings takes."""
BUSY_S: Final = 0.1
"""The fetcher's own."""


def ask(consumer: AIOKafkaConsumer, *, busy: bool) -> None:
    """How long after records that nobody took the fetcher asks for others, from the next answer on.

    For a consumer that was started. `busy`: batches of live topics are full.
    """
    consumer._fetcher._prefetch_backoff = BUSY_S if busy else SOON_S  # noqa: SLF001
