"""docs/how-to/dead-letters.md, as it stands: each command that it shows is run against real services."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_schemas import topics

from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.redrive_fleet import RedriveFleet

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "dead-letters.md"
DLQ = topics.dlq(topics.DOC_CHANGED)


@pytest.fixture
async def services(devstack_alone: Broker, tmp_path: Path) -> AsyncIterator[RedriveFleet]:
    """Ingest that refuses what is large, and an operator."""
    made = RedriveFleet(devstack_alone, tmp_path / "run")
    await apply_topics(made.fleet.kafka)
    made.fleet.start("ingest")
    made.operator.start()
    yield made
    made.kill_all()


@pytest.mark.timeout(300)
async def test_the_guides_commands_do_what_it_says(services: RedriveFleet) -> None:
    """In the guide's order: list, show, the cause mended, redrive, and a letter that comes after it, dropped."""
    await services.publish(["a", "b"], 6_000)
    assert await services.fleet.reach(DLQ, 2, 60)
    (cause,) = await services.call("list", "--json")
    commands = re.findall(r"^\$ roggia dlq (.+)$", GUIDE.read_text(), re.MULTILINE)
    looks, redrives, drops = (_of(commands, kind) for kind in ("list|show|jobs", "redrive", "drop"))
    assert len(looks) + len(redrives) + len(drops) == len(commands) == 9

    for command in looks:
        assert (await _run(services, command, cause)).strip(), command
    services.raise_limit()
    said = [await _run(services, command, cause) for command in redrives]
    assert "send: 2 letters" in said[0]
    assert "2 redriven" in said[-1]
    assert await services.call("list", "--json") == []

    await services.publish(["c"], 2_000_000)
    assert await services.fleet.reach(DLQ, 3, 60)
    (last,) = await services.call("list", "--json")
    said = [await _run(services, command, last) for command in drops]
    assert "drop: 1 letter;" in said[0]
    assert "1 dropped" in said[-1]
    assert await services.call("list", "--json") == []


def _of(commands: list[str], kinds: str) -> list[str]:
    return [command for command in commands if re.match(kinds, command)]


async def _run(services: RedriveFleet, command: str, cause: dict[str, object]) -> str:
    example = cause["example"]
    assert isinstance(example, dict)
    named = {"CAUSE": str(cause["fingerprint"]), "DLQ": str(example["topic"]), "PLACE": str(example["place"])}
    return str(await services.call(*(named.get(word, word) for word in shlex.split(command))))
