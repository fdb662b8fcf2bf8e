"""What queries cost: whose it is, and that it is told to the token."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.embedding.metering import Metering, Owner
from roggia_embedder.embedding.telling import event
from roggia_embedder.errors import ModelUnavailableError
from roggia_embedder.ports import Matrix, Spent, TextKind, Took
from roggia_embedder.query import api
from roggia_embedder.query.errors import EncoderUnavailableError
from roggia_embedder.query.metering import QueryBills
from roggia_embedder.query.models import Models
from roggia_embedder.query.role import QueryRole
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.stores import Stores
from roggia_runtime.records import Headers
from roggia_schemas.events import InferenceOrigin, RetrievalServed

from tests.support.query import WordsModel, binding, passage, spec

ALL = Metering(on=True, provider="mill")
TEXTS = st.sampled_from(["key", "signing keys", "when are the keys rotated", "bread"])
ASKED = st.tuples(st.sampled_from(["acme", "beta"]), st.booleans(), st.booleans(), TEXTS)


class Counting(WordsModel):
    """Says what each call took, as a server does, and fails at calls that a test names, after it has answered."""

    def __init__(self, failing: Sequence[int] = ()) -> None:
        super().__init__()
        self.took, self.calls, self.failing = 0, 0, failing

    def encode_metered(self, texts: Sequence[str], kind: TextKind, spent: Spent) -> Matrix:
        """7 tokens a text."""
        self.calls += 1
        self.took += 7 * len(texts)
        spent(texts, Took(7 * len(texts), reported=True))
        if self.calls in self.failing:
            raise ModelUnavailableError("away")
        return self.encode(texts, kind)


async def _all(bills: QueryBills) -> list[tuple[str, bool, int]]:
    """Everything that waits, told page by page as the worker does it: whose, whether aside, tokens."""
    told: list[tuple[str, bool, int]] = []
    while (page := await bills.bills(3)) and len(told) < 1000:
        await bills.settle([one.event_id for one in page])
        told += [(one.tenant_id, one.shadow, one.tokens) for one in page]
    return told


@settings(deadline=None)
@given(st.lists(st.lists(ASKED, min_size=1, max_size=6), max_size=6), st.sets(st.integers(1, 12), max_size=4))
async def test_every_token_is_told_once(rounds: list[list[tuple[str, bool, bool, str]]], failing: set[int]) -> None:
    """Requests of two tenants at once, on a model that fails now and then: what is told adds up to what the model took,
    in telling that comes before, in between and after its end."""
    model = Counting(tuple(failing))
    models = Models([model], metering=ALL)
    await models.start()
    one, told = models.of(binding(model)), []
    for asked in rounds:
        calls = [
            one.encode_sentences([text], Owner(tenant, shadow=aside))
            if quoted
            else one.encode_query(text, Owner(tenant, shadow=aside))
            for tenant, aside, quoted, text in asked
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(answer) for answer in answers if isinstance(answer, BaseException)} <= {EncoderUnavailableError}
        if len(asked) % 2:
            told += await _all(models.bills)
    await models.keep(())
    told += await _all(models.bills)
    assert sum(tokens for *_, tokens in told) == model.took
    asked_by = {(tenant, aside) for asked in rounds for tenant, aside, *_ in asked}
    assert {(tenant, aside) for tenant, aside, _ in told} <= asked_by


async def test_bills_do_not_pile_up_while_brokers_are_away() -> None:
    """What cannot be told stays one bill per tenant, the same one; what comes meanwhile is one more afterwards."""
    model = Counting()
    models = Models([model], metering=ALL)
    await models.start()
    one = models.of(binding(model))
    for _ in range(5):
        await one.encode_query("key", Owner("acme"))
        waiting = await models.bills.bills(500)
    assert [bill.tokens for bill in waiting] == [7]
    await models.bills.settle([waiting[0].event_id])
    assert [bill.tokens for bill in await models.bills.bills(500)] == [28]
    await models.close()


async def test_a_text_that_a_user_needs_is_the_users() -> None:
    """One text, asked by a measurement and by a user at once: computed once, and on the user's account."""
    model = Counting()
    models = Models([model], metering=ALL)
    await models.start()
    one = models.of(binding(model))
    other = one.encode_query("first", Owner("beta"))
    aside, users = one.encode_query("key", Owner("acme", shadow=True)), one.encode_query("key", Owner("acme"))
    rows = await asyncio.gather(other, aside, users)
    assert rows[1].tolist() == rows[2].tolist()
    told = await _all(models.bills)
    assert {one[:2] for one in told} == {("acme", False), ("beta", False)}
    assert sum(tokens for *_, tokens in told) == 14
    await models.close()


async def test_a_model_that_is_not_metered_costs_nothing() -> None:
    """No bill, and every request gets its own rows."""
    models = Models([model := WordsModel()], metering=Metering(on=False))
    await models.start()
    await models.of(binding(model)).encode_query("key", Owner("acme"))
    assert await models.bills.bills(500) == []
    await models.close()


@pytest.mark.parametrize(
    ("changes", "origin"), [({}, InferenceOrigin.LIVE), ({"generation": 1}, InferenceOrigin.SHADOW)]
)
async def test_a_search_and_an_answer_are_told(changes: dict[str, object], origin: InferenceOrigin) -> None:
    """Query and quoted sentences of one request, as events of its tenant; a request that measures is told apart."""

    async def publish(_event: RetrievalServed, _parent: Headers) -> None:
        """Nobody listens."""

    model, store, catalogue = Counting(), MemoryStore(), MemoryCatalogue()
    await store.ensure_collection(spec(binding(model)))
    await catalogue.bind(binding(model))
    await store.upsert(binding(model).collection, [passage(model, "c1", "Signing keys are rotated monthly.")])
    role = QueryRole(Stores.alone(store, catalogue), [model], publish, QuerySettings(threshold=0.2), metering=ALL)
    await role.start()
    request = msgspec.structs.replace(api.SearchRequest(tenant="acme", domain="docs", query="signing keys"), **changes)
    await role.service.ask(request)
    told = [event(bill) for bill in await role.models.bills.bills(500)]
    assert sum(one.attempts[0].usage.input for one in told) == model.took > 0
    assert Counter((one.tenant_id, one.origin, one.attempts[0].provider) for one in told) == {
        ("acme", origin, "mill"): 2
    }
    await role.stop()
