"""Trees, proofs and notes: what is true of all of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_auditor.errors import NoteError, ProofError
from roggia_auditor.tlog import checkpoint, hashes, note, proof_file, proofs
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.keys import Kind, SignerKey, VerifierKey
from roggia_auditor.tlog.proof_file import ProofFile
from roggia_auditor.tlog.tiles import Tile, bundle, nodes, of, unbundle

from tests.support.auditing import root_of

LEAVES = [hashes.leaf(str(n).encode()) for n in range(1200)]
SIZES = st.integers(0, len(LEAVES))
KEY = SignerKey("audit.example.com/log", Kind.LOG, bytes(range(32)))
WITNESS = SignerKey("witness.example.com/w1", Kind.WITNESS, bytes(range(1, 33)))


def tiles_of(leaves: Sequence[bytes]) -> proofs.Nodes:
    """Nodes of a tree that is held as tiles, made by growing a frontier in uneven steps."""
    frontier, held = Frontier(), {(0, n): leaf for n, leaf in enumerate(leaves)}
    for start in range(0, len(leaves), 37):
        frontier, made = frontier.grown(leaves[start : start + 37])
        held.update({(one.level, one.index): one.hash for one in made})

    def tile(wanted: Tile) -> list[bytes]:
        return [held[wanted.level, wanted.index * 256 + at] for at in range(wanted.width)]

    return nodes(len(leaves), tile)


@given(st.lists(st.integers(0, 300), max_size=6))
def test_a_frontier_grows_in_any_steps_to_the_same_tree(steps: list[int]) -> None:
    """However appends are cut into batches, root and tile hashes are those of the whole; it survives its encoding."""
    frontier, made, at = Frontier(), [], 0
    for step in steps:
        leaves = LEAVES[at : at + step]
        frontier, tiles = frontier.grown(leaves)
        frontier = Frontier.decoded(frontier.size, frontier.encoded())
        made += tiles
        at += len(leaves)
    assert frontier.root() == root_of(LEAVES[:at])
    for one in made:
        width = 256**one.level
        assert one.hash == root_of(LEAVES[one.index * width : (one.index + 1) * width])
    assert len(made) == at // 256 + at // 65_536


@settings(max_examples=60)
@given(SIZES.filter(bool), st.data())
def test_inclusion_is_proven_and_nothing_else_is(size: int, data: st.DataObject) -> None:
    """Every leaf has a proof that holds; another leaf, index, size, path or root is refused."""
    index = data.draw(st.integers(0, size - 1))
    leaves, root = LEAVES[:size], root_of(LEAVES[:size])
    path = proofs.inclusion(index, size, tiles_of(leaves))
    proofs.check_inclusion(leaves[index], index, size, path, root)
    wrong = [
        (hashes.leaf(b"another"), index, size, path, root),
        (leaves[index], size, size, path, root),
        (leaves[index], index, size, [*path, root], root),
        (leaves[index], index, size, path, hashes.leaf(b"root")),
        *([(leaves[index], index, size, path[:-1], root)] if path else []),
        *([(leaves[index], index ^ 1, size, path, root)] if index ^ 1 < size else []),
    ]
    for case in wrong:
        with pytest.raises(ProofError):
            proofs.check_inclusion(*case)


@settings(max_examples=60)
@given(SIZES, SIZES)
def test_consistency_is_proven_and_nothing_else_is(one: int, other: int) -> None:
    """A tree provably begins with each of its former selves; another one, or a changed proof, is refused."""
    old, size = sorted((one, other))
    before, after = root_of(LEAVES[:old]), root_of(LEAVES[:size])
    path = proofs.consistency(old, size, tiles_of(LEAVES[:size]))
    proofs.check_consistency(old, size, path, before, after)
    other_root = hashes.leaf(b"another tree")
    wrong = [(old, size, path, before, other_root)] if old else []
    wrong += [(old, size, path, other_root, after), (old, size, [*path, after], before, after)]
    wrong += [(old, size, path[:-1], before, after)] if path else []
    wrong += [(old, size, [other_root, *path[1:]], before, after)] if path else []
    for case in wrong:
        with pytest.raises(ProofError):
            proofs.check_consistency(*case)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_give_back_their_entries(entries: list[bytes]) -> None:
    """Entries of a bundle come back as they were; a bundle that was cut is refused or holds fewer."""
    assert unbundle(bundle(entries)) == entries


@given(SIZES.filter(bool), st.integers(0, 2**63), st.binary(min_size=1, max_size=40))
def test_a_proof_file_is_checked_offline(size: int, at: int, extra: bytes) -> None:
    """Written and read again it proves its leaf under the log's and the witness's keys, and under no other's."""
    index = at % size
    signed = Checkpoint(KEY.name, size, root_of(LEAVES[:size])).signed(KEY)
    signed = signed.signed_by([note.cosign(signed.text, WITNESS, at % 2**40)])
    path = tuple(proofs.inclusion(index, size, tiles_of(LEAVES[:size])))
    found = proof_file.parse(str(ProofFile(index, path, signed, extra)))
    assert found.extra == extra
    assert found.check(LEAVES[index], KEY.name, [KEY.verifier()]).size == size
    assert found.signed.verified([KEY.verifier(), WITNESS.verifier()]) == (KEY.verifier(), WITNESS.verifier())
    stranger = SignerKey(KEY.name, Kind.LOG, bytes(32)).verifier()
    with pytest.raises(NoteError, match="not trusted"):
        found.check(LEAVES[index], KEY.name, [stranger])
    with pytest.raises(ProofError, match="of the log"):
        found.check(LEAVES[index], "another.example.com", [KEY.verifier()])


@given(st.data())
def test_any_changed_letter_of_a_checkpoint_is_found(data: st.DataObject) -> None:
    """One changed letter: it cannot be read, no key has signed it, or it is the same text (base64's spare bits)."""
    signed = Checkpoint(KEY.name, 70_000, hashes.leaf(b"root")).signed(KEY)
    text = str(signed)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="utf-8"))
    changed = text[:place] + letter + text[place + 1 :]
    try:
        found = note.parse(changed)
        found.verified([KEY.verifier()])
    except NoteError:
        return
    assert found.text == signed.text


@given(st.text(alphabet="abc./-é", min_size=1, max_size=30), st.binary(min_size=32, max_size=32))
def test_keys_survive_their_text(name: str, seed: bytes) -> None:
    """Private and public keys are read as they were written; no text of a private key shows up in its `repr`."""
    key = SignerKey(name, Kind.LOG, seed)
    assert SignerKey.parse(key.text()) == key
    assert VerifierKey.parse(str(key.verifier())) == key.verifier()
    assert base64.b64encode(bytes([key.kind]) + seed).decode() not in repr(key)


def test_every_tile_of_a_tree_is_named_once() -> None:
    """`of` names what `nodes` will ask for."""
    for size in (0, 1, 255, 256, 257, 65_536, 65_793):
        named = list(of(size))
        assert len(set(named)) == len(named)
        assert sum(tile.width for tile in named if tile.level == 0) == size


def test_a_checkpoint_with_extensions_is_refused() -> None:
    """Nobody could audit them."""
    with pytest.raises(NoteError, match="three lines"):
        checkpoint.of(note.Note("a\n1\nb\nmore\n", ()))
