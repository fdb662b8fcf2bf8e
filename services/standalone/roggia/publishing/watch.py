"""Turn file system changes into publications: what changed is published again, what went is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch
from watchfiles.main import FileChange

from roggia.publishing.files import CONTENT_TYPES, Candidate, document_id, is_hidden, judge


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
    try:
        yield _changes(first, bursts, paths, prefix)
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def _changes(
    first: asyncio.Task[set[FileChange]], bursts: AsyncIterator[set[FileChange]], paths: Sequence[Path], prefix: str
) -> AsyncIterator[Changes]:
    burst = await first
    while True:
        changes = sort_out(((change, Path(name)) for change, name in burst), paths, prefix)
        if changes.files or changes.gone:
            yield changes
        burst = await anext(bursts)


def sort_out(burst: Iterable[tuple[Change, Path]], paths: Sequence[Path], prefix: str = "") -> Changes:
    """Which files of a burst exist (publish) and which do not any more (delete)."""
    files: dict[str, Candidate] = {}
    gone: dict[str, None] = {}
    for change, path in burst:
        root = _root(path, paths)
        if root is None or is_hidden(path, root):
            continue
        doc_id = document_id(path, root, prefix)
        if path.is_file():
            verdict = judge(_as_named(path, paths), doc_id)
            if isinstance(verdict, Candidate):
                files[doc_id] = verdict
        elif change == Change.deleted and path.suffix.lower() in CONTENT_TYPES:
            gone[doc_id] = None
    return Changes(tuple(files.values()), tuple(gone))


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
