"""What each role of Roggia does on Kafka, as ACLs: by the catalogue's producers and consumers, and a little more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from roggia_operator.jobs.client import CHANGES
from roggia_runtime.acls import Acl, Operation, Pattern, Resource
from roggia_schemas import topics
from roggia_schemas.topics import TopicSpec

INGEST, EMBED, UPSERT, QUERY, INDEX = "ingest", "embed", "upsert", "query", "index"
POPULARITY = "popularity"
AUDITOR, LIVE = "auditor", "live"
OPERATOR, OPERATORS = "operator", "operators"
ROLES = (INGEST, EMBED, UPSERT, QUERY, INDEX, POPULARITY, AUDITOR, LIVE, OPERATOR, OPERATORS)
"""`index` is upsert and query in one process; `operators` are the people who use the command line."""

_NAMED = {
    "ingest": (INGEST,),
    "embedder (embed)": (EMBED,),
    "embedder (upsert)": (UPSERT,),
    "embedder (query)": (QUERY,),
    "embedder (popularity)": (POPULARITY,),
    "embedder": (EMBED, UPSERT, QUERY, POPULARITY),
    "auditor": (AUDITOR,),
    "operator": (OPERATOR,),
    "operators": (OPERATORS,),
    "replay jobs": (OPERATOR,),
    "roggia publish": (OPERATORS,),
}
"""Who is meant by a name under `producers` or `consumers`; other names are outside Roggia and get nothing."""

_PREFIXES = {
    INGEST: "roggia.ingest",
    EMBED: "roggia.embed.",
    UPSERT: "roggia.upsert.",
    POPULARITY: "roggia.popularity",
    AUDITOR: "roggia.auditor",
    LIVE: "roggia.live",
    OPERATOR: "roggia.operator",
}
"""How a role's consumer groups begin, and its transactional ids."""

_EVERY_GROUP = "roggia."


class Kind(Enum):
    """Which of the topics that belong together."""

    LIVE = auto()
    LANE = auto()
    """The replay lane of a live topic."""
    DEAD = auto()
    """Dead letters, of a live topic and of its lane."""


@dataclass(frozen=True, slots=True)
class Also:
    """What a role does beyond the catalogue's lists: an operation on topics of one kind, of all generations."""

    role: str
    operation: Operation
    topic: str
    kind: Kind
    why: str


_ASKS = "Kafka wants READ from an owner that asks whether a transaction of its own hangs open there"
ALSO = (
    Also(INGEST, Operation.WRITE, "doc.chunked", Kind.LANE, "a replay into another collection stays in lanes"),
    Also(INGEST, Operation.READ, "doc.chunked", Kind.LIVE, _ASKS),
    Also(INGEST, Operation.READ, "doc.chunked", Kind.LANE, _ASKS),
    Also(INGEST, Operation.READ, "doc.changed", Kind.DEAD, _ASKS),
    Also(EMBED, Operation.WRITE, "doc.embedded", Kind.LANE, "answers records of a lane on a lane"),
    Also(UPSERT, Operation.READ, "doc.chunked", Kind.LIVE, "verification compares the index with the corpus"),
    Also(LIVE, Operation.READ, "inference.completed", Kind.LIVE, "views of the last hour; it writes nothing"),
    Also(OPERATOR, Operation.WRITE, "doc.changed", Kind.LIVE, "offboarding deletes a tenant's documents"),
    Also(OPERATOR, Operation.WRITE, "tenant.config", Kind.LIVE, "offboarding says when a tenant is gone"),
    Also(OPERATORS, Operation.WRITE, "doc.", Kind.LANE, "repairs by hand"),
)


def acls(role: str, principal: str, specs: Sequence[TopicSpec]) -> set[Acl]:
    """Everything that `principal` needs to be `role` on these topics, and nothing more."""
    if role == INDEX:
        return acls(UPSERT, principal, specs) | acls(QUERY, principal, specs)
    found = {
        Acl(principal, Resource.TOPIC, spec.name, operation) for spec in specs for operation in _operations(role, spec)
    }
    return found | set(_beyond_topics(role, principal))


def publisher(principal: str) -> set[Acl]:
    """What a system outside Roggia needs to publish documents."""
    return {Acl(principal, Resource.TOPIC, topics.DOC_CHANGED, Operation.WRITE)}


def consumer(principal: str, names: Sequence[str], group: str) -> set[Acl]:
    """What a system outside Roggia needs to read topics in groups whose names begin with `group`."""
    read = {Acl(principal, Resource.TOPIC, name, Operation.READ) for name in names}
    return read | {Acl(principal, Resource.GROUP, group, Operation.READ, Pattern.PREFIXED)}


def _operations(role: str, spec: TopicSpec) -> Iterator[Operation]:
    if role in _roles(spec.producers):
        yield Operation.WRITE
    if role in _roles(spec.consumers):
        yield Operation.READ
    if role in (OPERATOR, OPERATORS):
        yield from (Operation.READ, Operation.DESCRIBE_CONFIGS)
    yield from (also.operation for also in ALSO if also.role == role and _concerns(also, spec.name))


def _concerns(also: Also, name: str) -> bool:
    return _kind(name) is also.kind and name.startswith(also.topic)


def _kind(name: str) -> Kind:
    live = topics.base(name)
    if name == live:
        return Kind.LIVE
    return Kind.LANE if name == topics.replay(live) else Kind.DEAD


def _roles(names: Sequence[str]) -> set[str]:
    return {role for name in names for role in _NAMED.get(name, ())}


def _beyond_topics(role: str, principal: str) -> Iterator[Acl]:
    prefix = _PREFIXES.get(role)
    if prefix is not None:
        yield Acl(principal, Resource.GROUP, prefix, Operation.READ, Pattern.PREFIXED)
    if role in (INGEST, AUDITOR, OPERATOR):
        ids = _PREFIXES[role]
        yield Acl(principal, Resource.TRANSACTIONAL_ID, ids, Operation.WRITE, Pattern.PREFIXED)
    if role in (OPERATOR, OPERATORS):
        yield Acl(principal, Resource.GROUP, _EVERY_GROUP, Operation.DESCRIBE, Pattern.PREFIXED)
    if role == OPERATORS:  # who changes a job keeps others from changing it in between; `topics plan` reads the ACLs
        yield Acl(principal, Resource.TRANSACTIONAL_ID, CHANGES, Operation.WRITE)
        yield Acl(principal, Resource.CLUSTER, "kafka-cluster", Operation.DESCRIBE)
