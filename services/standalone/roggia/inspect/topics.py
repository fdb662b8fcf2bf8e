"""Make topics as the catalogue says, and list what exists."""

from __future__ import annotations

from typing import Any

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.settings import KafkaSettings
from roggia_runtime.topic_changes import Change
from roggia_schemas import topics
from roggia_schemas.errors import SchemasError


async def apply_topics(settings: KafkaSettings, *, dry_run: bool = False) -> list[Change]:
    """Bring Kafka into line with the catalogue; what was (or would be) done, conflicts among it."""
    async with TopicAdmin(settings) as admin:
        return await admin.apply(topics.catalogue(), dry_run=dry_run)


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
