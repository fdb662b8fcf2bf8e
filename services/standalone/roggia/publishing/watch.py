"""Turn file system changes into publications: what changed is published again, what went is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch
from watchfiles.main import FileChange

from roggia.publishing.files import CONTENT_TYPES, Candidate, document_id, gather, is_hidden, judge, walk


@dataclass(frozen=True, slots=True)
class Changes:
    """One burst of changes: files to publish, and document ids whose file was seen to go."""

    files: Sequence[Candidate]
    gone: Sequence[str]


@asynccontextmanager
async def watching(paths: Sequence[Path], prefix: str = "") -> AsyncIterator[AsyncIterator[Changes]]:
    """Bursts of changes below `paths` from now on: what changes after this block was entered is not missed.

    So enter it first, publish what is there, then read. Skips what `publish` skips.
    """
    bursts = awatch(*(path.resolve() for path in paths), recursive=True)
    first = asyncio.create_task(anext(bursts))
    # One turn of the loop takes the task past the call that registers the watch with the kernel.
    await asyncio.sleep(0)
    tree = Tree(paths, prefix)
    try:
        yield _changes(first, bursts, tree)
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def _changes(
    first: asyncio.Task[set[FileChange]], bursts: AsyncIterator[set[FileChange]], tree: Tree
) -> AsyncIterator[Changes]:
    burst = await first
    while True:
        changes = tree.sort_out((change, Path(name)) for change, name in burst)
        if changes.files or changes.gone:
            yield changes
        burst = await anext(bursts)


class Tree:
    """What lies below the paths that are watched: the files that were there at the start, and what bursts told since.

    A directory that comes or goes as a whole is one change, which names none of its files: so they are remembered.
    """

    def __init__(self, paths: Sequence[Path], prefix: str = "") -> None:
        self._paths = paths
        self._prefix = prefix
        self._known: dict[str, Path] = {}
        for named in paths:
            top = named.resolve()
            for one in gather([named], prefix):
                if isinstance(one, Candidate):
                    self._known[one.doc_id] = top if named.is_file() else top / one.path.relative_to(named)

    def sort_out(self, burst: Iterable[tuple[Change, Path]]) -> Changes:
        """Which files of a burst exist (publish) and which do not any more (delete)."""
        files: dict[str, Candidate] = {}
        gone: dict[str, None] = {}
        for change, path in burst:
            for file in self._files_of(change, path):
                doc_id = self._judge(file, files)
                if doc_id is not None and change == Change.deleted and not file.exists():
                    gone[doc_id] = None
                    self._known.pop(doc_id, None)
        return Changes(tuple(files.values()), tuple(gone))

    def _judge(self, path: Path, files: dict[str, Candidate]) -> str | None:
        """The id of a file that `publish` would take by its name; it is added to `files` if it can be published."""
        root = _root(path, self._paths)
        if root is None or is_hidden(path, root) or path.suffix.lower() not in CONTENT_TYPES:
            return None
        doc_id = document_id(path, root, self._prefix)
        if path.is_file():
            verdict = judge(_as_named(path, self._paths), doc_id)
            if isinstance(verdict, Candidate):
                files[doc_id] = verdict
                self._known[doc_id] = path
        return doc_id

    def _files_of(self, change: Change, path: Path) -> list[Path]:
        """The path itself, or the files of a directory that came or went."""
        root = _root(path, self._paths)
        if root is None or is_hidden(path, root):
            return []
        if path.is_dir():
            return list(walk(path)) if change == Change.added else []
        if change == Change.deleted and not path.exists():
            return [path, *(file for file in self._known.values() if path in file.parents)]
        return [path]


def _root(path: Path, paths: Sequence[Path]) -> Path | None:
    for top in (candidate.resolve() for candidate in paths):
        if top == path:
            return path.parent
        if top in path.parents:
            return top
    return None


def _as_named(path: Path, paths: Sequence[Path]) -> Path:
    """The path as `publish` itself spells it, so that a change keeps the document's source."""
    for named in paths:
        if path.is_relative_to(named.resolve()):
            return named / path.relative_to(named.resolve())
    return path
