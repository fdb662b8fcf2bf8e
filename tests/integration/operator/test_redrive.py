"""Dead letters through real services: refused, seen, mended, redriven, searchable; and an operator that is killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_schemas import topics

from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.redrive_fleet import RedriveFleet

LANE = topics.replay(topics.DOC_CHANGED)
DLQ = topics.dlq(topics.DOC_CHANGED)


@pytest.fixture
async def services(devstack_alone: Broker, tmp_path: Path) -> AsyncIterator[RedriveFleet]:
    """Nothing started yet but the broker."""
    made = RedriveFleet(devstack_alone, tmp_path / "run")
    await apply_topics(made.fleet.kafka)
    yield made
    made.kill_all()


@pytest.mark.timeout(300)
async def test_letters_come_back_until_the_cause_is_mended_and_then_are_searchable(services: RedriveFleet) -> None:
    """Unmended: letters come back with their count, and the fourth stops the redrive; one alone stops nothing, and is
    no success either. Mended: the rest and those that came back are indexed, but for what a newer revision overtook
    and what was dropped with a reason.
    """
    fleet = services.fleet
    for name in ("ingest", "embed", "index"):
        fleet.start(name)
    services.operator.start()
    large = [f"large/{n}" for n in range(12)]
    await services.publish(large, 8_000)
    await services.publish(["small"], 200)
    assert await fleet.reach(DLQ, 12, 60)
    (cause,) = await services.call("list", "--json")
    assert (cause["kind"], cause["open"], cause["letters"]) == ("oversize", 12, 12)

    dry = await services.call("redrive", cause["fingerprint"], "--dry-run", "--json")
    assert (dry["send"], dry["overtaken"]) == (12, 0)
    said = await services.call("redrive", cause["fingerprint"], "--yes", status=1)
    assert f"letters came back with cause {cause['fingerprint']}" in said
    (again,) = await services.call("list", "--json")
    assert again["came_back"] >= 4
    assert (again["open"], again["letters"]) == (12, 12 + again["came_back"])
    assert again["example"]["redrives"] == 1
    one = again["example"]
    said = await services.call("redrive", one["topic"], one["place"], "--yes", status=1)
    assert "1 letter failed again and came back" in said

    services.raise_limit()
    await services.publish(["large/0"], 300, revision=2)
    await fleet.consumed("roggia.ingest", 60)
    place = next(one for one in await _open_places(services) if one[0] == "acme/large/1")
    await services.call("drop", place[1], place[2], "--reason", "the customer left", "--confirm", "drop 1")
    done = await services.call("redrive", "doc.changed", "--yes", "--json")
    assert done["counts"] == {"redriven": 10, "overtaken": 1}
    assert await services.call("list", "--json") == []
    (ended,) = await services.call("list", "--all", "--json")
    assert (ended["dropped"], ended["overtaken"], ended["open"]) == (1, 1, 0)
    await fleet.settle(60)
    indexed = {record.key for record in await fleet.records(topics.DOC_UPSERTED)}
    assert indexed == {b"acme/small", *(f"acme/large/{n}".encode() for n in range(12) if n != 1)}
    drops = [row for row in await services.call("jobs", "--json") if row["action"] == "drop"]
    assert [(row["reason"], row["counts"]) for row in drops] == [("the customer left", {"dropped": 1})]
    await services.call("redrive", "doc.changed", "--yes", status=2)


@pytest.mark.timeout(240)
async def test_an_operator_killed_in_the_middle_of_a_redrive_goes_on(services: RedriveFleet) -> None:
    """kill -9 while letters are sent: the next operator ends the job, every record went through the lane once."""
    fleet = services.fleet
    fleet.start("ingest")
    services.operator.start()
    count = 120
    await services.publish([f"large/{n}" for n in range(count)], 6_000)
    assert await fleet.reach(DLQ, count, 60)
    services.raise_limit()
    job = (await services.call("redrive", topics.DOC_CHANGED, "--yes", "--detach", "--json"))["job"]
    assert await fleet.reach(LANE, 20, 60)
    services.operator.kill()
    assert await fleet.total(LANE) < count
    services.operator.start()
    row = await services.ended(job)
    assert (row["status"], row["counts"]) == ("DONE", {"redriven": count})
    sent = Counter(record.key for record in await fleet.records(LANE))
    assert len(sent) == sum(sent.values()) == count
    await fleet.consumed("roggia.ingest", 60)
    assert len({record.key for record in await fleet.records(topics.doc_chunked(1))}) == count


async def _open_places(services: RedriveFleet) -> list[tuple[str, str, str]]:
    """Key, DLQ and place of letters, the newest of each key."""
    found: dict[str, tuple[str, str, str]] = {}
    for dlq in (DLQ, topics.dlq(LANE)):
        for record in await services.fleet.records(dlq):
            key = (record.key or b"").decode()
            found[key] = (key, dlq, f"{record.partition}:{record.offset}")
    return list(found.values())
