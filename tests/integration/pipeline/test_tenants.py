"""Tenants on real services: a limit that refuses, and an offboarding that leaves nothing and touches nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from roggia_schemas import topics

from tests.support.fleet import apply_topics
from tests.support.kafka import Broker
from tests.support.tenant_fleet import TenantFleet

ACME = [f"a/{number}" for number in range(12)]
OTHERS = [f"a/{number}" for number in range(4)]
FILE = "tenants: {acme: {limits: {domains: 2}, retention_days: 30}}"


@pytest.fixture
def fleet(devstack_alone: Broker, tmp_path: Path) -> Iterator[TenantFleet]:
    """Services of one test, not yet started."""
    made = TenantFleet(devstack_alone, tmp_path / "run")
    yield made
    made.kill_all()


@pytest.mark.timeout(400)
async def test_an_offboarded_tenant_leaves_nothing_whatever_dies_and_nobody_else_is_touched(fleet: TenantFleet) -> None:
    """kill -9 of operator, ingest and embed in the middle: the job goes on, and ends with nothing left. What is
    published or replayed afterwards stays out; another tenant with the same texts keeps everything.
    """
    await apply_topics(fleet.fleet.kafka)
    fleet.start()
    await fleet.publish("acme", ACME)
    await fleet.publish("acme", ["w/1"], "wiki")
    await fleet.publish("globex", OTHERS)
    assert "retention_days" in fleet.call("tenants", "apply", "-", "--yes", given=FILE)
    await fleet.fleet.settle(120)
    kept = fleet.left("globex")
    plan = fleet.call("tenants", "offboard", "acme", "--dry-run", "--json")
    assert (plan["goes"]["documents"], plan["goes"]["domains"]) == (13, ["docs", "wiki"])
    assert {row["where"] for row in plan["remains"]} >= {"doc.changed", "doc.embedded.g1", "doc.changed.dlq"}

    fleet.fleet.kill("embed")
    fleet.call("tenants", "offboard", "acme", "--confirm", "other", status=2)
    fleet.call("tenants", "offboard", "acme", "--confirm", "acme", "--no-watch")
    await fleet.fleet.consumed("roggia.ingest", 60)
    fleet.operator.kill()
    fleet.fleet.kill("ingest")
    await fleet.publish("acme", ["late/1"], revision=5)
    fleet.fleet.start("ingest")
    fleet.fleet.start("embed")
    fleet.operator.start()

    fleet.nothing_left("acme", 150)
    await fleet.fleet.replay(topics.DOC_CHANGED)
    await fleet.publish("acme", ["late/2"], revision=9)
    await fleet.fleet.settle(120)
    fleet.nothing_left("acme")
    assert fleet.left("globex") == kept
    rows = {row["tenant"]: row for row in fleet.call("tenants", "list", "--json")}
    assert (rows["acme"]["status"], rows["acme"]["documents"]) == ("OFFBOARDED", 0)
    assert rows["globex"]["documents"] == len(OTHERS)


@pytest.mark.timeout(200)
async def test_a_limit_refuses_and_a_tenant_that_left_comes_back_only_by_name(fleet: TenantFleet) -> None:
    """A third domain is a dead letter that names the limit; an offboarded tenant is refused by apply until it is named,
    and then has its documents searchable again.
    """
    await apply_topics(fleet.fleet.kafka)
    fleet.call("tenants", "apply", "-", "--yes", given=FILE)
    fleet.start()
    for domain in ("one", "two", "three"):
        await fleet.publish("acme", [f"{domain}/doc"], domain)
        await fleet.fleet.consumed("roggia.ingest", 60)
    (letter,) = await fleet.fleet.records(topics.dlq(topics.DOC_CHANGED))
    assert "limits.domains" in json.dumps([value.decode() for _, value in letter.headers])
    fleet.call("tenants", "offboard", "acme", "--confirm", "acme")
    fleet.nothing_left("acme")
    assert "--reactivate acme" in fleet.call("tenants", "apply", "-", "--yes", given=FILE, status=2)
    fleet.call("tenants", "apply", "-", "--yes", "--reactivate", "acme", given=FILE)
    await fleet.publish("acme", ["one/doc"], "one", revision=7)
    await fleet.fleet.settle(120)
    assert fleet.left("acme")["collections"] == 1
