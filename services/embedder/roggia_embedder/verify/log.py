"""The log of chunk sets, as verification reads it: without a group, up to fixed ends, committed records alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol, TypeAlias

from roggia_embedder.verify.rows import Expected

Offsets: TypeAlias = Mapping[int, int]
"""Offset by partition."""
Wants: TypeAlias = Callable[[str, str], bool]
"""Whether a document, by tenant and id, is asked for: the others are not decoded."""


class SettledLog(Protocol):
    """One `doc.chunked.c<K>`. Raises `UnavailableError` when Kafka does not answer."""

    topic: str
    """Its name."""
    unreadable: int
    """Records so far from which nothing could be read: the embed role refused them too."""

    async def ends(self) -> Offsets:
        """Offsets after the last committed record, now."""
        ...

    def read(self, starts: Offsets, ends: Offsets, wants: Wants) -> AsyncIterator[Expected]:
        """Records from `starts` (a partition that is not named: from its oldest) to before `ends`, in log order."""
        ...

    async def settled(self) -> Offsets:
        """Offsets below which every record has been through embed and upsert: the index shows it, or never will."""
        ...
