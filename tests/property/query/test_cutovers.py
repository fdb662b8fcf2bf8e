"""No query is ever answered by vectors of another model than the one that encoded it."""

from __future__ import annotations

import pytest

from tests.support.cutovers import Rehearsal

ONE, TWO, THREE = {}, {3: "pg"}, {2: "pg", 3: "far"}
"""Where generations are, when one store has all of them, and when each cutover may be to another store."""


CASES = [(0, ONE), (1, ONE), (2, ONE), (3, TWO), (4, THREE), (5, THREE)]


@pytest.mark.parametrize(
    ("seed", "stores"), CASES, ids=lambda one: f"{len(one)} moved" if isinstance(one, dict) else None
)
async def test_no_query_meets_another_model_s_vectors(seed: int, stores: dict[int, str]) -> None:
    """2,000 queries across 40 cutovers, rollbacks and replacements under stale caches: every answer is by the model
    that the answer names, and by the generation that was asked for; every generation answers, and no query finds
    nothing because an alias was on its way to another store."""
    rehearsal = Rehearsal(seed, queries=2_000, cutovers=40, stores=stores)
    seen = await rehearsal.run()
    assert (seen.mismatches, rehearsal.moves) == (0, 40)
    assert set(seen.generations) == {1, 2, 3}
    assert sum(seen.generations.values()) + seen.refused == seen.queries
    assert seen.refused < seen.queries / 20


@pytest.mark.chaos
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("stores", [ONE, THREE], ids=["one store", "three"])
async def test_no_query_meets_another_model_s_vectors_at_length(stores: dict[int, str]) -> None:
    """The same for 100,000 queries across 200 moves."""
    rehearsal = Rehearsal(2026, queries=100_000, cutovers=200, at_once=64, stores=stores)
    seen = await rehearsal.run()
    print(f"\n{seen}")
    assert (seen.mismatches, rehearsal.moves) == (0, 200)
    assert set(seen.generations) == {1, 2, 3}
