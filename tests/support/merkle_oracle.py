"""pymerkle's answers about trees, by a process that has it in a folder of its own. It is under the GPL: no code of ours
imports it but this script, which only tests run, and it is installed nowhere but in that folder.

Asked one JSON line, `{"entries": [hex, …], "index": n, "old": n, "wrong": hex}`, it answers with pymerkle's root, the
inclusion path of a leaf, the hashes of the RFC 6962 consistency proof (each the root of a tree of pymerkle over the
range that the RFC names), and whether pymerkle takes the old root, and a wrong one, for the tree's beginning.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

REQUIREMENT = "pymerkle==7.0.0"


class Oracle:
    """The process. Use it as a context manager."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": str(self._home)}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def ask(self, **question: Any) -> Any:
        """One answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _ranges(old: int, start: int, end: int, *, whole: bool) -> list[tuple[int, int]]:
    """Leaf ranges of SUBPROOF(m, D[start:end], b), RFC 6962 §2.1.2, written down anew."""
    if old == end - start:
        return [] if whole else [(start, end)]
    half = 1
    while half * 2 < end - start:
        half *= 2
    if old <= half:
        return [*_ranges(old, start, start + half, whole=whole), (start + half, end)]
    return [*_ranges(old - half, start + half, end, whole=False), (start, start + half)]


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    from pymerkle import InmemoryTree, InvalidProof  # type: ignore[import-not-found]

    def tree_of(some: list[bytes]) -> Any:
        made = InmemoryTree(algorithm="sha256")
        made.append_entries(some)
        return made

    entries, old = [bytes.fromhex(one) for one in question["entries"]], question["old"]
    tree = tree_of(entries)
    root, before, proof = tree.get_root(), tree.get_root(old), tree.prove_consistency(old, len(entries))

    def takes(prior: bytes) -> bool:
        try:
            proof.verify(prior, root)
        except InvalidProof:
            return False
        return True

    return {
        "root": root.hex(),
        "before": before.hex(),
        "inclusion": [one.hex() for one in tree.prove_inclusion(question["index"] + 1, len(entries)).path[1:]],
        "consistency": [
            tree_of(entries[start:end]).get_root().hex() for start, end in _ranges(old, 0, len(entries), whole=True)
        ],
        "takes": takes(before),
        "takes_wrong": takes(bytes.fromhex(question["wrong"])),
    }


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()
