"""What must come of a log of doc.changed: computed from its records, by rules that are written here once more.

Independent of ingest's own rules on purpose: a document's records lie in one partition, so folding them in offset order
says which versions exist, which one is the newest, and what it says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from roggia_runtime import replay
from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Record
from roggia_schemas.events import DocChanged, Operation
from roggia_schemas.names import Version, parse_document_key

from tests.support.bad_events import BadEvent

Key = tuple[str, str]
Bytes = tuple[bytes | None, bytes | None]


@dataclass(frozen=True, slots=True)
class State:
    """A document after one accepted record. `event` is its newest change, which a null or an expiry has ended."""

    version: Version
    deleted: bool
    domain: str
    left: frozenset[str]
    event: DocChanged


@dataclass(slots=True)
class Expected:
    """What the log demands.

    `accepted` are versions that must be on doc.chunked, in this order; `perhaps` those that may stand between them
    (the expiry of a document that was changed again before anybody looked). `letters` counts bad records by bytes.
    """

    final: dict[Key, State] = field(default_factory=dict)
    accepted: dict[Key, list[Version]] = field(default_factory=lambda: defaultdict(list))
    perhaps: dict[Key, set[Version]] = field(default_factory=lambda: defaultdict(set))
    letters: Counter[Bytes] = field(default_factory=Counter)
    asked: Counter[tuple[Key, int | None]] = field(default_factory=Counter)
    """How often a lane asked to show a revision again; None: a Kafka null in the lane, which shows any deletion."""
    renewed: Counter[Key] = field(default_factory=Counter)
    """How often a lane asked for a new epoch."""
    lane_letters: Counter[Bytes] = field(default_factory=Counter)
    records: int = 0


async def expected(records: Iterable[Record], fates: Mapping[Bytes, BadEvent], codec: EventCodec) -> Expected:
    """Fold the records of doc.changed, each partition in offset order."""
    found = Expected()
    for record in records:
        found.records += 1
        fate = fates.get((record.key, record.value))
        if fate is not None:
            found.letters[record.key, record.value] += 1
            continue
        await _fold(found, record, codec)
    for key, state in list(found.final.items()):
        if _expires(state):
            _accept(found, key, _ended(state))
    return found


async def lane(found: Expected, records: Iterable[Record], fates: Mapping[Bytes, BadEvent], codec: EventCodec) -> None:
    """Add what doc.changed.replay allows: it never makes another newest revision, but may show one again."""
    for record in records:
        found.records += 1
        if (record.key, record.value) in fates:
            found.lane_letters[record.key, record.value] += 1
            continue
        key = parse_document_key(record.key)
        revision = None if record.value is None else (await codec.decode(DocChanged, record)).revision
        found.asked[key, revision] += 1
        found.renewed[key] += replay.renewed(record.headers)


def seen(found: Expected, key: Key, newest: Version) -> None:
    """Take the epoch of a renewed document from doc.chunked: how many renewals met the newest state is chance."""
    state = found.final.get(key)
    if state is None or not found.renewed[key] or newest.revision != state.version.revision:
        return
    if state.version.epoch <= newest.epoch <= state.version.epoch + found.renewed[key]:
        found.final[key] = replace(state, version=newest)


async def _fold(found: Expected, record: Record, codec: EventCodec) -> None:
    key = parse_document_key(record.key)
    held = found.final.get(key)
    if record.value is None:
        if held is not None and not held.deleted:
            _accept(found, key, _ended(held))
        return
    event = await codec.decode(DocChanged, record)
    if held is not None and event.revision <= held.version.revision:
        return
    if held is not None and _expires(held):
        found.perhaps[key].add(_ended(held).version)
    left = frozenset() if held is None else (held.left | {held.domain}) - {event.domain}
    deleted = event.operation is Operation.DELETE
    _accept(found, key, State(Version(event.revision), deleted, event.domain, left, event))


def _accept(found: Expected, key: Key, state: State) -> None:
    found.final[key] = state
    found.accepted[key].append(state.version)


def _expires(state: State) -> bool:
    """Expiries of these workloads have always come."""
    return not state.deleted and state.event.expires_at is not None


def _ended(state: State) -> State:
    version = Version(state.version.revision, state.version.epoch + 1)
    return State(version, True, state.domain, state.left, state.event)
