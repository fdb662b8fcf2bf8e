"""Corpus manifests: the same corpus has the same id, another corpus another one, a changed file none."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from roggia_operator.evaluation.corpus import manifest, merkle
from roggia_operator.evaluation.corpus.documents import Document
from roggia_operator.evaluation.errors import GoldenSetError

from tests.support.evaluating import document

CORPUS = [document(f"d{at}", f"text {at}") for at in range(5)]
ONE = CORPUS[0]


def _id(documents: list[Document]) -> str:
    return manifest.make(documents, "doc.chunked.c1", {0: 7, 1: 3}, "now").header.id


def test_the_id_depends_on_what_the_corpus_holds_and_on_nothing_else() -> None:
    """Order, time and offsets do not count; a revision, passage, group, domain or document more does."""
    assert _id(CORPUS) == _id(CORPUS[::-1])
    assert _id(CORPUS) == manifest.make(CORPUS, "doc.chunked.c1", {0: 9}, "later").header.id
    changed = [
        replace(ONE, revision=2), replace(ONE, texts=("b" * 64,)), replace(ONE, acl=("staff",)),
        replace(ONE, domain="other"), replace(ONE, content_sha256="d" * 64), replace(ONE, epoch=1),
    ]  # fmt: skip
    ids = {_id(CORPUS), _id(CORPUS[1:]), *(_id([other, *CORPUS[1:]]) for other in changed)}
    assert len(ids) == 2 + len(changed)


def test_a_manifest_is_read_back_as_written(tmp_path: Path) -> None:
    """Header and rows survive, with topic and offsets."""
    made = manifest.make(CORPUS, "doc.chunked.c1", {0: 7, 1: 3}, "now")
    manifest.write(tmp_path / "m", made)

    assert manifest.read(tmp_path / "m") == made
    assert made.header.offsets == {"0": 7, "1": 3}
    assert (made.header.documents, made.header.chunks) == (5, 5)


def test_a_manifest_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    """The id is checked against the lines: an edit, a line more or less, is found."""
    path = tmp_path / "m"
    manifest.write(path, manifest.make(CORPUS, "doc.chunked.c1", {}, "now"))
    whole = path.read_text()
    for broken in (whole.replace('"revision":1', '"revision":2', 1), "".join(whole.splitlines(keepends=True)[:-1])):
        path.write_text(broken)
        with pytest.raises(GoldenSetError, match="m:1: id: is not that of the lines below it"):
            manifest.read(path)
    path.write_text(whole.replace('"manifest":1', '"manifest":9'))
    with pytest.raises(GoldenSetError, match=":1: manifest: 9 is a form"):
        manifest.read(path)


def test_changes_between_two_corpora_are_counted() -> None:
    """Added, removed, changed in passages or groups; a new revision of the same is no change."""
    now = [replace(ONE, revision=2), replace(CORPUS[1], texts=("b" * 64,)), *CORPUS[3:], document("new")]
    old, new = (manifest.make(documents, "t", {}, "").rows for documents in (CORPUS, now))

    assert manifest.compare(old, new) == manifest.Change(added=1, removed=1, changed=1)


def _by_the_book(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it stands there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + _by_the_book(leaves[:k]) + _by_the_book(leaves[k:])).digest()


@pytest.mark.parametrize("count", [*range(18), 100, 257])
def test_the_root_is_the_one_of_rfc_6962(count: int) -> None:
    """Made in one pass, equal to the recursive definition for any number of leaves."""
    leaves = [str(at).encode() for at in range(count)]

    assert merkle.root(leaves) == _by_the_book(leaves).hex()
