"""The guide to live views, as it stands: its service, its question, and what it says of the answer."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from roggia_auditor.live.windows import Key
from roggia_runtime.clock import now_ms
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics

from tests.support.auditing import inference
from tests.support.auditor_fleet import prepare
from tests.support.guides import Guide
from tests.support.kafka import Broker
from tests.support.processes import ServerProcess, free_port
from tests.support.replaying import codec, produce

pytest.importorskip("faust", reason="the live views need Faust: pip install 'roggia[live]'")
GUIDE = Guide("live-views.md")


async def published(kafka: KafkaSettings) -> None:
    """Twenty inferences of a tenant, just now."""
    await prepare(kafka, [])
    made = codec()
    events = [inference(n, occurred_at=now_ms(), latency_ms=12.0) for n in range(20)]
    await produce(kafka, [made.output(topics.INFERENCE_COMPLETED, event) for event in events])


def test_the_service_answers_the_guides_question(devstack_alone: Broker, tmp_path: Path) -> None:
    """`roggia service live` on the guide's port, and the guide's program prints what was published."""
    asyncio.run(published(KafkaSettings(bootstrap=devstack_alone.bootstrap)))
    port = free_port()
    script = GUIDE.script("service live").replace("7087", str(port))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    *setting, service = script.splitlines()
    served = ServerProcess(
        ["bash", "-euc", "\n".join([*setting, f"exec {service}"])], port, tmp_path / "live.log",
        {"PATH": path, "ROGGIA_KAFKA_BOOTSTRAP": devstack_alone.bootstrap},
    )  # fmt: skip
    served.start()
    try:
        (program,) = GUIDE.blocks("python")
        said = _until(program.replace("7087", str(port)), "20 0 2200")
        assert said.startswith("example-4")
    finally:
        assert served.stop() == 0


def test_the_guide_names_every_filter() -> None:
    """Those that the API takes."""
    (sentence,) = [line for line in GUIDE.text.splitlines() if line.startswith("Filters are")]
    assert re.findall(r"`(\w+)`", sentence) == list(Key._fields)


def _until(program: str, holds: str) -> str:
    """The program's output once it holds a text."""
    deadline = time.monotonic() + 60
    while True:
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
        if holds in ran.stdout:
            return ran.stdout
        assert time.monotonic() < deadline, ran
        time.sleep(0.3)
