"""All services of the pipeline in this process, the operator beside them, on a broker of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from roggia_embedder import app as embedder
from roggia_embedder.adapters.edge import EdgeStore

from tests.support.kafka import DEVSTACK_ENV, Broker, devstack_broker
from tests.support.pipeline import Pipeline, running
from tests.support.replaying import Operator


@dataclass(frozen=True, slots=True)
class Operated:
    """What runs. `store` is the one that the index service opened: the embedded engine admits no second."""

    broker: Broker
    pipeline: Pipeline
    store: EdgeStore


@asynccontextmanager
async def operated(data: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operated]:
    """Start it all; stop it at the end."""
    made: list[EdgeStore] = []

    def remembered(options: Any) -> Any:
        pair = original(options)
        made.append(pair[0])
        return pair

    original = embedder.store_of
    monkeypatch.setattr(embedder, "store_of", remembered)
    broker = devstack_broker(data / "broker", **DEVSTACK_ENV)
    broker.start()
    operator = Operator(broker, data / "operator.log")
    try:
        async with running(broker.bootstrap, data) as pipeline:
            await asyncio.to_thread(operator.start)
            yield Operated(broker, pipeline, made[0])
    finally:
        operator.kill()
        broker.kill()
