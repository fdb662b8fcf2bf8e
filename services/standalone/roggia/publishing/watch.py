"""Turn file system changes into publications: what changed is published again, what went is deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch

from roggia.publishing.files import Candidate, document_id, is_hidden, judge


@dataclass(frozen=True, slots=True)
class Changes:
    """One burst of changes: files to publish, and document ids whose file was seen to go."""

    files: Sequence[Candidate]
    gone: Sequence[str]


async def watch(paths: Sequence[Path], prefix: str = "") -> AsyncIterator[Changes]:
    """Bursts of changes below `paths`, for as long as somebody listens. Skips what `publish` skips."""
    async for burst in awatch(*paths, recursive=True):
        changes = sort_out(((change, Path(name)) for change, name in burst), paths, prefix)
        if changes.files or changes.gone:
            yield changes


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
            verdict = judge(path, doc_id)
            if isinstance(verdict, Candidate):
                files[doc_id] = verdict
        elif change == Change.deleted:
            gone[doc_id] = None
    return Changes(tuple(files.values()), tuple(gone))


def _root(path: Path, paths: Sequence[Path]) -> Path | None:
    for top in (candidate.resolve() for candidate in paths):
        if top == path:
            return path.parent
        if top in path.parents:
            return top
    return None
