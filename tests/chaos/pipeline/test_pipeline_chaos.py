"""The delivery promise of the whole pipeline, under scale-out, scale-in, kill -9 of everything, and replays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.chaos import full_schedule
from tests.support.chaos_proof import verify_pipeline
from tests.support.kafka import Broker

EVENTS = int(os.environ.get("ROGGIA_CHAOS_EVENTS", "20000"))


@pytest.mark.chaos
@pytest.mark.timeout(3600)
async def test_nothing_lost_nothing_doubled_order_kept(own_broker: Broker, tmp_path: Path) -> None:
    """20,000 changes of 2,000 documents under every disturbance: the index is the one of the last revisions."""
    await verify_pipeline(
        own_broker, tmp_path, events=EVENTS, documents=EVENTS // 10, schedule=full_schedule(), settle_s=1500
    )
