"""The difference between what holds for tenants and what is wanted, and the records that make it so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from roggia_runtime.clock import now_ms
from roggia_runtime.ids import uuid7
from roggia_schemas.events import TenantConfig, TenantPlacement, TenantStatus

from roggia_operator.errors import SelectionError
from roggia_operator.tenants.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Change:
    """One tenant. `differences` hold (field, before, after) as text; empty: nothing to do. `new`: it had no record."""

    tenant_id: str
    wanted: Wanted
    new: bool
    differences: tuple[tuple[str, str, str], ...]


def changes(
    wanted: Mapping[str, Wanted], held: Mapping[str, TenantConfig], reactivate: Collection[str] = ()
) -> list[Change]:
    """One per tenant that is wanted, by name. Tenants that are held and not wanted stay as they are.

    Raises `SelectionError` for a tenant that is offboarded and not named in `reactivate`, and for a name there that
    is not offboarded.
    """
    for name in reactivate:
        if name not in wanted or _active(held.get(name)):
            raise SelectionError(f"--reactivate: {name!r} is not an offboarded tenant of the file; leave it out")
    for name in wanted:
        if not _active(held.get(name)) and name not in reactivate:
            raise SelectionError(
                f"tenants.{name}: is {held[name].status.value}; leave it out, or bring it back with --reactivate {name}"
            )
    return [_change(name, wanted[name], held.get(name)) for name in sorted(wanted)]


def record(change: Change, by: str) -> TenantConfig:
    """The record that makes a change so."""
    wanted = change.wanted
    return TenantConfig(
        event_id=uuid7(),
        occurred_at=now_ms(),
        tenant_id=change.tenant_id,
        status=TenantStatus.ACTIVE,
        time_zone=wanted.time_zone,
        placement=TenantPlacement.DEDICATED,
        retention_days=wanted.retention_days,
        pii_mode=wanted.pii_mode,
        limits=dict(wanted.limits),
        updated_by=by,
    )


def _active(config: TenantConfig | None) -> bool:
    return config is None or config.status is TenantStatus.ACTIVE


def _change(name: str, wanted: Wanted, held: TenantConfig | None) -> Change:
    before = {} if held is None else _shown(held) | {"status": held.status.value}
    after = _shown(wanted) | {"status": TenantStatus.ACTIVE.value}
    names = sorted(before.keys() | after.keys())
    differences = [(one, before.get(one, ""), after.get(one, "")) for one in names if before.get(one) != after.get(one)]
    return Change(name, wanted, held is None, tuple(differences))


def _shown(held: TenantConfig | Wanted) -> dict[str, str]:
    kept = "kept" if held.retention_days is None else str(held.retention_days)
    shown = {"time_zone": held.time_zone, "retention_days": kept, "pii_mode": held.pii_mode or "(installation's)"}
    return shown | {f"limits.{name}": str(limit) for name, limit in held.limits.items()}
