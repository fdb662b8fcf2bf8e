"""What others published: trees of RFC 6962's reference implementation, a note of Go's, layouts of C2SP."""

from __future__ import annotations

import pytest
from roggia_auditor.errors import NoteError
from roggia_auditor.tlog import checkpoint, continuing, hashes, note, proofs
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.keys import VerifierKey
from roggia_auditor.tlog.tiles import Tile, of
from roggia_auditor.witness import judging

from tests.support.auditing import root_of

LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Roots over the first one, two, … of `LEAVES`, from the test data of the Certificate Transparency reference code."""
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""Key and note of the documentation of golang.org/x/mod/sumdb/note."""


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference(size: int) -> None:
    """The frontier comes to the published root at every size, and so does a tree from its nodes."""
    leaves = [hashes.leaf(entry) for entry in LEAVES[:size]]
    expected = bytes.fromhex(ROOTS[size - 1])
    assert Frontier().grown(leaves)[0].root() == expected
    assert proofs.root(size, lambda height, index: root_of(leaves[index << height : (index + 1) << height])) == expected


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    """RFC 6962 §2.1: MTH({}) = SHA-256()."""
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Frontier().root().hex() == expected


def test_a_note_of_another_implementation_is_verified() -> None:
    """Key, key id and signature are what Go's note package makes them; one changed letter is found."""
    key = VerifierKey.parse(GO_KEY)
    assert note.parse(GO_NOTE).verified([key]) == (key,)
    assert str(key) == GO_KEY
    assert str(note.parse(GO_NOTE)) == GO_NOTE
    with pytest.raises(NoteError, match="does not hold"):
        note.parse(GO_NOTE.replace("problem is", "Problem is")).verified([key])


def test_tiles_lie_where_c2sp_says() -> None:
    """The example of tlog-tiles: a tree of 70,000 leaves, and the path of tile 1234067."""
    tiles = list(of(70_000))
    assert sum(tile.level == 0 and tile.width == 256 for tile in tiles) == 273
    assert [tile for tile in tiles if tile.width != 256] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert Tile(0, 1_234_067).path() == "tile/0/x001/x234/067"
    assert Tile(1, 1, 17).path() == "tile/1/001.p/17"
    assert Tile(0, 273, 112).entries_path() == "tile/entries/273.p/112"


H = {
    "a": "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "b": "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "c": "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    "d": "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "e": "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "f": "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "g": "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "h": "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "i": "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
}
"""Hashes of the proofs in the same test data."""


def _nodes(size: int) -> proofs.Nodes:
    leaves = [hashes.leaf(entry) for entry in LEAVES[:size]]
    return lambda height, index: root_of(leaves[index << height : (index + 1) << height])


@pytest.mark.parametrize(
    ("index", "size", "path"), [(0, 1, ""), (0, 8, "abc"), (5, 8, "def"), (2, 3, "g"), (1, 5, "hbd")]
)
def test_inclusion_proofs_are_those_of_the_reference(index: int, size: int, path: str) -> None:
    """Made and checked: the published hashes, in their order."""
    expected = [bytes.fromhex(H[one]) for one in path]
    assert proofs.inclusion(index, size, _nodes(size)) == expected
    root = bytes.fromhex(ROOTS[size - 1])
    proofs.check_inclusion(hashes.leaf(LEAVES[index]), index, size, expected, root)


@pytest.mark.parametrize(("old", "size", "path"), [(1, 1, ""), (1, 8, "abc"), (6, 8, "ief"), (2, 5, "bd")])
def test_consistency_proofs_are_those_of_the_reference(old: int, size: int, path: str) -> None:
    """Made from the whole tree, made from the former edge, and checked."""
    expected = [bytes.fromhex(H[one]) for one in path]
    assert proofs.consistency(old, size, _nodes(size)) == expected
    leaves = [hashes.leaf(entry) for entry in LEAVES[:size]]
    before, _ = Frontier().grown(leaves[:old])
    assert continuing.consistency(before, leaves[old:]) == expected
    proofs.check_consistency(old, size, expected, bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[size - 1]))


SOFA = "— example.com/behind-the-sofa"
C2SP_REQUEST = f"""\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

{SOFA} Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
{SOFA} opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""
"""The example request of C2SP tlog-witness."""


def test_the_example_request_of_c2sp_is_read_and_written() -> None:
    """Size, proof, checkpoint and both signatures; written again it is the same, byte for byte."""
    found = judging.parse(C2SP_REQUEST.encode())
    assert (found.old, len(found.proof), len(found.signed.signatures)) == (20_852_014, 4, 2)
    assert checkpoint.of(found.signed).size == 20_852_163
    assert judging.body_of(*found) == C2SP_REQUEST.encode()
