"""Bad input through the running service, and the limit that stops it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from roggia_schemas import topics

from tests.support.bad_end_to_end import fleet_for, verify_bad_events
from tests.support.bad_events import generate
from tests.support.chaos import Run
from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.processes import ServerProcess
from tests.support.workload import Workload


@pytest.mark.timeout(240)
async def test_each_bad_event_has_its_fate_and_good_ones_pass(own_broker: Broker, tmp_path: Path) -> None:
    """500 bad events with good ones between them: dead letters that name the field, counted drops, no crash."""
    await verify_bad_events(own_broker, tmp_path / "run", 500, settle_s=150)


@pytest.mark.timeout(120)
async def test_too_many_dead_letters_stop_the_consumer(devstack_alone: Broker, tmp_path: Path) -> None:
    """With a limit of 20, ingest stops with an error instead of draining the topic; what is left stays on the log."""
    root = tmp_path / "content"
    root.mkdir()
    fleet = fleet_for(devstack_alone, tmp_path / "run", root, {"ROGGIA_INGEST_DLQ__MAX_RECORDS": "20"})
    run = Run(fleet, Workload(()))
    await apply_topics(fleet.kafka)
    bad = [event for event in generate(200, 7, root) if event.kind == "schema"]
    await run.publish([(topics.DOC_CHANGED, event.key, event.value) for event in bad * 5])
    fleet.start("ingest")
    try:
        _ended(fleet.processes["ingest"])
        letters = await run.fleet.records(topics.dlq(topics.DOC_CHANGED))
        assert len(letters) <= 20
        assert "dead letters" in fleet.processes["ingest"].log.read_text()
    finally:
        fleet.kill_all()


def _ended(process: ServerProcess, patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while process.running():
        assert time.monotonic() < deadline, "ingest goes on"
        time.sleep(0.1)
