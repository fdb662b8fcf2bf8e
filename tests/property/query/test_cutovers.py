"""No query is ever answered by vectors of another model than the one that encoded it."""

from __future__ import annotations

import pytest

from tests.support.cutovers import Rehearsal


@pytest.mark.parametrize("seed", range(3))
async def test_no_query_meets_another_model_s_vectors(seed: int) -> None:
    """2,000 queries across 40 cutovers, rollbacks and replacements under stale caches: every answer is by the model
    that the answer names, and by the generation that was asked for; every generation answers."""
    rehearsal = Rehearsal(seed, queries=2_000, cutovers=40)
    seen = await rehearsal.run()
    assert (seen.mismatches, rehearsal.moves) == (0, 40)
    assert set(seen.generations) == {1, 2, 3}
    assert sum(seen.generations.values()) + seen.refused == seen.queries
    assert seen.refused < seen.queries / 20


@pytest.mark.chaos
@pytest.mark.timeout(1200)
async def test_no_query_meets_another_model_s_vectors_at_length() -> None:
    """The same for 100,000 queries across 200 moves."""
    rehearsal = Rehearsal(2026, queries=100_000, cutovers=200, at_once=64)
    seen = await rehearsal.run()
    print(f"\n{seen}")
    assert (seen.mismatches, rehearsal.moves) == (0, 200)
    assert set(seen.generations) == {1, 2, 3}
