"""Composition of the live views: settings in, a `Service` out."""

from __future__ import annotations

from typing import Final

from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.faust_worker import FaustWorker, Hooks, Reading
from roggia_runtime.group_ends import skip_to_end
from roggia_runtime.service import Service
from roggia_schemas.topics import INFERENCE_COMPLETED

from roggia_auditor.live import metrics
from roggia_auditor.live.api import LiveApi
from roggia_auditor.live.history import KafkaHistory
from roggia_auditor.live.intake import Intake
from roggia_auditor.live.settings import LiveSettings
from roggia_auditor.live.views import Views

NAME: Final = "live"
GROUP: Final = "roggia.live"
"""Consumer group, which is the Faust app's id."""
READING: Final = Reading(NAME, GROUP, INFERENCE_COMPLETED, "live")


def build(settings: LiveSettings) -> Service:
    """The service, not yet started. It writes nothing but its group's offsets."""
    options = settings.live
    codec = EventCodec(settings.registry, source="/roggia/auditor/live")
    views = Views(options.most_series)
    intake = Intake(views, codec, KafkaHistory(settings.kafka, now_ms))
    api = LiveApi(views, now_ms, options.token, settings.http.host)
    service = Service(NAME, settings, routes=api.routes())
    service.on_start(codec.start)
    service.on_stop(codec.stop)

    async def from_the_end() -> None:
        # What lies before is read as the last hour's history: a group that was away for long must not read it all.
        intake.begin_anew()
        await skip_to_end(settings.kafka, GROUP, INFERENCE_COMPLETED)

    hooks = Hooks(intake.take, intake.assigned, prepare=from_the_end, restarted=metrics.RESTARTS.inc)
    service.add(FaustWorker(settings.kafka, READING, hooks), intake)
    return service
