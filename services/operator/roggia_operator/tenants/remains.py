"""What is left of a tenant after it was offboarded: where, until when, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import msgspec
from roggia_schemas import topics
from roggia_schemas.topics import TopicSpec

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Remains:
    """One place that still knows the tenant."""

    where: str
    what: str
    until: str
    why: str


def remains(known: list[str]) -> list[Remains]:
    """The places, for the topics that exist."""
    kept = [_topic(topics.spec(name)) for name in known if _ours(name)]
    return [*(one for one in kept if one), *_ELSEWHERE]


def as_json(found: list[Remains]) -> str:
    """For a job's state."""
    return msgspec.json.encode({"remains": [asdict(one) for one in found]}).decode()


def _ours(name: str) -> bool:
    return topics.base(name).startswith(("doc.", "retrieval."))


def _topic(spec: TopicSpec) -> Remains | None:
    days = _days(spec, "retention.ms")
    if spec.name.endswith(".dlq"):
        return Remains(spec.name, "refused records, content included", f"{days} days after each came", "to be redriven")
    if topics.base(spec.name) != spec.name:
        return Remains(
            spec.name, "records sent again", f"{days} days after each was sent", "they are dropped when read"
        )
    if spec.config["cleanup.policy"] != "compact":
        return Remains(spec.name, _EVENTS.get(spec.event, "events"), f"{days} days after each was written", "retention")
    markers = _days(spec, "delete.retention.ms")
    if spec.event in ("doc.changed", "doc.popularity"):
        what, until = "document ids, as Kafka nulls", f"about {markers} days after compaction"
        return Remains(spec.name, what, until, "compaction needs them to remove what was there")
    what = "document ids and domains, as deletions without content"
    return Remains(spec.name, what, "no end; older chunk sets go at the next compaction", "late events must find them")


def _days(spec: TopicSpec, setting: str) -> int:
    return int(spec.config.get(setting, "0")) // _DAY_MS


_EVENTS = {
    "doc.embedded": "chunks with text and vectors",
    "doc.upserted": "document ids, counts and times",
    "retrieval.served": "document ids and scores; query texts where the tenant opted in",
    "retrieval.shadowed": "document ids, hashes of queries; query texts where the tenant opted in",
}
_ELSEWHERE = (
    Remains("tenant.config, ops.job", "the tenant's name, its settings, this job", "no end", "to say what was done"),
    Remains("backups, snapshots, replicas", "whatever they held", "your own schedule", "Roggia does not know them"),
    Remains(
        "audit log: the ledger, inference.completed, audit.*, usage.adjusted, tenant.usage, tenant.budget",
        "what inferences used and cost: ids, pseudonyms, amounts, no text",
        "the ledger's retention and each topic's own",
        "costs and proofs must stand; `roggia audit erase` destroys payloads",
    ),
    Remains("audit logs of consumers", "what they wrote down", "their own retention", "the law may ask for them"),
)
