"""Topics as the catalogue says against what Kafka has: the plan, its carrying out, and a list of what exists."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from roggia_operator.generations.adapters.kafka_ground import specs_of
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.topic_changes import Action, Change, by_hand, changes
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError
from roggia_schemas.topics import TopicSpec


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """How Kafka differs from `specs`, the catalogue's rows.

    `unknown` topics and settings made `by_hand` (by topic) are told, never touched.
    """

    changes: tuple[Change, ...]
    specs: tuple[TopicSpec, ...] = ()
    unknown: tuple[str, ...] = ()
    by_hand: Mapping[str, Mapping[str, str]] | None = None

    @property
    def conflicts(self) -> tuple[Change, ...]:
        """What cannot be done at all."""
        return tuple(change for change in self.changes if change.action is Action.CONFLICT)


async def plan_topics(settings: KafkaSettings, generations: Collection[int] = ()) -> TopicPlan:
    """Compare, and change nothing. `generations` are index generations whose topics may not exist yet."""
    async with TopicAdmin(settings) as admin:
        names = await admin.topics()
        specs = wanted({*names, *of_generations(generations)})
        existing = await admin.existing({spec.name for spec in specs})
    unknown = tuple(name for name in names if owner(name) == "?")
    return TopicPlan(tuple(changes(specs, existing)), tuple(specs), unknown, by_hand(specs, existing))


async def apply_topics(
    settings: KafkaSettings, *, confirmed: Collection[str] = (), generations: Collection[int] = ()
) -> list[Change]:
    """Bring Kafka into line with the catalogue; every difference that there was, also those that were left.

    Left are conflicts, and what could lose data in topics that are not `confirmed`.
    """
    async with TopicAdmin(settings) as admin:
        return await admin.apply(wanted({*await admin.topics(), *of_generations(generations)}), confirmed=confirmed)


def wanted(existing: Collection[str]) -> list[TopicSpec]:
    """The catalogue's topics, with those of later generations that exist already."""
    first = topics.catalogue()
    named = {spec.name for spec in first}
    later = [name for name in existing if name not in named and owner(name) != "?"]
    return [*first, *map(topics.spec, sorted(later))]


def of_generations(numbers: Collection[int]) -> list[str]:
    """Names of the topics of index generations. Raises `InvalidNameError`."""
    return [spec.name for number in sorted(numbers) for spec in specs_of(number)]


async def list_topics(settings: KafkaSettings) -> list[dict[str, Any]]:
    """Every topic with its partitions, the offsets that it spans, and its owner by the catalogue."""
    async with TopicAdmin(settings) as admin:
        return [await _row(admin, topic.name, topic.partitions) for topic in await admin.list()]


async def _row(admin: TopicAdmin, name: str, partitions: int) -> dict[str, Any]:
    first, end = await admin.beginning_offsets(name), await admin.end_offsets(name)
    spanned = sum(end[number] - first[number] for number in end)
    return {"topic": name, "partitions": partitions, "offsets": spanned, "owner": owner(name)}


def owner(topic: str) -> str:
    """Who owns a topic by the catalogue; `?` for a topic that is not in it."""
    try:
        return topics.spec(topic).owner
    except SchemasError:
        return "?"
