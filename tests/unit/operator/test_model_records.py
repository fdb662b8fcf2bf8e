"""What the reconciler reads in the record of generations."""

from __future__ import annotations

import pytest
from roggia_operator.generations.client import Plan
from roggia_operator.generations.table import GenerationTable
from roggia_operator.models.generation_records import RecordWishes, standing
from roggia_operator.models.generations import Wish, WishKind
from roggia_operator.models.values import ModelFacts, ModelKind
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
