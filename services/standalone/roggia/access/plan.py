"""ACLs as the catalogue says against those that Kafka has."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from roggia_runtime.acls import Acl, AclAdmin
from roggia_runtime.settings import KafkaSettings
from roggia_schemas.topics import TopicSpec

from roggia.access.principals import Principals


@dataclass(frozen=True, slots=True)
class AclPlan:
    """`missing` must be made. `surplus` is what our own principals may do beyond it. `others` belong to strangers."""

    missing: tuple[Acl, ...] = ()
    surplus: tuple[Acl, ...] = ()
    others: tuple[Acl, ...] = ()

    def __bool__(self) -> bool:
        """True when Kafka differs."""
        return bool(self.missing or self.surplus)

    def revocable(self, confirmed: Collection[str]) -> tuple[Acl, ...]:
        """Surplus of principals whose name was typed: taking it away could stop somebody."""
        return tuple(acl for acl in self.surplus if acl.principal in confirmed)


def compare(wanted: Collection[Acl], found: Iterable[Acl], managed: Collection[str]) -> AclPlan:
    """Wanted against found. ACLs of principals that are not `managed` are told apart and never touched."""
    have = set(found)
    ours = {acl for acl in have if acl.principal in managed}
    wants = set(wanted)
    return AclPlan(*(tuple(sorted(part)) for part in (wants - have, ours - wants, have - ours)))


async def plan_acls(settings: KafkaSettings, principals: Principals, specs: Collection[TopicSpec]) -> AclPlan:
    """Compare, and change nothing. Raises `NoAclsError` when the cluster has none, `AdminError` when it refuses."""
    found = await AclAdmin(settings).list()
    return compare(principals.acls(list(specs)), found, principals.managed())


async def apply_acls(admin: AclAdmin, plan: AclPlan, confirmed: Collection[str]) -> None:
    """Make what is missing, and take away the surplus of confirmed principals, in this order."""
    if plan.missing:
        await admin.create(plan.missing)
    if gone := plan.revocable(confirmed):
        await admin.delete(gone)
    await _settled(admin, set(plan.missing), set(gone))


async def _settled(admin: AclAdmin, made: set[Acl], gone: set[Acl]) -> None:
    """Wait until a broker shows it: the controller knows first, and the next plan must see it."""
    for _ in range(100):
        found = set(await admin.list())
        if made <= found and not gone & found:
            return
        await asyncio.sleep(0.1)
