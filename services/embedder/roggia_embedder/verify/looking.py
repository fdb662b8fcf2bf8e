"""One look at what the store holds of a few documents, now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from roggia_embedder.errors import UnknownCollectionError
from roggia_embedder.ports import head_id
from roggia_embedder.verify.comparing import Key, Suspect
from roggia_embedder.verify.ground import Ground
from roggia_embedder.verify.rows import Expected, Fact, fact, identity, named

Facts: TypeAlias = Mapping[Key, Mapping[int, Sequence[Fact]]]


async def look(ground: Ground, suspects: Sequence[Suspect]) -> Facts:
    """Points of the suspects by document and collection: those that name it, and those that have an id of its set.

    A point with an id of a document's set counts for that document, whatever its payload says.
    """
    found: dict[Key, dict[int, list[Fact]]] = {suspect.key: defaultdict(list) for suspect in suspects}
    for number in sorted({place for suspect in suspects for place in suspect.places}):
        here = [suspect for suspect in suspects if number in suspect.places]
        owners = {point: s.key for s in here if ground.own(s.expected) == number for point in points_of(s.expected)}
        for row in await _examined(ground, number, here, owners):
            key = owners.get(row.point, (row.tenant, row.doc_id))
            if key in found:
                found[key][number].append(row)
    return found


def points_of(expected: Expected) -> list[bytes]:
    """Ids of everything that a living document has in its collection, its head first."""
    return [identity(head_id(expected.document)), *(chunk.point for chunk in expected.chunks())]


async def _examined(
    ground: Ground, number: int, suspects: Sequence[Suspect], owners: Mapping[bytes, Key]
) -> list[Fact]:
    spec = ground.place(number).spec
    if spec is None:
        return []
    doc_ids = sorted({suspect.key[1] for suspect in suspects})
    try:
        held = await ground.store.examine_some(spec.name, doc_ids, [named(point) for point in owners])
    except UnknownCollectionError:
        return []
    await ground.throttle.spend(len(held))
    return [fact(point, number, spec) for point in held]
