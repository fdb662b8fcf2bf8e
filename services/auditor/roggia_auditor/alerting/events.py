"""An alert as others read it: the event on the topic, and the body that a webhook is sent. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from roggia_schemas.events import AlertKind as EventKind
from roggia_schemas.events import AuditAlert

from roggia_auditor.ledger.alerts import Alert


def event(alert: Alert) -> AuditAlert:
    """The event."""
    return AuditAlert(
        event_id=alert.id,
        occurred_at=alert.at,
        tenant_id=alert.tenant,
        kind=EventKind(alert.kind.name),
        period=alert.period,
        limit=alert.limit,
        percent=alert.percent,
        used=alert.used,
        allowed=alert.allowed,
        provider=alert.provider,
        model=alert.model,
    )


def body(alert: Alert) -> bytes:
    """The webhook's body, as Standard Webhooks shapes it: type, timestamp and data. The same alert, the same bytes.

    Amounts are strings: they may be larger than what JSON readers keep of a number.
    """
    about: dict[str, object] = {"id": alert.id, "tenant_id": alert.tenant, "period": alert.period}
    if alert.limit:
        about |= {"limit": alert.limit, "percent": alert.percent}
        about |= {"used": str(alert.used), "allowed": str(alert.allowed)}
    if alert.model:
        about |= {"provider": alert.provider, "model": alert.model}
    moment = datetime.fromtimestamp(alert.at / 1000, UTC).isoformat(timespec="milliseconds")
    found = {"type": f"audit.alert.{alert.kind}", "timestamp": moment.replace("+00:00", "Z"), "data": about}
    return json.dumps(found, separators=(",", ":")).encode()
