"""Composition of the service: settings in, a `Service` out. The only module that knows every part."""

from __future__ import annotations

from roggia_runtime.codec import EventCodec
from roggia_runtime.service import Service

from roggia_operator.settings import OperatorSettings

NAME = "operator"
SOURCE = "/roggia/operator"
"""CloudEvents source of what the operator publishes."""


def build(settings: OperatorSettings) -> Service:
    """The service, not yet started."""
    service = Service(NAME, settings)
    codec = EventCodec(settings.registry, source=SOURCE, register=settings.environment == "development")
    service.on_start(codec.start)
    service.on_stop(codec.stop)
    return service
