"""The chaos run in short: the same disturbances once each, on both brokers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.chaos import short_schedule
from tests.support.chaos_proof import verify_pipeline
from tests.support.kafka import Broker


@pytest.mark.timeout(300)
async def test_pipeline_survives_each_fault_once(own_broker: Broker, tmp_path: Path) -> None:
    """700 changes of 100 documents, each service and the broker killed once: nothing lost, doubled or out of order."""
    await verify_pipeline(own_broker, tmp_path, events=700, documents=100, schedule=short_schedule(), settle_s=150)
