"""A tree goes on: what is proven from its right edge is what is proven from the whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from roggia_auditor.tlog import continuing, hashes, proofs
from roggia_auditor.tlog.frontier import Frontier

from tests.support.auditing import root_of

LEAVES = [hashes.leaf(str(n).encode()) for n in range(700)]
SIZES = st.integers(0, len(LEAVES))


@given(SIZES, SIZES)
def test_an_edge_and_the_leaves_since_prove_that_a_tree_goes_on(one: int, other: int) -> None:
    """From any size to any later one: hash by hash the proof that the whole tree gives, and it holds."""
    old, size = sorted((one, other))
    before, _ = Frontier().grown(LEAVES[:old])
    found = continuing.consistency(before, LEAVES[old:size])
    whole = proofs.consistency(
        old, size, lambda height, index: root_of(LEAVES[index << height : (index + 1) << height])
    )
    assert found == whole
    proofs.check_consistency(old, size, found, root_of(LEAVES[:old]), root_of(LEAVES[:size]))
