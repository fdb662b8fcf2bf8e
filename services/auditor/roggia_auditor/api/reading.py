"""Answers of the API: the ledger's values as messages. Every function asks only for what the grant may see."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from roggia_runtime.records import Record as KafkaRecord
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.events import InferenceCompleted

from roggia_auditor.api import asking, messages
from roggia_auditor.api.access_log import Access
from roggia_auditor.api.asking import Parameters
from roggia_auditor.api.errors import NotFoundError, NotSealedError
from roggia_auditor.api.tokens import Grant
from roggia_auditor.export.paths import StreamPaths
from roggia_auditor.leaf import Status
from roggia_auditor.ledger.model import USAGE, Usage, UsageKey
from roggia_auditor.ports import EventCodec, Ledger, MonthTotal
from roggia_auditor.reports import DuplicatePlace, Found, FoundDuplicate, Place, Reports, Selection
from roggia_auditor.tlog import note
from roggia_auditor.tlog.proof_file import ProofFile

_OF_ONE_ID = 10_000
"""Records with one id that are looked through in segments: whoever asks chooses the id."""


class Reading:
    """Reads for the API. `origin` is what logs' names begin with."""

    def __init__(self, ledger: Ledger, reports: Reports, codec: EventCodec, origin: str) -> None:
        self._ledger, self._reports, self._codec, self._origin = ledger, reports, codec, origin

    async def records(self, given: Parameters, wanted: Selection) -> messages.Records:
        """A page of records."""
        limit = asking.limit(given)
        after = asking.place(given, len(Place._fields))
        found = await self._found(wanted, None if after is None else Place(*after), limit)
        next_ = asking.cursor(found[-1].place) if len(found) == limit else ""
        return messages.Records(records=tuple(self._record(one) for one in found), next=next_)

    async def readings(self, given: Parameters, wanted: Selection) -> messages.Readings:
        """A page of who read."""
        limit, after = asking.limit(given), asking.place(given, len(Place._fields))
        found = await self._reports.records(wanted, None if after is None else Place(*after), limit)
        next_ = asking.cursor(found[-1].place) if len(found) == limit else ""
        return messages.Readings(readings=tuple(map(_reading, found)), next=next_)

    async def count(self, wanted: Selection) -> messages.Count:
        """How many records match."""
        return messages.Count(count=str(await self._reports.count(wanted)))

    async def record(self, event_id: str, grant: Grant) -> messages.RecordWithProof:
        """One record with its event and its proof."""
        found = await self._one(event_id, grant)
        try:
            proof = await self._proof(found)
        except NotSealedError:
            proof = None
        return messages.RecordWithProof(record=self._record(found), event=await self._event(found), proof=proof)

    async def proof(self, event_id: str, grant: Grant) -> tuple[str, str]:
        """The record's tenant and its `.tlog-proof`. Raises `NotSealedError` while no checkpoint speaks of it."""
        found = await self._one(event_id, grant)
        size, text = await self._note(found)
        path = await StreamPaths(self._ledger, found.stream, size).path(found.row.index)
        return found.row.leaf.tenant, str(ProofFile(found.row.index, tuple(path), note.parse(text)))

    async def usage(self, given: Parameters, grant: Grant) -> messages.Usage:
        """Sums by group."""
        tenant, groups, origins = asking.tenant(given, grant), asking.groups(given), asking.origins(given)
        months = asking.months(given)
        sums: dict[tuple[str, ...], Usage] = {}
        for month in months:
            for key, used in (await self._ledger.usage(tenant, month)).items():
                if key.origin in origins:
                    sums.setdefault(_group(key, groups), Usage()).add(used)
        rows = tuple(_usage_row(dict(zip(groups, by, strict=True)), used) for by, used in sorted(sums.items()))
        return messages.Usage(tenant=tenant, months=months, rows=rows)

    async def budget(self, given: Parameters, grant: Grant) -> messages.Budget:
        """A tenant's months."""
        tenant = asking.tenant(given, grant)
        return messages.Budget(tenant=tenant, months=tuple(map(_month, await self._reports.months(tenant))))

    async def duplicates(self, given: Parameters, grant: Grant) -> messages.Duplicates:
        """A page of duplicates."""
        limit, after = asking.limit(given), asking.place(given, len(DuplicatePlace._fields))
        place = None if after is None else DuplicatePlace(*after)
        found = await self._reports.duplicates(asking.tenants(given, grant), place, limit)
        next_ = asking.cursor(found[-1].place) if len(found) == limit else ""
        return messages.Duplicates(duplicates=tuple(self._duplicate(one) for one in found), next=next_)

    async def tenants(self, grant: Grant) -> messages.Tenants:
        """Tenants that have records."""
        return messages.Tenants(tenants=tuple(one for one in await self._reports.tenants() if grant.sees(one)))

    async def check_known(self, tenant: str) -> None:
        """Raises `NotFoundError` for a tenant without records."""
        if not await self._reports.knows(tenant):
            raise NotFoundError(f"tenant: {tenant!r} has no record in the audit log", "tenant")

    async def logs(self) -> messages.Logs:
        """Newest checkpoints."""
        return messages.Logs(
            logs=tuple(
                messages.Log(origin=origin, size=str(size), checkpoint=text)
                for origin, size, text in await self._reports.notes()
            )
        )

    async def _one(self, event_id: str, grant: Grant) -> Found:
        wanted = Selection(
            tenants=grant.tenants, id_name="event_id", id_value=event_id.lower(), statuses=frozenset(Status)
        )
        found = await self._found(wanted, None, 1)
        if not found:
            raise NotFoundError(f"event_id: {event_id[:60]!r} is no event that this token may see", "event_id")
        return found[0]

    async def _found(self, wanted: Selection, after: Place | None, limit: int) -> Sequence[Found]:
        """Records of the tables; an id that is not there is looked for in sealed segments too."""
        found = await self._reports.records(wanted, after, limit)
        if found or not wanted.id_name or after is not None:
            return found
        sealed: list[Found] = []
        async for one in self._sealed(wanted):
            sealed.append(one)
            if len(sealed) == limit:
                break
        return sealed

    async def _sealed(self, wanted: Selection) -> AsyncIterator[Found]:
        found = await self._ledger.find(wanted.id_name, wanted.id_value, _OF_ONE_ID, wanted.tenants)
        for stream, leaf, index in found:
            if leaf.status in wanted.statuses:
                for row in await self._ledger.rows(stream, index, 1):
                    yield Found(stream, row, Place(row.occurred_at, 0, row.index))

    async def _note(self, found: Found) -> tuple[int, str]:
        held = await self._reports.note(found.stream.origin(self._origin))
        if held is None or held[0] <= found.row.index:
            raise NotSealedError("event_id: no checkpoint speaks of this record yet; ask again in a moment", "event_id")
        return held

    async def _proof(self, found: Found) -> messages.Proof:
        size, text = await self._note(found)
        path = await StreamPaths(self._ledger, found.stream, size).path(found.row.index)
        return messages.Proof(
            index=str(found.row.index),
            size=str(size),
            entry=_b64(found.row.entry),
            path=tuple(map(_b64, path)),
            value=_b64(found.row.value),
            checkpoint=text,
        )

    async def _event(self, found: Found) -> dict[str, Any] | None:
        leaf, stream = found.row.leaf, found.stream
        if stream.topic != topics.INFERENCE_COMPLETED:
            return msgspec.json.decode(found.row.value, type=dict[str, Any])
        record = KafkaRecord(
            stream.topic, stream.partition, leaf.offset, leaf.appended_at, leaf.tenant.encode(), found.row.value
        )
        try:
            event = await self._codec.decode(InferenceCompleted, record)
        except SchemasError:
            return None
        return dict(msgspec.to_builtins(event))

    def _record(self, found: Found) -> messages.Record:
        leaf, row = found.row.leaf, found.row
        return messages.Record(
            log=found.stream.origin(self._origin),
            index=str(row.index),
            event_id=leaf.event_id,
            tenant=leaf.tenant,
            tenant_seq=str(leaf.tenant_seq),
            offset=str(leaf.offset),
            appended_at=leaf.appended_at,
            occurred_at=row.occurred_at,
            day=row.day,
            status=leaf.status.name,
            reason=leaf.reason,
            period=leaf.period,
            booked=leaf.booked,
            late=leaf.booked != leaf.period,
            pico_usd=_number(leaf.cost_pico),
            price_version=leaf.price_version,
            leaf_hash=row.leaf_hash.hex(),
            **row.lookup,
        )

    def _duplicate(self, found: FoundDuplicate) -> messages.Duplicate:
        one = found.duplicate
        return messages.Duplicate(
            log=found.stream.origin(self._origin),
            offset=str(one.offset),
            tenant=one.tenant,
            event_id=one.event_id,
            value_sha256=one.value_sha256.hex(),
            same=one.same,
        )


def _reading(found: Found) -> messages.Reading:
    said, row = msgspec.json.decode(found.row.value, type=Access), found.row
    return messages.Reading(
        event_id=row.leaf.event_id, at=row.leaf.appended_at, actor=said.actor, action=said.action,
        tenant=row.leaf.tenant, query=said.query, rows=said.rows, bytes=said.bytes,
    )  # fmt: skip


def _group(key: UsageKey, groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(getattr(key, "booked" if name == "month" else name) for name in groups)


def _usage_row(by: Mapping[str, str], used: Usage) -> messages.UsageRow:
    return messages.UsageRow(by=dict(by), **{name: str(getattr(used, name)) for name in USAGE})


def _month(total: MonthTotal) -> messages.Month:
    return messages.Month(
        month=total.key.period,
        tokens=str(total.month.tokens),
        pico_usd=str(total.month.pico_usd),
        unpriced=str(total.month.unpriced),
        token_limit=_number(total.limits.tokens),
        pico_usd_limit=_number(total.limits.pico_usd),
        crossed=tuple(messages.Crossing(limit=one.limit, percent=one.percent) for one in total.crossed),
    )


def _number(found: int | None) -> str | None:
    return None if found is None else str(found)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
