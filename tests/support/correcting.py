"""Ledgers with prices that turn out to be wrong, and runs that correct them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from roggia_auditor.adapters.postgres_ledger import PostgresLedger
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.checking.fsck import Check, Means
from roggia_auditor.checking.report import Report
from roggia_auditor.correcting.choosing import Choice
from roggia_auditor.correcting.correction import Ground
from roggia_auditor.correcting.planning import Plan
from roggia_auditor.correcting.rerating import Rerater, newest
from roggia_auditor.errors import LedgerUnavailableError
from roggia_auditor.ledger.judging import Read, Rules, judge
from roggia_auditor.ledger.model import Draft, Limits, Stream, UsageKey
from roggia_auditor.ports import Ledger
from roggia_auditor.pricing.classes import TokenClass
from roggia_auditor.pricing.entries import Entry, PriceBook, Tariff
from roggia_auditor.tlog.keys import Kind, SignerKey

from tests.support.auditing import BOOK, STREAM, TARIFF
from tests.support.replaying import codec

ORIGIN = "audit.example.com"
KEY = SignerKey(f"{ORIGIN}/head", Kind.LOG, bytes(range(32)))
HOUR = 3_600_000


def ledger_at(kind: str, request: pytest.FixtureRequest, folder: Path) -> Ledger:
    """A ledger of a kind, sqlite or postgres; of several in one test, all on the same tables."""
    if kind == "sqlite":
        return SqliteLedger(folder / "ledger.sqlite3")
    return PostgresLedger(request.getfixturevalue("postgres_dsn"))


def price(version: str, known_from: int, tariff: Tariff = TARIFF, **prices: int) -> Entry:
    """An entry for all times that the log has since `known_from`; by default half of what `auditing.BOOK` says."""
    given = prices or {"input": 1_250_000, "output": 5_000_000}
    by_class = {TokenClass(name): pico for name, pico in given.items()}
    return Entry(tariff, 0, None, 0, by_class, version=version, known_from=known_from)


@dataclass
class Dying:
    """A ledger whose owner is killed at its `at`-th append: before it is written, or right after."""

    inner: Ledger
    at: int
    written: bool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def append(self, drafts: Sequence[Draft]) -> None:
        """Like the ledger's, up to the end of the process."""
        self.at -= 1
        if self.at < 0 and not self.written:
            raise LedgerUnavailableError("killed")
        await self.inner.append(drafts)
        if self.at < 0:
            raise LedgerUnavailableError("killed")


async def enter(
    ledger: Ledger, batch: Sequence[Read], *, stream: Stream = STREAM, book: PriceBook = BOOK,
    limits: Mapping[str, Limits] | None = None,
) -> None:  # fmt: skip
    """Judge and append."""
    tenants = {one.event.tenant_id for one in batch if one.event}
    found = await ledger.before({stream: tenants}, [one.event.event_id for one in batch if one.event])
    rules = Rules(book, {}, limits or {})
    await ledger.append([judge(stream, batch, found.streams[stream], dict(found.known), rules)])


async def run(
    ledger: Ledger,
    book: PriceBook,
    choice: Choice | None = None,
    *,
    at: int = 0,
    limits: Mapping[str, Limits] | None = None,
) -> Rerater:
    """A run over the whole ledger, dated by its newest record or, when that is later, `at`."""
    ground = Ground(book, max(at, await newest(ledger, book)), {}, limits or {})
    return Rerater(ledger, codec(), ground, choice or Choice())


async def rerate(ledger: Ledger, book: PriceBook, choice: Choice | None = None, *, at: int = 0) -> Plan:
    """Correct everything that is chosen."""
    return await (await run(ledger, book, choice, at=at)).act("ann@desk", "a wrong price list")


async def amounts(ledger: Ledger, tenant: str = "acme") -> dict[UsageKey, int]:
    """What the cells of a tenant hold, where they hold anything."""
    return {key: cell.pico_usd for key, cell in (await ledger.usage(tenant, "")).items()}


async def fsck(ledger: Ledger, book: PriceBook | None = None, key: SignerKey | None = KEY) -> Report:
    """Check it."""
    keys = [] if key is None else [key.verifier()]
    return await Check(ledger, Means(codec(), ORIGIN, book, keys)).run()
