"""A worker for whose troubles nothing waits."""

from __future__ import annotations

import asyncio

from roggia_embedder.generations.unhurried import Unhurried
from roggia_runtime.errors import UnavailableError


class Table:
    """Runs until it is stopped, and is never ready."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        await self.over.wait()

    def stop(self) -> None:
        self.over.set()

    def health(self) -> list[str]:
        return ["index.generation: not read yet"]


async def test_a_query_role_is_ready_before_registry_and_kafka_answer() -> None:
    """What is missing is a note; the table is read once the registry has told the schemas, and not with wrong ones."""
    table, tries = Table(), 0

    async def first() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise UnavailableError("registry is away")

    worker = Unhurried(first, table, again_s=0.02)
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0.01)
    assert (worker.health(), worker.notes(), table.runs) == ([], ["registry is away"], 0)
    await asyncio.sleep(0.1)
    assert (worker.health(), worker.notes(), table.runs) == ([], ["index.generation: not read yet"], 1)
    worker.stop()
    await asyncio.wait_for(task, 1)
