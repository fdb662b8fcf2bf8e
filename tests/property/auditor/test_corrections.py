"""Whatever is corrected, in whatever order, however often it is killed: amounts are what the newest prices say."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.correcting import rerating
from roggia_auditor.correcting.choosing import Choice
from roggia_auditor.errors import LedgerUnavailableError
from roggia_auditor.ledger.judging import Read
from roggia_auditor.pricing.entries import PriceBook, Tariff
from roggia_auditor.pricing.rating import rate

from tests.support.auditing import NOON, attempt, inference, read, usage
from tests.support.correcting import HOUR, Dying, enter, fsck, price, rerate

MODELS = ("a", "b", "c")
TENANTS = ("acme", "beta")


def log(chance: random.Random, start: int, count: int, at: int) -> list[Read]:
    """Inferences of one to three attempts, some of models that nobody has a price for yet."""
    found = []
    for number in range(start, start + count):
        attempts = tuple(
            attempt(usage(input=chance.randrange(50), output=chance.randrange(9)), model=chance.choice(MODELS))
            for _ in range(chance.randrange(1, 4))
        )
        origin = chance.choice(["LIVE", "LIVE", "SHADOW"])
        event = inference(
            number + 1, tenant_id=chance.choice(TENANTS), attempts=attempts, origin=origin, occurred_at=at
        )
        found.append(read(event, number))
    return found


async def story(seed: int, folder: Path) -> None:
    """Records and prices in turn, over four months, with runs that are killed; then one run to the end."""
    chance = random.Random(seed)
    ledger, book, held, at = SqliteLedger(folder / "ledger.sqlite3"), PriceBook([]), list[Read](), NOON
    await ledger.start()
    for step in range(chance.randrange(2, 7)):
        batch = log(chance, len(held), chance.randrange(1, 12), at)
        await enter(ledger, batch, book=book)
        held += batch
        at += chance.choice([HOUR, 20 * 24 * HOUR])
        tariff = Tariff("openai", chance.choice(MODELS))
        book = book.extended([price(f"v{step}", at, tariff, input=chance.randrange(9), output=chance.randrange(9))])
        try:
            choice = Choice(tenant=chance.choice(["", "acme"]), unpriced=chance.random() < 0.3)
            await rerate(Dying(ledger, chance.randrange(3), chance.random() < 0.5), book, choice)  # type: ignore[arg-type]
        except LedgerUnavailableError:
            pass
    await rerate(ledger, book)
    cells = [cell for name in TENANTS for cell in (await ledger.usage(name, "")).values()]
    due = [rate(one.event, at + HOUR, book).pico_usd for one in held if one.event is not None]
    assert sum(cell.pico_usd for cell in cells) == sum(pico or 0 for pico in due)
    assert (await rerate(ledger, book)).corrected == 0
    assert (await fsck(ledger, book)).findings == []
    assert (await fsck(ledger)).findings == []
    await ledger.stop()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1_000_000))
def test_sums_are_originals_and_corrections_each_once(seed: int) -> None:
    """Over any story: the sums are what the newest prices make of every record, and the ledger checks out."""
    page, rerating.PAGE = rerating.PAGE, 3
    try:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(story(seed, Path(folder)))
    finally:
        rerating.PAGE = page
