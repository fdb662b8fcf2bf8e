"""The limit on documents with real services: refused, raised without a restart, redriven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from roggia_schemas import topics

from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.tenant_fleet import TenantFleet

FILE = "tenants: {{acme: {{limits: {{documents: {}, requests_per_minute: 9}}}}}}"


@pytest.fixture
def fleet(devstack_alone: Broker, tmp_path: Path) -> Iterator[TenantFleet]:
    """Services of one test, not yet started."""
    made = TenantFleet(devstack_alone, tmp_path / "run")
    yield made
    made.kill_all()


@pytest.mark.timeout(200)
async def test_a_full_tenant_fills_letters_stops_nobody_and_takes_them_back_once_it_may(fleet: TenantFleet) -> None:
    """Far more letters than the consumer's limit of faults leave another tenant's document alone. A redrive under the
    old limit brings its letters back; under the raised one, with the same processes, every document is there.
    """
    await apply_topics(fleet.fleet.kafka)
    told = fleet.call("tenants", "apply", "-", "--yes", given=FILE.format(3))
    assert told.rstrip().endswith("nothing enforces it yet: limits.requests_per_minute")
    fleet.fleet.environment["ROGGIA_INGEST_DLQ__MAX_RECORDS"] = "2"
    fleet.start()
    await fleet.publish("acme", [f"d/{number}" for number in range(10)])
    await fleet.publish("globex", ["g/1"])
    await fleet.fleet.consumed("roggia.ingest", 60)
    letters = await fleet.fleet.records(topics.dlq(topics.DOC_CHANGED))
    assert len(letters) == 7
    said = json.dumps([value.decode() for _, value in letters[0].headers])
    assert all(words in said for words in ("limits.documents", "tenant acme", "it has 3", "roggia tenants apply"))
    assert (fleet.left("acme")["catalogue"], fleet.left("globex")["catalogue"]) == (3, 1)

    assert "limit" in str(fleet.call("dlq", "redrive", "--kind", "limit", "--tenant", "acme", "--yes", status=1))
    fleet.call("tenants", "apply", "-", "--yes", given=FILE.format(10))
    fleet.call("dlq", "redrive", "--kind", "limit", "--tenant", "acme", "--yes")
    await fleet.fleet.settle(60)
    assert fleet.left("acme")["catalogue"] == 10
    rows = {row["tenant"]: row["documents"] for row in fleet.call("tenants", "list", "--json")}
    assert rows == {"acme": 10, "globex": 1}
