"""What the ledger costs beside bare inserts of the same rows, and what reading it costs when it is large.

usage: python -m tests.bench.auditor.bench_ledger [--events N]

Ours judges every record (decode, price, book, number, hash), and appends it with sums, tree and heads; the baseline
writes the rows that came out of it (records, tiles, tenants' numbers, sums, head) as they are, in the same batches and
with the same flushes, into the same tables. Both in SQLite, in turns, each into a file of its own. Then a usage query,
a look-up and a page over the whole, and the process's memory at a tenth of the events and at all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roggia_auditor.adapters import columns
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger, SqliteReports
from roggia_auditor.adapters.sqlite_ledger.schema import CREATE
from roggia_auditor.checking.fsck import Check, Means
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.ledger.judging import Read, Rules, judge
from roggia_auditor.ledger.model import Draft, Month, MonthKey, Usage, UsageKey
from roggia_auditor.reports import Selection
from roggia_auditor.tlog import proofs
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Record
from roggia_runtime.service import spare_the_collector
from roggia_runtime.settings import RegistrySettings
from roggia_schemas.codec import Codec
from roggia_schemas.events import InferenceCompleted

from tests.support.auditing import BOOK, NOON, STREAM, attempt, inference, record
from tests.support.correcting import KEY, ORIGIN
from tests.support.measures import report

BATCH = 2_000
TENANTS, DAYS = 20, 19
RULES = Rules(BOOK, {})
BILLION = 10**9


@dataclass
class Clock:
    """Seconds that each side took."""

    ours: float = 0.0
    bare: float = 0.0
    decoding: float = 0.0
    rows: int = 0
    memory: list[int] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="inferences")
    events = parser.parse_args(arguments).events
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), events))
    return 0


async def measure(folder: Path, events: int) -> None:
    """Everything, in one run."""
    ledger = SqliteLedger(folder / "ours.sqlite3")
    await ledger.start()
    bare = Bare(bare_tables(folder / "bare.sqlite3"))
    clock, codec = Clock(), Codec()
    spare_the_collector()  # as a service does once it has started
    for start in range(0, events, BATCH):
        batch = [made(n) for n in range(start, min(events, start + BATCH))]
        began = time.perf_counter()
        reads = [Read(one, codec.decode(InferenceCompleted, one.value or b"")) for one in batch]
        clock.decoding += time.perf_counter() - began
        draft = await entered(ledger, reads)
        clock.ours += time.perf_counter() - began
        clock.bare += bare.inserted(draft)
        clock.rows += len(draft.rows)
        if clock.rows in (events // 10, events):
            clock.memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    note = f"{clock.rows:,} events, batches of {BATCH:,}, SQLite, synchronous FULL"
    report("ledger: events into it / bare inserts of the same rows", clock.bare / clock.ours, at_least=0.7, note=note)
    report("ledger: only decoding the events / bare inserts of the same rows", clock.bare / clock.decoding,
           note="what nothing that reads them in Python comes above")  # fmt: skip
    report("ledger: events", clock.rows / clock.ours, "1/s", note=note)
    if len(clock.memory) == 2:
        report("ledger: memory, all of the events / a tenth of them", clock.memory[1] / clock.memory[0], at_most=1.1,
               note=f"peaks of {clock.memory[0]} and {clock.memory[1]} MiB")  # fmt: skip
    await asked(ledger, events)
    await verified(ledger, events)
    await ledger.stop()
    path = proofs.inclusion(BILLION // 3, BILLION, lambda _height, _index: b"\x00" * 32)
    report("proof: hashes in a tree of a billion leaves", sum(map(len, path)), "B", at_most=1024)


async def entered(ledger: SqliteLedger, reads: Sequence[Read]) -> Draft:
    """A batch as the service enters it."""
    tenants = {one.event.tenant_id for one in reads if one.event}
    found = await ledger.before({STREAM: tenants}, [one.event.event_id for one in reads if one.event])
    draft = judge(STREAM, reads, found.streams[STREAM], dict(found.known), RULES)
    await ledger.append([draft])
    return draft


def bare_tables(path: Path) -> sqlite3.Connection:
    """The ledger's tables, flushed as the ledger's are."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    for one in CREATE:
        connection.execute(one)
    return connection


