"""What the reconciler reads in the record of generations."""

from __future__ import annotations

import pytest
from roggia_operator.console.views import CollectionRow
from roggia_operator.generations.client import Plan
from roggia_operator.generations.table import GenerationTable
from roggia_operator.models.baseline import BaselineModel
from roggia_operator.models.generation_records import RecordWishes, standing, standings
from roggia_operator.models.generations import Wish, WishKind
from roggia_operator.models.values import ModelFacts, ModelKind
from roggia_runtime.errors import UnavailableError
from roggia_schemas.events import GenerationModel, GenerationSide, GenerationState, GenerationWish, IndexGeneration

from tests.support.generation_cases import state


@pytest.mark.parametrize(
    ("uri", "name", "version"),
    [
        ("models:/handbook-embedder/4", "handbook-embedder", 4),
        ("models:/handbook-embedder/latest", "", 0),
        ("models:/handbook-embedder@champion", "", 0),
        ("https://host/v1", "", 0),
        ("", "", 0),
    ],
)
def test_a_plan_of_an_operator_names_its_version_by_its_address_alone(uri: str, name: str, version: int) -> None:
    """Whoever plans by hand gives an address and no more: it is understood, and one of no version stops nothing."""
    table = GenerationTable()
    table.put(
        IndexGeneration(
            event_id="01941f2a-0000-7000-8000-000000000008",
            occurred_at=0,
            generation=2,
            side=GenerationSide.WANTED,
            model=GenerationModel(uri=uri),
            wish=GenerationWish.FILL,
            state=GenerationState.PLANNED,
        )
    )
    (pair,) = table
    found = standing(pair)
    assert (found.model, found.version) == (name, version)


def test_the_baseline_is_known_by_the_model_that_the_index_holds() -> None:
    """Its record names none, or there is no record yet: a registered version with these vectors is it all the same.
    What another generation's record says, or does not say, stays."""
    (alone,) = standings({}, 1, "m@1")
    assert (alone.generation, alone.fingerprint) == (1, "m@1")
    rows = {f"g{number}/state": _state(number) for number in (1, 2)}
    assert [one.fingerprint for one in standings(rows, 1, "m@1")] == ["m@1", ""]
    assert [one.fingerprint for one in standings(rows, 1)] == ["", ""]


def _state(number: int) -> IndexGeneration:
    return IndexGeneration(
        event_id="01941f2a-0000-7000-8000-000000000008",
        occurred_at=0,
        generation=number,
        side=GenerationSide.STATE,
        model=GenerationModel(uri=""),
        wish=GenerationWish.SERVE,
        state=GenerationState.LIVE,
    )


async def test_what_the_index_says_of_the_baseline() -> None:
    """One model: that one. None yet, or two: none. An index that is away takes nothing back."""
    rows = [
        CollectionRow(f"kb_acme_{domain}__g1", "", 1, model, 8, 4) for domain, model in (("a", "m@1"), ("b", "m@2"))
    ]
    other = CollectionRow("kb_acme_a__g2", "", 2, "m@9", 8, 4)
    held: list[CollectionRow] | None = [other]

    async def collections() -> list[CollectionRow]:
        if held is None:
            raise UnavailableError("away")
        return held

    found = BaselineModel(collections, 1)
    for held, model in (([other], ""), ([rows[0], other], "m@1"), (None, "m@1"), (rows, ""), (rows[1:], "m@2")):  # noqa: B007
        await found.look()
        assert found.fingerprint == model


async def test_a_candidate_fills_where_the_one_that_serves_is() -> None:
    """Whoever has moved to another store is not moved back by the next model."""
    table, plans = GenerationTable(), list[Plan]()
    table.put(state(2, GenerationState.LIVE, cutover=1, store="pg", chunker_generation=3))

    class Client:
        async def table(self) -> GenerationTable:
            return table

        async def plan(self, plan: Plan) -> None:
            plans.append(plan)

    ref = ModelFacts(kind=ModelKind.EMBEDDER, fingerprint="m", dimension=8, window=512, uri="models:/handbook/4")
    await RecordWishes(Client())(Wish(kind=WishKind.FILL, ref=ref, name="handbook", version=4))
    assert [(one.store, one.chunker_generation) for one in plans] == [("pg", 3)]
