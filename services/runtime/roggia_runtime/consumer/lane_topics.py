"""Which lanes can be read. A cluster that was set up before there were lanes must not stop a service."""

from __future__ import annotations

from collections.abc import Sequence

from roggia_schemas import topics

from roggia_runtime.admin import TopicAdmin
from roggia_runtime.settings import KafkaSettings


async def unreadable(settings: KafkaSettings, lanes: Sequence[str]) -> dict[str, str]:
    """Lanes that cannot be read, with the reason and the remedy.

    A lane needs as many partitions as its live topic: then one member owns equal numbers of both, and a document's
    records of both. Raises `UnavailableError` and `AdminError`.
    """
    found = {topic.name: topic.partitions for topic in await TopicAdmin(settings).list()}
    reasons: dict[str, str] = {}
    for lane in lanes:
        wanted = found.get(topics.base(lane))
        if lane not in found:
            reasons[lane] = "the topic does not exist; run `roggia topics apply`"
        elif wanted is not None and wanted != found[lane]:
            reasons[lane] = (
                f"it has {found[lane]} partitions, its live topic {wanted}; make them equal: `roggia topics apply`"
            )
    return reasons
