"""Which files `publish` takes, under which ids, and why it leaves others out."""

from __future__ import annotations

from pathlib import Path

import pytest
from roggia.errors import UsageError
from roggia.publishing.files import Candidate, Skipped, gather, is_hidden


def _tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def test_a_directory_gives_its_files_under_ids_relative_to_it_in_a_stable_order(tmp_path: Path) -> None:
    """The same directory gives the same ids from wherever it is named, so publishing again replaces."""
    _tree(tmp_path, {"b/x.md": b"# x", "a.txt": b"a", "b/c/y.html": b"<p>y</p>"})

    found = [one for one in gather([tmp_path]) if isinstance(one, Candidate)]

    assert [(one.doc_id, one.content_type) for one in found] == [
        ("a.txt", "text/plain"),
        ("b/x.md", "text/markdown"),
        ("b/c/y.html", "text/html"),
    ]


def test_a_single_file_is_named_by_its_name_and_a_prefix_goes_before(tmp_path: Path) -> None:
    """--prefix sets publications of several directories apart; its slashes do not double."""
    _tree(tmp_path, {"a.txt": b"a"})

    (found,) = gather([tmp_path / "a.txt"], prefix="/team/docs/")

    assert isinstance(found, Candidate)
    assert found.doc_id == "team/docs/a.txt"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("image.png", b"\x89PNG", "no known content type for '.png'"),
        ("Makefile", b"all:", "no known content type for 'a name without suffix'"),
        ("empty.md", b"", "empty"),
        ("blob.txt", b"MZ\x00\x01", "looks binary, but its suffix says text/plain"),
        ("bad\x07name.md", b"# x", "control characters"),
    ],
)
def test_what_cannot_be_a_document_is_skipped_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    """A skipped file says why, in words that name what is wrong with it."""
    _tree(tmp_path, {name: content})

    (found,) = gather([tmp_path])

    assert isinstance(found, Skipped)
    assert reason in found.reason


def test_utf16_with_a_byte_order_mark_and_pdf_are_not_taken_for_binary_text(tmp_path: Path) -> None:
    """Null bytes alone do not make a file binary: UTF-16 has them, and a PDF is binary by right."""
    _tree(tmp_path, {"wide.txt": "wide".encode("utf-16"), "paper.pdf": b"%PDF-1.7\x00"})

    assert all(isinstance(one, Candidate) for one in gather([tmp_path]))


def test_hidden_files_and_caches_are_left_out_silently(tmp_path: Path) -> None:
    """Nobody means `.git` or `node_modules` when they publish a directory; a watcher leaves out the same."""
    _tree(tmp_path, {".git/a.md": b"x", "node_modules/b.md": b"x", ".hidden.md": b"x", "c.md": b"x"})

    assert [one.path.name for one in gather([tmp_path])] == ["c.md"]
    assert is_hidden(tmp_path / ".git/a.md", tmp_path)
    assert not is_hidden(tmp_path / "c.md", tmp_path)


def test_a_path_that_does_not_exist_is_an_error_not_an_empty_corpus(tmp_path: Path) -> None:
    """A typo says which path it means."""
    with pytest.raises(UsageError, match=r"PATH: .*missing.* does not exist"):
        list(gather([tmp_path / "missing"]))
