"""What the options of `roggia replay` mean: a list of documents is exactly that list."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from roggia.cli.replay_options import Asked, asked
from roggia.connection import Connection
from roggia.errors import UsageError

NOWHERE = Connection("127.0.0.1:1", "", "")


def _file(folder: Path, raw: bytes) -> Path:
    path = folder / "docs"
    path.write_bytes(raw)
    return path


async def _documents(path: Path) -> tuple[str, ...]:
    return (await asked(Asked("doc.changed", docs=path), NOWHERE)).documents


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"acme/a\nacme/b\n", ("acme/a", "acme/b")),
        (b"\xef\xbb\xbfacme/a\r\n\r\n  \r\nacme/b\r\nacme/a", ("acme/a", "acme/b")),
        ("acme/a\u2028b\nacme/c\u0085d\n".encode(), ("acme/a\u2028b", "acme/c\u0085d")),
        ("acme/ä/日本 x#y?z\n".encode(), ("acme/ä/日本 x#y?z",)),
    ],
    ids=[
        "plain",
        "written on Windows, with blank lines",
        "line separators in ids",
        "any text and slashes",
    ],
)
async def test_a_file_names_one_document_per_line(tmp_path: Path, raw: bytes, found: tuple[str, ...]) -> None:
    """However it was written."""
    assert await _documents(_file(tmp_path, raw)) == found


async def test_standard_input_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte order mark in a pipe as well."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfacme/a\n"), encoding="latin-1"))
    assert (await asked(Asked("doc.changed", docs=Path("-")), NOWHERE)).documents == ("acme/a",)


@pytest.mark.parametrize("raw", [b"", b"\n \n", b"\xef\xbb\xbf\r\n"])
async def test_an_empty_list_never_means_everything(tmp_path: Path, raw: bytes) -> None:
    """A selection without documents takes all of them: a file or an option that names none is refused."""
    with pytest.raises(UsageError, match=r"--docs: .* names no document"):
        await _documents(_file(tmp_path, raw))
    for given in ([""], ["acme/a", "\t"]):
        with pytest.raises(UsageError, match="--doc: is empty"):
            await asked(Asked("doc.changed", doc=given), NOWHERE)
