"""Tenants' configurations for tests."""

from __future__ import annotations

from typing import Any

from roggia_runtime.ids import uuid7
from roggia_schemas.events import TenantConfig, TenantPlacement, TenantStatus


def config(tenant_id: str, status: TenantStatus = TenantStatus.ACTIVE, **fields: Any) -> TenantConfig:
    """What holds for a tenant."""
    whole: dict[str, Any] = {"occurred_at": 1_700_000_000_000, "placement": TenantPlacement.DEDICATED} | fields
    return TenantConfig(event_id=uuid7(), tenant_id=tenant_id, status=status, **whole)