class Bare:
    """Writes rows that are ready: sums are added up outside the time that counts."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._usage: dict[UsageKey, Usage] = {}
        self._months: dict[MonthKey, Month] = {}

    def inserted(self, draft: Draft) -> float:
        """Seconds that a transaction of the draft's rows takes."""
        tables = self._rows(draft)
        began = time.perf_counter()
        self._connection.execute("BEGIN IMMEDIATE")
        for table, rows in tables.items():
            marks = ", ".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)
        self._connection.execute("COMMIT")
        return time.perf_counter() - began

    def _rows(self, draft: Draft) -> dict[str, list[tuple[object, ...]]]:
        for key, used in draft.usage.items():
            self._usage.setdefault(key, Usage()).add(used)
        for month, more in draft.months.items():
            self._months.setdefault(month, Month()).add(more)
        head = draft.after.frontier
        return {
            f"records ({', '.join(columns.RECORD)})": [columns.to_record(1, row) for row in draft.rows],
            "tiles": [(1, one.level, one.index, one.hash) for one in draft.tiles],
            "sequences": [(1, tenant, last) for tenant, last in draft.sequences.items()],
            f"usage ({', '.join((*columns.USAGE_KEY, *columns.USAGE_SUMS))})": [
                (*key, *self._usage[key].values()) for key in draft.usage
            ],
            "months": [
                (*key, held.tokens, held.pico_usd, held.unpriced, None, None, 1, 0)
                for key, held in ((key, self._months[key]) for key in draft.months)
            ],
            "days": [(*key, 1, 0) for key in draft.days()],
            "streams": [(1, *draft.stream, draft.after.next_offset, head.size, head.encoded())],
        }


async def verified(ledger: SqliteLedger, events: int) -> None:
    """Every hash, the tree and the signature made again (`roggia audit fsck --quick`)."""
    await Sealer(ledger, ORIGIN, KEY).seal()
    means = Means(EventCodec(RegistrySettings(), source="/bench"), ORIGIN, keys=[KEY.verifier()], quick=True)
    began = time.perf_counter()
    report_ = await Check(ledger, means).run()
    took = time.perf_counter() - began
    assert not report_.count, report_.findings
    report("verification of hashes, tree and signature", took * 1_000_000 / events, "s per 1 M events", at_most=8,
           note=f"{report_.records:,} records")  # fmt: skip


async def asked(ledger: SqliteLedger, events: int) -> None:
    """What questions cost over the whole."""
    reports, note = SqliteReports(ledger), f"over {events:,} events"

    async def usage() -> None:
        assert await ledger.usage("tenant-3", "2025-01")

    async def lookup() -> None:
        wanted = Selection(tenants=frozenset({"tenant-3"}), id_name="request_id", id_value="req-4")
        assert await reports.records(wanted, None, 10)

    async def page() -> None:
        wanted = Selection(tenants=frozenset({"tenant-3"}), day="2025-01-02")
        assert await reports.records(wanted, None, 100)

    for name, ask, most in (("usage of a tenant's month", usage, 20), ("a record by its request id", lookup, None),
                            ("a page of 100 records of a day", page, None)):  # fmt: skip
        times = []
        for _ in range(20):
            began = time.perf_counter()
            await ask()
            times.append((time.perf_counter() - began) * 1000)
        report(f"query: {name}", statistics.median(times), "ms", at_most=most, note=note)


def made(number: int) -> Record:
    """An inference of one of the tenants, models and days."""
    event = inference(
        number + 1,
        tenant_id=f"tenant-{number % TENANTS}",
        occurred_at=NOON + number % DAYS * 86_400_000 + number // 50,
        attempts=(attempt(),),
        trace_id=f"{number:032x}",
    )
    return record(event, number)


if __name__ == "__main__":
    sys.exit(main())
