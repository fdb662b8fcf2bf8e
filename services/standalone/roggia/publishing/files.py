"""Which files a `publish` takes, what they are, and why it leaves others out. Pure but for reading the file system."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from roggia_schemas.errors import InvalidNameError
from roggia_schemas.names import check_doc_id

from roggia.errors import UsageError

CONTENT_TYPES = {
    ".txt": "text/plain",
    ".text": "text/plain",
    ".rst": "text/plain",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".pdf": "application/pdf",
    ".csv": "text/csv",
}
"""Content type by file name suffix; anything else is skipped with a reason."""

SKIPPED_DIRECTORIES = frozenset({".git", ".hg", ".svn", ".venv", "__pycache__", "node_modules", ".tox", ".mypy_cache"})
_SNIFF_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that will be published under `doc_id`."""

    path: Path
    doc_id: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that will not be published, and why, in words for the user."""

    path: Path
    reason: str


def gather(paths: Sequence[Path], prefix: str = "") -> Iterator[Candidate | Skipped]:
    """Walk `paths` in a stable order. A directory gives every file below it; hidden files and caches are left out.

    Raises `UsageError` for a path that does not exist: a typo must not look like an empty corpus.
    """
    for path in paths:
        if not path.exists():
            raise UsageError(f"PATH: {str(path)!r} does not exist; give a file or a directory that does")
        if path.is_dir():
            for file in walk(path):
                yield judge(file, document_id(file, path, prefix))
        else:
            yield judge(path, document_id(path, path.parent, prefix))


def walk(top: Path) -> Iterator[Path]:
    """Files below a directory in a stable order, without hidden ones and caches."""
    for folder, names, files in os.walk(top):
        names[:] = sorted(name for name in names if name not in SKIPPED_DIRECTORIES and not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(folder, name)


def is_hidden(path: Path, root: Path) -> bool:
    """Whether a path lies in what a walk of `root` leaves out."""
    parts = path.relative_to(root).parts
    return any(part.startswith(".") or part in SKIPPED_DIRECTORIES for part in parts)


def document_id(path: Path, root: Path, prefix: str = "") -> str:
    """Stable id of a file: `prefix/` and its path relative to the directory that was named, with forward slashes.

    The same directory published again, from anywhere, gives the same ids; so the documents are replaced, not doubled.
    """
    relative = path.relative_to(root).as_posix()
    return f"{prefix.strip('/')}/{relative}" if prefix.strip("/") else relative


def judge(path: Path, doc_id: str) -> Candidate | Skipped:
    """Whether a file can be published: a type we know, some content, and text where text is promised."""
    content_type = CONTENT_TYPES.get(path.suffix.lower())
    if content_type is None:
        return Skipped(path, f"no known content type for {path.suffix or 'a name without suffix'!r}")
    try:
        check_doc_id(doc_id)
        size = path.stat().st_size
        head = path.open("rb").read(_SNIFF_BYTES) if size else b""
    except InvalidNameError as wrong:
        return Skipped(path, str(wrong))
    except OSError as failed:
        return Skipped(path, f"cannot be read: {failed.strerror}")
    if not size:
        return Skipped(path, "empty")
    if content_type != "application/pdf" and _is_binary(head):
        return Skipped(path, f"looks binary, but its suffix says {content_type}")
    return Candidate(path, doc_id, content_type, size)


def _is_binary(head: bytes) -> bool:
    """A null byte, unless a byte-order mark says UTF-16 or UTF-32."""
    return b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff"))
