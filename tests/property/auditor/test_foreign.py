"""Our trees against pymerkle's: roots, paths and verdicts of somebody else's code over random trees."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from roggia_auditor.errors import ProofError
from roggia_auditor.tlog import continuing, hashes, proofs
from roggia_auditor.tlog.frontier import Frontier

from tests.support.apart import installed
from tests.support.auditing import root_of
from tests.support.merkle_oracle import REQUIREMENT, Oracle

TREES = 150
MOST = 600


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    """pymerkle in `PYMERKLE_HOME`, or installed into a temporary folder; skips where neither can be had."""
    home = Path(os.environ.get("PYMERKLE_HOME") or tmp_path_factory.mktemp("pymerkle"))
    if not os.environ.get("PYMERKLE_HOME") and (missing := installed(REQUIREMENT, home, timeout_s=90)):
        pytest.skip(f"pymerkle cannot be installed ({missing}); set PYMERKLE_HOME to a folder that holds it")
    with Oracle(home) as made:
        yield made


def test_pymerkle_makes_the_same_trees(oracle: Oracle) -> None:
    """Roots at two sizes, the path of a leaf, the consistency proof hash by hash; and both refuse the same root."""
    chance = random.Random(9)
    for _ in range(TREES):
        size = chance.randrange(1, MOST)
        entries = [chance.randbytes(chance.randrange(40)) for _ in range(size)]
        leaves, index, old = (
            [hashes.leaf(one) for one in entries],
            chance.randrange(size),
            chance.randrange(1, size + 1),
        )
        wrong = chance.randbytes(32)
        said = oracle.ask(entries=[one.hex() for one in entries], index=index, old=old, wrong=wrong.hex())
        before, _ = Frontier().grown(leaves[:old])
        after, _ = before.grown(leaves[old:])
        assert (before.root().hex(), after.root().hex()) == (said["before"], said["root"])
        path = proofs.inclusion(index, size, lambda h, i, held=leaves: root_of(held[i << h : (i + 1) << h]))
        assert [one.hex() for one in path] == said["inclusion"]
        goes_on = continuing.consistency(before, leaves[old:])
        assert [one.hex() for one in goes_on] == said["consistency"]
        proofs.check_consistency(old, size, goes_on, before.root(), after.root())
        with pytest.raises(ProofError):
            proofs.check_consistency(old, size, goes_on, wrong, after.root())
        assert (said["takes"], said["takes_wrong"]) == (True, False)
