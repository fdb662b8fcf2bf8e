"""What an operator should know before a replay begins. `warnings` is pure; `facts` asks Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.tables import Table
from roggia_schemas import topics
from roggia_schemas.events import TenantConfig, TenantStatus

from roggia_operator.errors import SelectionError
from roggia_operator.jobs.table import read
from roggia_operator.replay import selection as selections
from roggia_operator.replay.selection import Selection
from roggia_operator.replay.survey import Found

_HOUR_S = 3600
_NEVER = -1


@dataclass(frozen=True, slots=True)
class Facts:
    """What Kafka says now. `configs`: settings by topic; a topic that is missing does not exist.

    `tenants`: how those stand that tenant.config knows. `running`: ids of other open jobs that may send the same
    documents.
    """

    configs: Mapping[str, Mapping[str, str]]
    tenants: Mapping[str, TenantStatus]
    running: Sequence[str]
    now_ms: int


async def facts(kafka: KafkaSettings, codec: EventCodec, selection: Selection) -> Facts:
    """Ask for it. Raises `UnavailableError`, `AdminError`."""
    async with TopicAdmin(kafka) as admin:
        known = await admin.topics()
        found = await admin.existing((selection.topic, topics.replay(selection.topic)))
    table, _ = await read(kafka, codec) if topics.OPS_JOB in known else ((), 0)
    running = [job.job_id for job in table if job.wanted and not job.ended and overlaps(selection, job.wanted.spec)]
    tenants = Table(kafka, codec, topics.TENANT_CONFIG, TenantConfig)
    await tenants.start()
    statuses = {name: one.status for name, one in tenants.rows.items()}
    return Facts({name: one.config for name, one in found.items()}, statuses, running, now_ms())


def overlaps(selection: Selection, spec: str) -> bool:
    """Whether an open job may send documents of `selection`: not proven, but not excluded by topic, tenant and ids."""
    try:
        other = selections.from_json(spec)
    except SelectionError:
        return False
    if selection.topic != other.topic or (selection.tenant and other.tenant and selection.tenant != other.tenant):
        return False
    if selection.domain and other.domain and selection.domain != other.domain:
        return False
    both = selection.documents and other.documents
    return not both or not set(selection.documents).isdisjoint(other.documents)


def warnings(selection: Selection, found: Found, lost: Sequence[str], known: Facts, seconds: float | None) -> list[str]:
    """In one line each, the gravest first."""
    return [
        *_lane(selection, known),
        *_gone(selection, found, known),
        *_range(lost, found),
        *_owners(selection, found, known),
        *_time(selection, found, known, seconds or 0.0),
        *(f"job {other} is open and may send the same documents" for other in known.running),
    ]


def _lane(selection: Selection, known: Facts) -> Iterator[str]:
    lane = topics.replay(selection.topic)
    if lane not in known.configs:
        yield f"the lane {lane} does not exist: the job will fail; create it (roggia topics apply)"


def _gone(selection: Selection, found: Found, known: Facts) -> Iterator[str]:
    named = {selection.tenant, *(key.partition("/")[0] for key in selection.documents)}
    meant = named | {key.partition(b"/")[0].decode(errors="replace") for key in found.keys}
    for name in sorted(meant):
        status = known.tenants.get(name, TenantStatus.ACTIVE)
        if status is not TenantStatus.ACTIVE:
            yield (
                f"tenant {name!r} is {status.value}: every stage drops its records, so nothing of it comes back until "
                f"it is brought back (roggia tenants apply FILE --reactivate {name})"
            )


def _range(lost: Sequence[str], found: Found) -> Iterator[str]:
    if lost:
        yield f"the topic no longer holds {', '.join(lost)}"
    if found.overtaken:
        count = found.overtaken
        yield f"{count:,} documents have a newer version outside the selection: what is sent of them is dropped"
    if found.newer and found.newer.found.low:
        count = found.newer.found.low
        yield (
            f"{count:,} or more of the {found.newer.documents:,} documents looked at have a newer version outside the "
            "selection: what is sent of them is dropped"
        )
    if found.unreadable:
        yield f"{found.unreadable:,} records cannot be read: they will go to the dead letters again"


def _owners(selection: Selection, found: Found, known: Facts) -> Iterator[str]:
    if selection.tenant and not found.keys and selection.domain:
        yield f"no record of tenant {selection.tenant!r} in domain {selection.domain!r} was found: check both names"
    elif selection.tenant and not found.keys and selection.tenant not in known.tenants:
        yield f"no record of tenant {selection.tenant!r} was found, and tenant.config does not have it: check the name"
    if selection.documents and found.records.exact:
        absent = len(selection.documents) - len(found.keys)
        if absent:
            yield f"{absent:,} of {len(selection.documents):,} documents have no record in the selection"


def _time(selection: Selection, found: Found, known: Facts, seconds: float) -> Iterator[str]:
    source, lane = selection.topic, topics.replay(selection.topic)
    config = known.configs.get(source, {})
    if "compact" in config.get("cleanup.policy", ""):
        kept = int(config.get("delete.retention.ms", _NEVER))
        if 0 <= kept < seconds * 1000:
            yield f"the job takes {_hours(seconds)}, {source} keeps deletions {_hours(kept / 1000)}: some may vanish"
    if "delete" in config.get("cleanup.policy", "") and found.oldest_ms is not None:
        kept = int(config.get("retention.ms", _NEVER))
        if 0 <= kept < known.now_ms - found.oldest_ms + seconds * 1000:
            yield f"retention of {source} ({_hours(kept / 1000)}) will remove records before the job has read them"
    kept = int(known.configs.get(lane, {}).get("retention.ms", _NEVER))
    if 0 <= kept < seconds * 1000:
        yield f"the job takes {_hours(seconds)}, its lane keeps records for {_hours(kept / 1000)}"


def _hours(seconds: float) -> str:
    return f"{seconds / _HOUR_S:,.1f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:,.1f} d"
