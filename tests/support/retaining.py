"""Ledgers with records of several months, and everything that seals, holds and drops them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from roggia_auditor import verify_export
from roggia_auditor.adapters.segment_files import FolderSegments
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ledger.judging import Read, Rules, judge
from roggia_auditor.ledger.model import Draft, Row, Stream
from roggia_auditor.retention import holds
from roggia_auditor.retention.history import history, record
from roggia_auditor.retention.holds import Hold
from roggia_auditor.retention.keeper import Keeper, again
from roggia_auditor.retention.planning import droppable, sealable
from roggia_auditor.retention.ports import KeptLedger, SegmentFiles
from roggia_auditor.tlog import proofs
from roggia_auditor.tlog.keys import Kind, SignerKey
from roggia_auditor.tlog.tiles import nodes, of

from tests.support.auditing import BOOK, STREAM, inference, read

ORIGIN = "audit.example.com"
KEY = SignerKey(f"{ORIGIN}/head", Kind.LOG, bytes(range(32)))
TENANTS = ("acme", "beta", "gamma")
LATER = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)
"""When everything that these tests enter is closed."""


def in_month(number: int) -> int:
    """Noon of the second day of a month of 2025, milliseconds since 1970."""
    return int(datetime(2025, number, 2, 12, tzinfo=UTC).timestamp() * 1000)


def month_reads(month: int, count: int, start: int, tenants: Sequence[str] = TENANTS) -> list[Read]:
    """Inferences of a month, a minute apart, from offset `start` on; event ids follow the offsets."""
    return [
        read(
            inference(at + 1, tenant_id=tenants[at % len(tenants)], occurred_at=in_month(month) + at * 60_000),
            at,
            at=in_month(month) + at * 60_000 + 500,
        )
        for at in range(start, start + count)
    ]


@dataclass
class Ground:
    """A ledger, a folder of segments, and who works with them."""

    ledger: KeptLedger
    files: SegmentFiles
    place: Path
    """Folder of the segments."""
    now: int = LATER
    offsets: dict[Stream, int] = field(default_factory=dict)

    @property
    def keeper(self) -> Keeper:
        """Somebody at the command line."""
        return Keeper(self.ledger, self.files, ORIGIN, "tester", lambda: self.now)

    async def enter(self, batch: Sequence[Read], stream: Stream = STREAM) -> Draft:
        """Judge and append."""
        names = {one.event.tenant_id for one in batch if one.event}
        found = await self.ledger.before({stream: names}, [one.event.event_id for one in batch if one.event])
        made = judge(stream, batch, found.streams[stream], dict(found.known), Rules(BOOK, {}))
        await self.ledger.append([made])
        return made

    async def month(self, number: int, count: int) -> Draft:
        """Enter so many records of a month behind those that are there."""
        start = self.offsets.get(STREAM, 0)
        self.offsets[STREAM] = start + count
        return await self.enter(month_reads(number, count, start))

    async def signed(self) -> None:
        """Sign checkpoints over what there is, and have told all of it."""
        await Sealer(self.ledger, ORIGIN, KEY).seal()
        for stream, head in (await self.ledger.streams()).items():
            await self.ledger.tell_rows(stream, head.frontier.size)

    async def seal(self) -> list[str]:
        """Seal away every closed month that may be; their names."""
        plan = await sealable(self.ledger, ORIGIN, self.now)
        ready = [one for one in plan.spans if not one.waits]
        for one in ready:
            await self.keeper.seal(one, await again(self.ledger, plan.judged), "test")
        return [one.span.name for one in ready]

    async def drop(self, months: Sequence[str] = ()) -> list[str]:
        """Drop every segment of the months (of all, where none is named) that may be; their names."""
        plan = await droppable(self.ledger, self.now)
        ready = [one for one in plan.segments if not one.waits and (not months or one.segment.span.month in months)]
        for one in ready:
            await self.keeper.drop(one, await again(self.ledger, plan.judged), "test")
        return [one.segment.span.name for one in ready]

    async def hold(self, tenant: str = "", since: int | None = None, until: int | None = None) -> str:
        """Place a hold."""
        hold = Hold("", tenant, since, until, "a matter", "tester", self.now)
        return f"hold-{await record(self.ledger, await history(self.ledger), holds.placing(hold))}"

    async def lift(self, name: str) -> None:
        """Lift it."""
        judged = await history(self.ledger)
        await record(self.ledger, judged, holds.lifting(holds.named(judged.holds, name), "tester", self.now, "over"))

    async def rows(self, stream: Stream = STREAM) -> list[Row]:
        """All records of a stream, page by page, wherever they are."""
        found: list[Row] = []
        while rows := await self.ledger.rows(stream, found[-1].index + 1 if found else 0, 97):
            found += rows
        return found

    async def root(self, stream: Stream = STREAM) -> bytes:
        """The root, from the tiles alone."""
        size = (await self.ledger.heads([stream]))[stream].frontier.size
        held = {tile: list(await self.ledger.tile(stream, tile)) for tile in of(size)}
        return proofs.root(size, nodes(size, held.__getitem__))

    async def export(self, tenant: str, folder: Path) -> Path:
        """Seal, and write a tenant's export."""
        sealed = await Sealer(self.ledger, ORIGIN, KEY).seal()
        streams = {stream.origin(ORIGIN): stream for stream in await self.ledger.streams()}
        await TenantExport(self.ledger, sealed, streams).write(tenant, folder)
        return folder

    async def verified(self, tenant: str) -> dict[str, object]:
        """What the verifier says of a fresh export."""
        with tempfile.TemporaryDirectory() as folder:
            return verify_export.check(await self.export(tenant, Path(folder)), str(KEY.verifier()), [])


def hidden(report: dict[str, object]) -> int:
    """How many records a report calls not shown."""
    found = report["not_shown"]
    assert isinstance(found, list)
    return sum(one["last"] - one["first"] + 1 for one in found)


def sqlite_ground(path: Path) -> Ground:
    """A ledger in SQLite and a folder of segments, both below `path`; not started."""
    files = FolderSegments(path / "segments")
    return Ground(SqliteLedger(path / "ledger.sqlite3", segments=files), files, path / "segments")
