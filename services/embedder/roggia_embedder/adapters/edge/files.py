"""Directories of the embedded store: one shard per collection, its spec beside it, one lock for all.

<root>/lock
<root>/aliases.json
<root>/collections/<name>/spec.json
<root>/collections/<name>/shard/
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import qdrant_edge as qe

from roggia_embedder.adapters.edge import operations as op
from roggia_embedder.errors import ModelMismatchError, StoreLockedError, UnknownCollectionError
from roggia_embedder.ports import CollectionSpec
from roggia_embedder.tuning import IndexTuning

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,254}\Z")
_SPEC = "spec.json"
"""Written last: a folder without it is a creation that a crash cut short."""
_GROWTH = 1.2
"""A collection is optimised again once it has this many times the points of last time."""


class Shards:
    """Open shards by name. Safe to use from several threads."""

    def __init__(self, root: Path, tuning: IndexTuning) -> None:
        self._folder = root / "collections"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = _take_lock(root)
        self._tuning = tuning
        self._guard = threading.Lock()
        self._open: dict[str, tuple[CollectionSpec, Any]] = {}
        self._optimised: dict[str, int] = {}
        self._load()

    def _load(self) -> None:
        for folder in sorted(self._folder.iterdir()):
            if not (folder / _SPEC).exists():
                shutil.rmtree(folder)
                continue
            spec = CollectionSpec(**json.loads((folder / _SPEC).read_text()))
            self._open[spec.name] = (spec, qe.EdgeShard.load(str(folder / "shard")))

    def get(self, name: str) -> Any:
        """The open shard. Raises `UnknownCollectionError`."""
        try:
            return self._open[name][1]
        except KeyError:
            raise UnknownCollectionError(f"collection {name} does not exist") from None

    def spec(self, name: str) -> CollectionSpec | None:
        """The spec of one collection, or None. Waits for nobody who creates or drops another."""
        held = self._open.get(name)
        return None if held is None else held[0]

    def specs(self) -> list[CollectionSpec]:
        """Specs of all collections, by name."""
        with self._guard:
            return [self._open[name][0] for name in sorted(self._open)]

    def ensure(self, spec: CollectionSpec) -> None:
        """Create what is missing; a crash midway leaves nothing behind. Raises `ModelMismatchError`."""
        with self._guard:
            if spec.name not in self._open:
                self._open[spec.name] = (spec, self._create(spec))
            held = self._open[spec.name][0]
        if held != spec:
            raise ModelMismatchError(spec.name, held.model, spec.model)

    def _create(self, spec: CollectionSpec) -> Any:
        if not _NAME.match(spec.name):
            raise ValueError(f"collection: {spec.name!r} is not valid; use a-z, 0-9, '_' and '-'")
        folder = self._folder / spec.name
        (folder / "shard").mkdir(parents=True)
        shard = qe.EdgeShard.create(str(folder / "shard"), op.config(spec, self._tuning))
        for index in op.indexes():
            shard.update(index)
        write_json(folder / _SPEC, asdict(spec))
        return shard

    def drop(self, name: str) -> None:
        """Remove a collection; a crash midway leaves a folder that the next start removes."""
        with self._guard:
            held = self._open.pop(name, None)
            if held is None:
                return
            held[1].close()
            (self._folder / name / _SPEC).unlink()
            shutil.rmtree(self._folder / name)
            self._optimised.pop(name, None)

    def maintain(self) -> None:
        """Flush all; optimise what has grown. Writers and readers go on meanwhile."""
        for name, (_, shard) in list(self._open.items()):
            shard.flush()
            points = int(shard.info().points_count)
            if points >= self._tuning.optimise_from_points and points > _GROWTH * self._optimised.get(name, 0):
                shard.optimize()
                self._optimised[name] = points

    def close(self) -> None:
        """Flush and close all, give up the lock."""
        with self._guard:
            for _, shard in self._open.values():
                shard.flush()
                shard.close()
            self._open.clear()
            self._lock.close()


def write_json(path: Path, value: object) -> None:
    """Replace a file atomically and durably."""
    fresh = path.with_suffix(".tmp")
    with fresh.open("w") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _take_lock(root: Path) -> IO[str]:
    file = (root / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise StoreLockedError(
            f"store: {root} is open in another process; stop that one, or use a Qdrant server for several"
        ) from None
    return file
