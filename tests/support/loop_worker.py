"""A service with one consumer loop that copies a topic; tests start it as a process and signal it.

Arguments: bootstrap, group, source topic, target topic, delivery mode.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from roggia_runtime.loop import ConsumerLoop, Delivery
from roggia_runtime.records import Record, Verdict
from roggia_runtime.service import Service, run_service
from roggia_runtime.settings import DlqLimits, ServiceSettings

from tests.support.loops import Copier, settings, worker_limits


class SlowCopier(Copier):
    """Takes its time, so that signals meet batches in hand."""

    async def handle(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Copy, slowly."""
        await asyncio.sleep(0.02)
        return await super().handle(batch)


def build() -> Service:
    """The service."""
    bootstrap, group, source, target, delivery = sys.argv[1:]
    service = Service("worker", ServiceSettings())
    service.add(
        ConsumerLoop(
            settings=settings(bootstrap),
            group=group,
            topics=[source],
            handler=SlowCopier(target),
            stage="copy",
            delivery=Delivery(delivery),
            limits=worker_limits(),
            dlq=DlqLimits(),
        )
    )
    return service


if __name__ == "__main__":
    sys.exit(run_service("worker", build))
