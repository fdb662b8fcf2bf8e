"""What queries cost: counted with every answer of the model, and kept in memory until it is told.

A query has nothing beside which its bill could be written, and must not wait for a disk. So a kill -9 loses what was
counted since the last telling, ten seconds at most while brokers answer. While they do not, bills grow instead
of becoming more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from roggia_embedder.embedding.metering import Meter, Metering, Owner
from roggia_embedder.ports import Bill, EmbeddingModel, Matrix, TextKind


class QueryBills:
    """The `BillBox` of queries: what the meters of all models have counted. From one event loop."""

    def __init__(self) -> None:
        self._meters: list[Meter] = []
        self._waiting: list[Bill] = []

    def add(self, meter: Meter) -> None:
        """Ask this meter from now on."""
        self._meters.append(meter)

    def remove(self, meter: Meter) -> None:
        """Ask it once more: its model is used no longer."""
        self._meters.remove(meter)
        self._take(meter)

    async def bills(self, limit: int) -> Sequence[Bill]:
        """See `BillBox`. New ones are written once all others are settled: at most one per tenant and meter waits."""
        if not self._waiting:
            for meter in self._meters:
                self._take(meter)
        return self._waiting[:limit]

    async def settle(self, event_ids: Collection[str]) -> None:
        """See `BillBox`."""
        self._waiting = [bill for bill in self._waiting if bill.event_id not in event_ids]

    def _take(self, meter: Meter) -> None:
        bills = meter.bills()
        meter.kept(bills)
        self._waiting += bills


class Counted:
    """One model's `encode` for one kind of text, counted where the model is metered. From one thread at a time."""

    def __init__(self, model: EmbeddingModel, kind: TextKind, metering: Metering, bills: QueryBills) -> None:
        self._model, self._kind, self._bills = model, kind, bills
        self._meter = metering.meter(model)
        if self._meter is not None:
            bills.add(self._meter)

    def __call__(self, texts: Sequence[str], owners: Sequence[Owner]) -> Matrix:
        """One row per text. A text that several need is computed once, and is the first one's."""
        if self._meter is None:
            return self._model.encode(texts, self._kind)
        whose: dict[str, Owner] = {}
        for text, owner in zip(texts, owners, strict=True):
            whose.setdefault(text, owner)
        self._meter.owned(whose)
        rows = dict(zip(whose, self._meter.encode(tuple(whose), self._kind), strict=True))
        return np.stack([rows[text] for text in texts])

    def close(self) -> None:
        """No call comes any more."""
        if self._meter is not None:
            self._bills.remove(self._meter)
