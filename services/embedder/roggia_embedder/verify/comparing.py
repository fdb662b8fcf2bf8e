"""The second pass: slice by slice, the newest record of every document against the points that name it."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec
from roggia_runtime.findings import Finding, Kind

from roggia_embedder.verify.ground import Ground
from roggia_embedder.verify.judging import judge
from roggia_embedder.verify.rows import Expected, Fact, forgotten
from roggia_embedder.verify.spill import Spill

Key: TypeAlias = tuple[str, str]
"""Tenant and document id."""


class Suspect(msgspec.Struct, frozen=True, array_like=True):
    """A document to be looked at again: its newest record, the collections that hold something of it, and a digest of
    what was found the last time (empty: not looked at since its record changed)."""

    expected: Expected
    places: tuple[int, ...]
    seen: bytes = b""

    @property
    def key(self) -> Key:
        """Which document."""
        return (self.expected.tenant, self.expected.doc_id)


class Mate(msgspec.Struct, frozen=True, array_like=True):
    """An id that is missing under one document (`wanted`), or held under another that does not need it."""

    point: bytes
    wanted: bool


def newest(rows: Iterable[Expected]) -> dict[Key, Expected]:
    """The last record of each document, as compaction would keep it."""
    last: dict[Key, Expected] = {}
    for row in rows:
        key = (row.tenant, row.doc_id)
        if key not in last or row.offset >= last[key].offset:
            last[key] = row
    return last


def compare(ground: Ground, log: Iterable[Expected], index: Iterable[Fact], mates: Spill[Mate]) -> Iterator[Suspect]:
    """Documents of one slice that differ, and into `mates` every id that is missing or too many."""
    known, held = newest(log), _by_document(index)
    for key in known.keys() | held.keys():
        expected = known.get(key) or forgotten(*key, partition=-1, offset=-1)
        facts = held.get(key, {})
        own = ground.own(expected)
        if own is not None:
            ground.counts.documents += 1
            ground.counts.chunks += expected.total
        numbers = sorted(facts.keys() | ({own} if own is not None else set()))
        found = judge(expected, facts, {number: ground.place(number) for number in numbers})
        if found:
            _note(found, mates, ground.slices)
            yield Suspect(expected, tuple(numbers))


def asked_for(ground: Ground, log: Iterable[Expected], doc_ids: Iterable[str]) -> Iterator[Suspect]:
    """Each of these documents of the scope's tenant as a suspect, whether the log knows it or not."""
    known = newest(log)
    everywhere = tuple(number for number, _ in ground.existing())
    for doc_id in doc_ids:
        key = (ground.scope.tenant, doc_id)
        expected = known.get(key) or forgotten(*key, partition=-1, offset=-1)
        own = ground.own(expected)
        if own is not None:
            ground.counts.documents += 1
            ground.counts.chunks += expected.total
        yield Suspect(expected, everywhere if own is None or own in everywhere else (*everywhere, own))


def exchanged(mates: Spill[Mate], slices: int) -> frozenset[bytes]:
    """Ids that are missing under one document and held under another: one point whose payload names the wrong one."""
    found: set[bytes] = set()
    for number in range(slices):
        sides: dict[bool, set[bytes]] = {True: set(), False: set()}
        for mate in mates.rows(number):
            sides[mate.wanted].add(mate.point)
        found |= sides[True] & sides[False]
        mates.drop(number)
    return frozenset(found)


def _by_document(index: Iterable[Fact]) -> Mapping[Key, dict[int, Sequence[Fact]]]:
    points: dict[Key, dict[int, dict[bytes, Fact]]] = defaultdict(lambda: defaultdict(dict))
    for row in index:
        points[(row.tenant, row.doc_id)][row.place][row.point] = row
    return {key: {place: list(held.values()) for place, held in places.items()} for key, places in points.items()}


def _note(found: Sequence[Finding], mates: Spill[Mate], slices: int) -> None:
    for finding in found:
        point = uuid.UUID(finding.point_id).bytes
        wanted = finding.kind is Kind.MISSING
        if wanted or finding.found is not None:
            mates.add(point[0] % slices, Mate(point, wanted))
