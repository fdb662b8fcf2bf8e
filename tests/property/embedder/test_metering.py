"""What embedding costs is counted to the token, whoever needs which text and whatever fails in between."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_embedder.adapters.models.stub import StubModel
from roggia_embedder.embedding.metering import Meter, Metering, Owner, provider_of, split
from roggia_embedder.embedding.telling import event
from roggia_embedder.embedding.vectors import VectorSupply, Wanted
from roggia_embedder.errors import CacheUnavailableError, ModelUnavailableError
from roggia_embedder.ports import Bill, Matrix, Spent, TextKind, Took
from roggia_schemas.codec import Codec
from roggia_schemas.events import InferenceOrigin, UsageSource
from roggia_schemas.names import Version

from tests.support.embedding import MemoryCache

TERMS = Metering(on=True, clock_ms=lambda: 1_733_000_000_000)
WORDS = st.lists(st.sampled_from(["mill", "gate", "river", "a longer word"]), min_size=1, max_size=4).map(" ".join)
REVISION = st.tuples(st.sampled_from(["acme", "beta"]), st.integers(0, 3), st.lists(WORDS, max_size=4), st.booleans())


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=40))
def test_a_total_is_split_without_rest(total: int, weights: list[int]) -> None:
    """Parts add up to the total, and none is further from its share than one."""
    parts = split(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        exact = total * weight / whole if whole else total / len(weights)
        assert abs(part - exact) <= 1 + 1e-6 * exact


class Telling(StubModel):
    """A model that answers in two requests, says what each took, and fails now and then after the first."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(8)
        self.chance, self.took = chance, 0

    def encode_metered(self, texts: Sequence[str], kind: TextKind, spent: Spent) -> Matrix:
        """In two halves."""
        middle = len(texts) // 2
        for part in (texts[:middle], texts[middle:]):
            if part:
                tokens = self.chance.randint(0, 50)
                self.took += tokens
                spent(part, Took(tokens, reported=self.chance.random() < 0.9))
            if self.chance.random() < 0.2:
                raise ModelUnavailableError("away")
        return self.encode(texts, kind)


class Leaky(MemoryCache):
    """A cache that fails now and then, also after it has taken something."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance

    async def put(self, *values: object, **more: object) -> None:
        """Fail before, or after."""
        if self.chance.random() < 0.2:
            raise CacheUnavailableError("away")
        await super().put(*values, **more)  # type: ignore[arg-type]
        if self.chance.random() < 0.2:
            raise CacheUnavailableError("late")


@settings(deadline=None)
@given(st.lists(st.lists(REVISION, min_size=1, max_size=4), max_size=12), st.integers(0, 10**6))
async def test_every_token_is_billed_once(batches: list[list[tuple[str, int, list[str], bool]]], seed: int) -> None:
    """Batches that are tried until they pass, on a model and a cache that fail: what waits to be told adds up to what
    the model says it took, every bill is of a tenant that asked, and none is there twice."""
    chance = random.Random(seed)
    model, cache = Telling(chance), Leaky(chance)
    meter = Meter(model, TERMS)
    supply = VectorSupply(meter, cache, meter=meter)
    for number, batch in enumerate(batches):
        wanted = [
            Wanted(tenant, f"d{doc}", Version(number, place), {text: text for text in texts}, replayed)
            for place, (tenant, doc, texts, replayed) in enumerate(batch)
        ]
        for _ in range(200):
            try:
                await supply.supply(wanted)
            except (ModelUnavailableError, CacheUnavailableError):
                continue
            break
    bills = await cache.bills(10**6)
    assert sum(bill.tokens for bill in bills) == model.took
    assert {bill.tenant_id for bill in bills} <= {tenant for batch in batches for tenant, *_ in batch}
    assert max(Counter(bill.event_id for bill in bills).values(), default=1) == 1


async def test_a_shared_text_is_the_first_tenants_and_a_change_comes_before_a_replay() -> None:
    """Computed once, billed once; a local model counts its own tokens."""
    cache = MemoryCache()
    meter = Meter(StubModel(8), TERMS)
    supply = VectorSupply(meter, cache, meter=meter)
    shared = {"h1": "a shared text"}
    await supply.supply(
        [
            Wanted("beta", "d", Version(1), shared, replayed=True),
            Wanted("acme", "d", Version(1), shared),
            Wanted("beta", "e", Version(1), {"h2": "of its own"}, replayed=True),
        ]
    )
    bills = await cache.bills(9)
    assert sorted((one.tenant_id, one.tokens, one.replayed) for one in bills) == [("acme", 3, False), ("beta", 3, True)]
    assert {(one.provider, one.model, one.reported) for one in bills} == {("roggia", "stub", True)}


async def test_an_answer_that_comes_late_is_still_its_owners() -> None:
    """A call that was given up may be answered while the next one is under way, for other tenants."""

    class Late(StubModel):
        spent: Spent

        def encode_metered(self, texts: Sequence[str], kind: TextKind, spent: Spent) -> Matrix:
            """Give up; the answer is on its way."""
            self.spent = spent
            raise ModelUnavailableError("away")

    model = Late(8)
    meter = Meter(model, TERMS)
    meter.owned({"x": Owner("acme", replayed=False)})
    with pytest.raises(ModelUnavailableError):
        meter.encode(["x"])
    meter.owned({"y": Owner("beta", replayed=False)})
    model.spent(["x"], Took(5, reported=True))
    assert [(one.tenant_id, one.tokens) for one in meter.bills()] == [("acme", 5)]


async def test_what_a_filling_generation_computes_is_no_change_of_a_tenants() -> None:
    """Re-embedding is the operator's decision: its origin is REPLAY, which no budget counts."""
    meter = Meter(StubModel(8), TERMS, aside=lambda: True)
    meter.owned({"x": Owner("acme", replayed=False)})
    meter.encode(["x"])
    (bill,) = meter.bills()
    assert event(bill).origin is InferenceOrigin.REPLAY


def test_the_same_bill_is_the_same_record() -> None:
    """Told again after a crash it has the same bytes: a ledger knows it as a duplicate, and not as another event."""
    bill = Bill(
        event_id="0193b3a0-0000-7000-8000-000000000001", at=1_733_000_000_000, tenant_id="acme", provider="openai",
        model="m", model_version="m@1;backend=openai", replayed=False, reported=False, tokens=12, latency_ms=3.25,
    )  # fmt: skip
    codec = Codec()
    assert codec.encode(event(bill)) == codec.encode(event(bill))
    (attempt,) = event(bill).attempts
    assert (attempt.usage.input, attempt.usage_source) == (12, UsageSource.COUNTED)
    assert event(bill).request_id == bill.event_id


@pytest.mark.parametrize(
    ("backend", "named", "provider"),
    [("openai", "", "openai"), ("tei", "", "tei"), ("torch", "", "roggia"), ("openai", "azure", "azure")],
)
def test_who_is_paid(backend: str, named: str, provider: str) -> None:
    """What the server speaks, unless the operator names it."""
    assert provider_of(f"m@1;window=8;backend={backend};quant=none", named) == provider


@pytest.mark.parametrize(("backend", "on", "metered"), [("openai", None, True), ("tei", None, True),
                                                        ("torch", None, False), ("torch", True, True),
                                                        ("tei", False, False)])  # fmt: skip
def test_servers_are_metered_unless_told_otherwise(backend: str, on: bool | None, metered: bool) -> None:
    """A local model costs no tokens; a server may want money for them."""

    class Named(StubModel):
        fingerprint = f"m@1;backend={backend}"  # type: ignore[assignment]

    assert (Metering(on).meter(Named(8), lambda: False) is not None) == metered
