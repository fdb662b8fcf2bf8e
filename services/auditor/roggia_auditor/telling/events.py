"""The auditor's own events out of what the ledger holds. Pure; the same ledger makes the same events."""

from __future__ import annotations

from collections.abc import Mapping

from roggia_runtime.ids import derived
from roggia_schemas.events import (
    AdjustmentReason,
    AuditRecorded,
    AuditStatus,
    BudgetAsOf,
    TenantBudget,
    TenantUsage,
    UsageAdjusted,
    UsageAsOf,
)

from roggia_auditor.ledger.model import Row, Stream
from roggia_auditor.periods import closes_at
from roggia_auditor.ports import DayTotal, MonthTotal

_TOLD = ("requests", "input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")
_ALSO = ("audio_input", "audio_output", "image", "unpriced", "estimated")


def recorded(row: Row, stream: Stream, origin: str) -> AuditRecorded:
    """Where a record lies."""
    leaf = row.leaf
    return AuditRecorded(
        event_id=derived(str(row.index), "recorded", origin),
        occurred_at=row.occurred_at,
        tenant_id=leaf.tenant,
        tenant_seq=leaf.tenant_seq,
        log=origin,
        index=row.index,
        leaf_hash=row.leaf_hash.hex(),
        source_event_id=leaf.event_id,
        partition=stream.partition,
        offset=leaf.offset,
        status=AuditStatus(leaf.status.name),
        reason=leaf.reason,
        late=leaf.booked != leaf.period,
        cost_pico_usd=leaf.cost_pico,
        price_version=leaf.price_version,
    )


def adjusted(row: Row, tokens: int) -> UsageAdjusted:
    """The adjustment that a late record with so many tokens is."""
    leaf = row.leaf
    return UsageAdjusted(
        event_id=derived(leaf.event_id, "late", leaf.booked),
        occurred_at=leaf.appended_at,
        tenant_id=leaf.tenant,
        ref_event_id=leaf.event_id,
        period=leaf.booked,
        original_period=leaf.period,
        reason=AdjustmentReason.LATE,
        delta_tokens=tokens,
        delta_pico_usd=leaf.cost_pico or 0,
        price_version=leaf.price_version,
    )


def usage(total: DayTotal, zone: str, as_of: Mapping[int, int], at: int) -> TenantUsage:
    """A day with one model."""
    key, used = total.key, total.usage
    sums = {name: getattr(used, name) for name in (*_TOLD, *_ALSO)}
    return TenantUsage(
        event_id=derived("/".join(key), "usage", str(total.seq)),
        occurred_at=at,
        tenant_id=key.tenant,
        day=key.day,
        time_zone=zone,
        provider=key.provider,
        model=key.model,
        **sums,
        cost_pico_usd=used.pico_usd,
        as_of=tuple(UsageAsOf(partition=n, offset=end) for n, end in sorted(as_of.items())),
        seq=total.seq,
    )


def budget(total: MonthTotal, zone: str, as_of: Mapping[int, int], at: int, grace_ms: int) -> TenantBudget:
    """A month against its limits."""
    key, month, limits = total.key, total.month, total.limits
    return TenantBudget(
        event_id=derived("/".join(key), "budget", str(total.seq)),
        occurred_at=at,
        tenant_id=key.tenant,
        period=key.period,
        time_zone=zone,
        tokens=month.tokens,
        cost_pico_usd=month.pico_usd,
        unpriced=month.unpriced,
        token_limit=limits.tokens,
        cost_limit_pico_usd=limits.pico_usd,
        crossed=tuple(sorted({one.percent for one in total.crossed})),
        closed=at >= closes_at(key.period, zone, grace_ms),
        as_of=tuple(BudgetAsOf(partition=n, offset=end) for n, end in sorted(as_of.items())),
        seq=total.seq,
    )
