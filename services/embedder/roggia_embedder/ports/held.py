"""What a collection holds, read without trust: for verification alone. Nothing in it is assumed to be well-formed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from roggia_embedder.ports.values import Attributes, Head


@dataclass(frozen=True, slots=True)
class HeldPassage:
    """A passage as it is stored. Keys that are absent read as empty, a version that is none as (-1, -1).

    `model` is the stamp of the vector's model, empty on points from before there were stamps. `dimension` is the dense
    vector's, 0 where there is none or a number in it is not finite. `well_formed` is False when the point's kind, its
    chunk id or its labels contradict the rest of it.
    """

    point_id: str
    attributes: Attributes
    text: str
    model: str
    dimension: int
    well_formed: bool = True


@dataclass(frozen=True, slots=True)
class HeldHead:
    """A head as it is stored, under the id that it has."""

    point_id: str
    head: Head


Held: TypeAlias = HeldPassage | HeldHead
