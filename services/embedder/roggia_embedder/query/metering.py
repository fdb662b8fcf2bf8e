"""What queries cost: counted with every answer of the model, and kept in memory until it is told.

A query has nothing beside which its bill could be written, and must not wait for a disk. So a kill -9 loses what was
counted since the last telling. While brokers do not answer, bills grow instead of becoming more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain, islice

import numpy as np

from roggia_embedder.embedding.metering import Meter, Metering, Owner
from roggia_embedder.ports import Bill, EmbeddingModel, Matrix, TextKind


class QueryBills:
    """The `BillBox` of queries: what the meters of all models have counted. From one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[Meter, list[Bill]] = {}
        self._left: list[Bill] = []
        """Of meters that are gone."""

    def add(self, meter: Meter) -> None:
        """Ask this meter from now on."""
        self._waiting[meter] = []

    def remove(self, meter: Meter) -> None:
        """Ask it once more: its model is used no longer."""
        self._left += [*self._waiting.pop(meter), *_taken(meter)]

    async def bills(self, limit: int) -> Sequence[Bill]:
        """See `BillBox`. A meter is asked for new ones once all that it gave are settled: one per owner waits."""
        for meter, waiting in self._waiting.items():
            if not waiting:
                waiting.extend(_taken(meter))
        return list(islice(chain(self._left, *self._waiting.values()), limit))

    async def settle(self, event_ids: Collection[str]) -> None:
        """See `BillBox`."""
        for waiting in (self._left, *self._waiting.values()):
            waiting[:] = [bill for bill in waiting if bill.event_id not in event_ids]


def _taken(meter: Meter) -> Sequence[Bill]:
    bills = meter.bills()
    meter.kept(bills)
    return bills


class Counted:
    """One model's `encode` for one kind of text, counted where the model is metered. From one thread at a time."""

    def __init__(self, model: EmbeddingModel, kind: TextKind, metering: Metering, bills: QueryBills) -> None:
        self._model, self._kind, self._bills = model, kind, bills
        self._meter = metering.meter(model)
        if self._meter is not None:
            bills.add(self._meter)

    def __call__(self, texts: Sequence[str], owners: Sequence[Owner]) -> Matrix:
        """One row per text. A text that several need is computed once, and is the first one's: a user's before one that
        measures."""
        if self._meter is None:
            return self._model.encode(texts, self._kind)
        whose: dict[str, Owner] = {}
        for text, owner in sorted(zip(texts, owners, strict=True), key=lambda pair: pair[1].shadow):
            whose.setdefault(text, owner)
        self._meter.owned(whose)
        rows = dict(zip(whose, self._meter.encode(tuple(whose), self._kind), strict=True))
        return np.stack([rows[text] for text in texts])

    def close(self) -> None:
        """No call comes any more."""
        if self._meter is not None:
            self._bills.remove(self._meter)
