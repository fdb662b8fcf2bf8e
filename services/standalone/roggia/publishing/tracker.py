"""Which publications are searchable by now, which failed, which are under way. Pure: knows events, not Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from roggia_schemas.events import DocUpserted


@dataclass(frozen=True, slots=True)
class Failure:
    """A publication that went to a dead letter queue instead of the index."""

    doc_id: str
    reason: str


@dataclass(slots=True)
class Tracker:
    """Follows one tenant's publications from `doc.changed` to `doc.upserted`.

    A publication is settled when the index that readers have, that of `generation`, holds its revision or a later one,
    or when a dead letter names it. Events of other documents, tenants, generations and older revisions change nothing.
    """

    tenant: str
    generation: int
    waiting: dict[str, int] = field(default_factory=dict)
    indexed: dict[str, DocUpserted] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)

    def expect(self, doc_id: str, revision: int) -> None:
        """A publication was acknowledged by Kafka: from now on it is waited for."""
        self.waiting[doc_id] = revision

    def upserted(self, event: DocUpserted) -> None:
        """The index acknowledged a revision."""
        wanted = self.waiting.get(event.doc_id)
        ours = (event.tenant_id, event.generation) == (self.tenant, self.generation)
        if not ours or wanted is None or event.revision < wanted:
            return
        del self.waiting[event.doc_id]
        self.indexed[event.doc_id] = event

    def dead_letter(self, key: bytes | None, headers: Mapping[str, str]) -> None:
        """A record of any stage went to a dead letter queue."""
        tenant, _, doc_id = (key or b"").decode(errors="replace").partition("/")
        if tenant == self.tenant and self.waiting.pop(doc_id, None) is not None:
            self.failed.append(Failure(doc_id, headers.get("__dlq.errors.message", "no reason given")))

    @property
    def settled(self) -> int:
        """Publications that reached their end."""
        return len(self.indexed) + len(self.failed)

    @property
    def chunks(self) -> int:
        """Chunks of the documents indexed so far."""
        return sum(event.chunks for event in self.indexed.values())
