"""The tree of tenants: one place for each name, whatever whoever makes the tree would like."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roggia_auditor import verify_export
from roggia_auditor.errors import TreeError
from roggia_auditor.heads.seal import FIRST, LogHead, Seal, TenantHead, header_of, seal
from roggia_auditor.tlog import hashes, trie

NAMES = st.sets(st.text("abcdef0123456789-", min_size=1, max_size=6), min_size=1, max_size=60)


def leaves_of(names: set[str]) -> dict[str, bytes]:
    """A leaf for each name."""
    return {name: hashes.leaf(name.encode()) for name in names}


@given(NAMES, st.randoms(use_true_random=False))
def test_every_name_leads_to_the_root_and_no_other_leaf_does(names: set[str], chance: random.Random) -> None:
    """By our own reckoning and by the verifier's; another leaf, another name or a changed way leads elsewhere."""
    leaves = leaves_of(names)
    root = trie.root(leaves)
    for name in names:
        way = trie.path(leaves, name)
        told = [[at, verify_export.base64.b64encode(other).decode()] for at, other in way]
        assert trie.leads(leaves[name], name, way) == verify_export.leads(leaves[name], name, told) == root
        assert trie.leads(hashes.leaf(b"another"), name, way) != root
        if way:
            place = chance.randrange(len(way))
            wrong = [*way[:place], (way[place][0], hashlib.sha256(way[place][1]).digest()), *way[place + 1 :]]
            assert trie.leads(leaves[name], name, wrong) != root
            assert trie.leads(leaves[name], name, way[:-1]) != root
    with pytest.raises(TreeError):
        trie.path(leaves, "not there")


@given(NAMES)
def test_the_root_does_not_depend_on_order_and_names_every_leaf(names: set[str]) -> None:
    """The same names, the same root; one leaf changed or left out, another root."""
    leaves = leaves_of(names)
    assert trie.root(dict(sorted(leaves.items(), reverse=True))) == trie.root(leaves)
    name = min(names)
    assert trie.root({**leaves, name: hashes.leaf(b"another")}) != trie.root(leaves)
    assert trie.root({n: leaf for n, leaf in leaves.items() if n != name}) != trie.root(leaves)


@given(NAMES, st.data())
def test_a_second_leaf_of_a_name_cannot_be_shown(names: set[str], data: st.DataObject) -> None:
    """Whoever makes the tree puts an older leaf of a tenant anywhere in it, in the place of any other one, and shows
    any way with it that leads there: it never leads to the root from the tenant's own name."""
    leaves = leaves_of(names)
    victim = data.draw(st.sampled_from(sorted(names)))
    host = data.draw(st.sampled_from(sorted(names | {"host"})))
    older = hashes.leaf(b"older numbers of " + victim.encode())
    forged = {**leaves, host: older}
    if host == victim:
        return
    way = trie.path(forged, host)
    assert trie.leads(older, host, way) == trie.root(forged)
    assert trie.leads(older, victim, way) != trie.root(forged)
    assert trie.leads(leaves[victim], victim, trie.path(forged, victim)) == trie.root(forged)


@pytest.mark.parametrize("way", [[(256, b"x" * 32)], [(-1, b"x" * 32)], [(3, b"x" * 32), (3, b"x" * 32)],
                                 [(3, b"x" * 32), (7, b"x" * 32)]])  # fmt: skip
def test_branches_come_in_order(way: list[tuple[int, bytes]]) -> None:
    """Else a name could be followed twice through one bit."""
    with pytest.raises(TreeError):
        trie.leads(b"y" * 32, "acme", way)
    told = [[at, verify_export.base64.b64encode(other).decode()] for at, other in way]
    with pytest.raises(verify_export.WrongError):
        verify_export.leads(b"y" * 32, "acme", told)


def test_a_path_has_about_as_many_steps_as_a_balanced_tree() -> None:
    """Of 5,000 tenants the longest way is below three times log2."""
    leaves = leaves_of({f"tenant-{n}" for n in range(5_000)})
    assert max(len(trie.path(leaves, name)) for name in random.Random(1).sample(sorted(leaves), 50)) < 37


def test_a_tenant_that_is_there_twice_was_provable_before_and_is_not_now() -> None:
    """The flaw of the first kind of leaf: two leaves of one tenant, both provable. A check of an older ledger still
    makes those leaves again."""
    log = LogHead("l", 9, hashes.EMPTY_ROOT, 9)
    newest, older = TenantHead("acme", (("l", 9),)), TenantHead("acme", (("l", 4),))
    twice = Seal((log,), (older, newest))
    assert twice.head(FIRST) != seal([log], {"acme": {"l": 9}}).head(FIRST)
    assert twice.head() != twice.head(FIRST)
    one = seal([log], {"acme": {"l": 9}})
    leaf, way = one.tenant("acme")
    assert leaf == newest
    assert trie.leads(hashes.leaf(leaf.encoded()), "acme", way) == one.head().tenants_root
    assert [header_of(one.head(kind).encoded()) for kind in (FIRST, one.head().header)] == [FIRST, one.head().header]
    assert header_of(b"roggia-audit-keys/1\n") == ""
