"""What a tenant's configuration does to its documents: refused, limited, kept for a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from roggia_ingest.admission import Admission
from roggia_ingest.errors import LimitError
from roggia_runtime.records import Drop
from roggia_runtime.tenancy import OFFBOARDED, Purge, Tenancy
from roggia_schemas.events import DocChanged, TenantConfig, TenantStatus

from tests.support.ingesting import change, delete
from tests.support.tenants import config

DAY_MS = 86_400_000


class Catalogue:
    """Domains that a tenant has."""

    def __init__(self, *domains: str) -> None:
        self.there, self.asked = set(domains), 0

    async def domains(self, tenant_id: str) -> set[str]:
        """Those of whatever tenant."""
        self.asked += 1
        await asyncio.sleep(0)
        return set(self.there)


def event(domain: str = "docs", **fields: Any) -> DocChanged:
    """An UPSERT of tenant acme."""
    return change(tenant_id="acme", domain=domain, **fields)


def admission(held: TenantConfig, *domains: str) -> Admission:
    """With one tenant configured."""
    return Admission(Tenancy({held.tenant_id: held}), Catalogue(*domains))


@pytest.mark.parametrize("status", [TenantStatus.OFFBOARDING, TenantStatus.OFFBOARDED])
async def test_a_tenant_that_leaves_gets_nothing_new_but_may_delete(status: TenantStatus) -> None:
    """UPSERTs are dropped with their reason, DELETEs pass, other tenants are not touched."""
    gate = admission(config("acme", status))
    assert await gate.admit(event()) == Drop(OFFBOARDED)
    gone = delete(tenant_id="acme")
    assert await gate.admit(gone) is gone
    other = change(tenant_id="other")
    assert await gate.admit(other) is other


async def test_the_limit_on_domains_holds_where_a_domain_is_first_seen() -> None:
    """Domains that are there pass, new ones until the limit; the message names domain, limit and remedy."""
    gate = admission(config("acme", limits={"domains": 3}), "a", "b")
    for domain in ("a", "b", "c", "c"):
        await gate.admit(event(domain))
    with pytest.raises(LimitError) as refused:
        await gate.admit(event("d"))
    assert refused.value.field == "domain"
    assert all(word in str(refused.value) for word in ("'d'", "3", "acme", "roggia tenants apply"))


async def test_new_domains_at_once_cannot_pass_the_limit_together() -> None:
    """Documents of one batch are judged side by side: the limit holds all the same."""
    gate = admission(config("acme", limits={"domains": 1}))
    found = await asyncio.gather(*(gate.admit(event(name)) for name in "abc"), return_exceptions=True)
    assert [isinstance(one, LimitError) for one in found] == [False, True, True]


async def test_retention_gives_an_expiry_to_events_without_one() -> None:
    """Counted from the change; an expiry of the event's own stays; without retention there is none."""
    gate = admission(config("acme", retention_days=2))
    plain = await gate.admit(event(occurred_at=1_000, expires_at=None))
    own = await gate.admit(event(occurred_at=1_000, expires_at=7_000))
    assert isinstance(plain, DocChanged)
    assert isinstance(own, DocChanged)
    assert (plain.expires_at, own.expires_at) == (1_000 + 2 * DAY_MS, 7_000)
    kept = await admission(config("acme")).admit(event(expires_at=None))
    assert isinstance(kept, DocChanged)
    assert kept.expires_at is None


async def test_a_purge_removes_what_is_kept_of_tenants_that_are_gone_and_of_nobody_else() -> None:
    """Only OFFBOARDED tenants are removed, not those that are still leaving."""
    rows = {
        "gone": config("gone", TenantStatus.OFFBOARDED),
        "going": config("going", TenantStatus.OFFBOARDING),
        "there": config("there"),
    }
    removed: list[str] = []

    async def remove(tenant_id: str) -> int:
        removed.append(tenant_id)
        return 1

    await Purge(Tenancy(rows), remove, "test").once()
    assert removed == ["gone"]
