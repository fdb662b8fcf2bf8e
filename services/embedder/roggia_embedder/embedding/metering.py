"""What a model has computed for whom: counted with every answer, kept until it is safe beside the vectors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from roggia_runtime.clock import now_ms
from roggia_runtime.ids import uuid7

from roggia_embedder.embedding.fingerprint import name_in, part_of
from roggia_embedder.embedding.through import Through
from roggia_embedder.ports import Bill, EmbeddingModel, EncodeMetered, Matrix, TextKind, Took

LOCAL = "roggia"
"""Provider of a model that this process computes itself (`InferenceAttempt.provider`)."""
_SERVERS = ("openai", "tei")


class Owner(NamedTuple):
    """Whose a text is, and whether it is computed for an operator's replay or a generation that fills, or as a query
    that no user waits for."""

    tenant_id: str
    replayed: bool = False
    shadow: bool = False


@dataclass(slots=True)
class _Spent:
    at: int
    tokens: int = 0
    reported: bool = True
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Metering:
    """What is counted: everything, nothing, or (None) what a server computes. `provider` is its name in price books;
    empty: see `provider_of`."""

    on: bool | None = None
    provider: str = ""
    clock_ms: Callable[[], int] = now_ms

    def meter(self, model: EmbeddingModel, aside: Callable[[], bool] = lambda: False) -> Meter | None:
        """A meter for a model, where its work is counted."""
        counted = is_server(model.fingerprint) if self.on is None else self.on
        return Meter(model, self, aside) if counted else None


def provider_of(fingerprint: str, named: str = "") -> str:
    """Who computes, as a price book names it: `named` if that is set, else what the model's server speaks."""
    backend = part_of(fingerprint, "backend")
    return named or (backend if backend in _SERVERS else LOCAL)


def is_server(fingerprint: str) -> bool:
    """Whether a model is behind a server, which may want money for it."""
    return part_of(fingerprint, "backend") in _SERVERS


class Meter(Through):
    """A model that counts what it computes; one for each `VectorSupply`. Asked from one event loop, told by threads.

    Answers count when they come, also where the call fails as a whole afterwards: they were computed, and are asked for
    again. A text that several tenants need is computed once, and is the first one's. What nobody has kept when the
    process dies is lost.
    """

    def __init__(self, model: EmbeddingModel, terms: Metering, aside: Callable[[], bool] = lambda: False) -> None:
        """`aside`: whether it is all for a generation that fills, at this moment."""
        super().__init__(model)
        self._terms, self._aside = terms, aside
        self._encode_metered: EncodeMetered | None = getattr(model, "encode_metered", None)
        self._owners: dict[str, Owner] = {}
        self._spent: dict[Owner, _Spent] = {}
        self._bills: list[Bill] = []
        self._lock = threading.Lock()

    def owned(self, owners: Mapping[str, Owner]) -> None:
        """Whose the texts are that are encoded next. Replaces what was said before."""
        aside = self._aside()
        with self._lock:
            self._owners = {text: owner._replace(replayed=owner.replayed or aside) for text, owner in owners.items()}

    def encode(self, texts: Sequence[str], kind: TextKind = "passage") -> Matrix:
        """See `EmbeddingModel`. Every text has an owner; answers that come late are still those owners'."""
        began, owners = time.monotonic(), self._owners
        told = partial(self._told, owners)
        if self._encode_metered is not None:
            rows = self._encode_metered(texts, kind, told)
        else:
            rows = self._model.encode(texts, kind)
            for text, tokens in zip(texts, self.count_tokens(texts, kind), strict=True):
                told([text], Took(tokens, reported=True))
        self._took({owners[text] for text in texts}, (time.monotonic() - began) * 1000)
        return rows

    def bills(self) -> Sequence[Bill]:
        """What was computed and is not kept yet; the same bills again until `kept`."""
        with self._lock:
            spent, self._spent = self._spent, {}
        self._bills += [self._bill(owner, one) for owner, one in spent.items() if one.tokens]
        return tuple(self._bills)

    def kept(self, bills: Collection[Bill]) -> None:
        """These are safe."""
        self._bills = [bill for bill in self._bills if bill not in bills]

    def _told(self, owners: Mapping[str, Owner], texts: Sequence[str], took: Took) -> None:
        shares = split(took.tokens, [len(text.encode()) for text in texts])
        with self._lock:
            for text, share in zip(texts, shares, strict=True):
                spent = self._of(owners[text])
                spent.tokens += share
                spent.reported = spent.reported and took.reported

    def _took(self, owners: Collection[Owner], latency_ms: float) -> None:
        with self._lock:
            for owner in owners:
                spent = self._of(owner)
                spent.latency_ms = max(spent.latency_ms, latency_ms)

    def _of(self, owner: Owner) -> _Spent:
        if owner not in self._spent:
            self._spent[owner] = _Spent(self._terms.clock_ms())
        return self._spent[owner]

    def _bill(self, owner: Owner, spent: _Spent) -> Bill:
        fingerprint = self._model.fingerprint
        return Bill(
            event_id=uuid7(),
            at=spent.at,
            tenant_id=owner.tenant_id,
            provider=provider_of(fingerprint, self._terms.provider),
            model=name_in(fingerprint),
            model_version=fingerprint,
            replayed=owner.replayed,
            shadow=owner.shadow,
            reported=spent.reported,
            tokens=spent.tokens,
            latency_ms=spent.latency_ms,
        )


def split(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in whole parts by `weights` (0 or more), which add up to it exactly: the largest remainders round up.

    Where no weight is above 0 all count the same. Source: Hamilton's method of apportionment.
    """
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    shares = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % whole), n))
    for n in order[: total - sum(shares)]:
        shares[n] += 1
    return shares
