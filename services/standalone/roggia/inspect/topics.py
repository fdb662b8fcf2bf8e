"""Make topics as the catalogue says, and compare what exists with it."""

from __future__ import annotations

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.settings import KafkaSettings
from roggia_schemas import topics


async def apply_topics(settings: KafkaSettings, *, dry_run: bool = False) -> list[str]:
    """Create every topic of the catalogue that is missing; lines that say what was (or would be) done."""
    async with TopicAdmin(settings) as admin:
        return [str(change) for change in await admin.apply(topics.catalogue(), dry_run=dry_run)]
