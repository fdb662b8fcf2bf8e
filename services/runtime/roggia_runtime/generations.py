"""Index generations: which one serves a knowledge base, which ones are kept in step with the log. Pure.

Every process that reads `index.generation` decides by these functions, so all of them decide alike. Rows are STATE
sides. The *baseline* is the generation that the embedder's own settings name: it serves wherever nothing else does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from roggia_schemas.events import GenerationSide, GenerationState, IndexGeneration

FOLLOWING = frozenset(
    {GenerationState.FILLING, GenerationState.SHADOW, GenerationState.LIVE, GenerationState.ROLLED_BACK}
)
"""States in which a generation follows the log: one that was rolled back or overtaken loses nothing until retired."""
_EVERYTHING = 100.0


def states(rows: Iterable[IndexGeneration]) -> list[IndexGeneration]:
    """The STATE sides among rows, by number."""
    found = (row for row in rows if row.side is GenerationSide.STATE)
    return sorted(found, key=lambda row: row.generation)


def holds(selection: Sequence[str], tenant_id: str, domain: str) -> bool:
    """Whether a selection holds a knowledge base: an empty one holds all, `tenant/*` all of a tenant."""
    return not selection or f"{tenant_id}/{domain}" in selection or f"{tenant_id}/*" in selection


def serving(rows: Iterable[IndexGeneration], tenant_id: str, domain: str, baseline: int) -> int:
    """Number of the generation that readers of a knowledge base get: of those that are LIVE and hold it, the one whose
    cutover was last; the baseline where there is none."""
    live = [
        row for row in states(rows) if row.state is GenerationState.LIVE and holds(row.selection, tenant_id, domain)
    ]
    return max(live, key=lambda row: (row.cutover, row.generation)).generation if live else baseline


def following(rows: Iterable[IndexGeneration], baseline: int) -> frozenset[int]:
    """Numbers of the generations that embed and upsert keep in step with the log."""
    known = {row.generation: row.state for row in states(rows)}
    found = {number for number, state in known.items() if state in FOLLOWING}
    return frozenset(found | ({baseline} if baseline not in known else set()))


def retired(rows: Iterable[IndexGeneration]) -> frozenset[int]:
    """Numbers of the generations whose collections may go."""
    return frozenset(row.generation for row in states(rows) if row.state is GenerationState.RETIRED)


def canary(rows: Iterable[IndexGeneration], tenant_id: str, domain: str, query: str) -> int | None:
    """Number of the generation that answers this query as a canary, or None.

    The same tenant and query are always answered by the same one while its percentage stands: SHA-256 over both is
    uniform enough that `percent` of all queries fall below it.
    """
    for row in states(rows):
        asked = row.state is GenerationState.SHADOW and row.canary > 0 and holds(row.selection, tenant_id, domain)
        if asked and _share(row.generation, tenant_id, query) < row.canary:
            return row.generation
    return None


def shadow(
    rows: Iterable[IndexGeneration], tenant_id: str, domain: str, *, filling: bool = False
) -> IndexGeneration | None:
    """The generation that searches of a knowledge base are asked of as well, unseen: the newest in SHADOW that holds it
    (with `filling`, one in FILLING too, which knows a part only); None where there is none."""
    asked = {GenerationState.SHADOW, *((GenerationState.FILLING,) if filling else ())}
    found = [row for row in states(rows) if row.state in asked and holds(row.selection, tenant_id, domain)]
    return found[-1] if found else None


def sampled(tenant_id: str, query: str, percent: float) -> bool:
    """Whether a search is in a sample of `percent`: always or never for the same tenant and query, whichever generation
    is in the shadow, and independent of who answers as a canary."""
    return _uniform(f"shadow\0{tenant_id}\0{query}") < percent


def _share(generation: int, tenant_id: str, query: str) -> float:
    return _uniform(f"{generation}\0{tenant_id}\0{query}")


def _uniform(text: str) -> float:
    """0 up to, not including, 100."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64 * _EVERYTHING
