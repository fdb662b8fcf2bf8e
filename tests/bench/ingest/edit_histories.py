"""How much of a document is embedded again after a real edit: measured on the git histories of documentation.

    python tests/bench/ingest/edit_histories.py GIT_DIR… [--pairs 500] [--per-file 4] [--seed 1]

An edit is one commit that modifies one Markdown file of at least 6 kB and keeps at least half of its lines. For each,
the tokens of chunks whose text is new (not in the document before) are set against the document's tokens. `ideal` is
the share of tokens in changed lines. Prints one JSON object. Reads the repositories, writes nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from roggia_ingest.app import bundled_tokenizer
from roggia_ingest.chunk import Chunker, ChunkSizes, Passage, TokenCounter
from roggia_ingest.normalize import normalize

LEAST_BYTES = 6_000
LEAST_KEPT = 0.5


@dataclass(frozen=True)
class Edit:
    """Two versions of one file, as git blobs of one repository."""

    repository: Path
    path: str
    before: str
    after: str


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="+", type=Path)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--per-file", type=int, default=4, help="so that one changelog does not stand for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max", type=int, default=510)
    parser.add_argument("--min", type=int, default=128)
    given = parser.parse_args()
    edits = [edit for repository in given.repository for edit in _edits(repository)]
    chosen = _sample(edits, given.per_file, given.seed)
    chunker = Chunker(TokenCounter(bundled_tokenizer()), ChunkSizes(given.max, given.min))
    print(json.dumps(_measure(chunker, chosen, given.pairs)))


def _edits(repository: Path) -> Iterator[Edit]:
    command = ["log", "--raw", "--no-renames", "--no-abbrev", "--diff-filter=M", "--format=", "--", "*.md", "*.mdx"]
    for line in _git(repository, command).splitlines():
        head, _, path = line.partition("\t")
        _, _, before, after, _ = head.split()
        yield Edit(repository, path, before, after)


def _sample(edits: Sequence[Edit], per_file: int, seed: int) -> list[Edit]:
    """Edits in random order, at most `per_file` of one file."""
    shuffled = sorted(edits, key=lambda edit: (edit.path, edit.before, edit.after))
    random.Random(seed).shuffle(shuffled)
    taken: Counter[tuple[Path, str]] = Counter()
    chosen = []
    for edit in shuffled:
        taken[edit.repository, edit.path] += 1
        if taken[edit.repository, edit.path] <= per_file:
            chosen.append(edit)
    return chosen


def _measure(chunker: Chunker, edits: Sequence[Edit], pairs: int) -> dict[str, object]:
    shares, ideals, changed, sizes, heads = [], [], [], [], []
    repositories: dict[str, int] = defaultdict(int)
    for edit in edits:
        if len(shares) == pairs:
            break
        versions = _blob(edit.repository, edit.before), _blob(edit.repository, edit.after)
        if None in versions or not _is_edit(*(before_after := [normalize(version or "") for version in versions])):
            continue
        before, after = (chunker.chunk(text, markdown=True) for text in before_after)
        fresh = _fresh(before, after)
        shares.append(sum(p.tokens for p in fresh) / sum(p.tokens for p in after))
        ideals.append(_ideal(chunker, *before_after))
        changed.append(len(fresh))
        sizes += [p.tokens for p in after]
        heads.append(_top_insert(chunker, before_after[1], after))
        repositories[edit.repository.parent.name] += 1
    cuts = statistics.quantiles(sizes, n=100)
    return {
        "edits": len(shares),
        "repositories": dict(repositories),
        "chunker": chunker.fingerprint,
        "reembedded_share_mean": round(statistics.mean(shares), 4),
        "reembedded_share_median": round(statistics.median(shares), 4),
        "ideal_share_mean": round(statistics.mean(ideals), 4),
        "chunks_changed_mean": round(statistics.mean(changed), 2),
        "chunks_changed_p95": statistics.quantiles(changed, n=20)[18],
        "top_insert_chunks_changed_mean": round(statistics.mean(heads), 2),
        "top_insert_chunks_changed_max": max(heads),
        "chunk_tokens": {"mean": round(statistics.mean(sizes)), "p10": cuts[9], "p50": cuts[49], "p90": cuts[89]},
        "below_128_share": round(sum(size < 128 for size in sizes) / len(sizes), 4),
        "above_max": sum(size > chunker.sizes.maximum for size in sizes),
    }


def _is_edit(before: str, after: str) -> bool:
    if before == after or min(len(before.encode()), len(after.encode())) < LEAST_BYTES:
        return False
    one, two = Counter(before.splitlines()), Counter(after.splitlines())
    return (one & two).total() >= LEAST_KEPT * max(one.total(), two.total())


def _fresh(before: Sequence[Passage], after: Sequence[Passage]) -> list[Passage]:
    known = Counter(passage.text for passage in before)
    fresh = []
    for passage in after:
        if known[passage.text]:
            known[passage.text] -= 1
        else:
            fresh.append(passage)
    return fresh


def _ideal(chunker: Chunker, before: str, after: str) -> float:
    """Share of tokens in lines that were not there before."""
    new = Counter(after.splitlines()) - Counter(before.splitlines())
    count = chunker.counter.count
    return count("\n".join(new.elements())) / max(1, count(after))


def _top_insert(chunker: Chunker, text: str, passages: Sequence[Passage]) -> int:
    """Chunks that change when a paragraph is put below the first line."""
    first, _, rest = text.partition("\n")
    paragraph = "This page was reviewed by the editors, who corrected two links and one command."
    return len(_fresh(passages, chunker.chunk(f"{first}\n\n{paragraph}\n{rest}", markdown=True)))


def _blob(repository: Path, name: str) -> str | None:
    done = subprocess.run(["git", "-C", repository, "cat-file", "blob", name], capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _git(repository: Path, arguments: Sequence[str]) -> str:
    return subprocess.run(
        ["git", "-C", repository, *arguments], capture_output=True, check=True, encoding="utf-8", errors="replace"
    ).stdout


if __name__ == "__main__":
    main()
