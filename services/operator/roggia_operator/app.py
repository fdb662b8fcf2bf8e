"""Composition of the service: settings in, a `Service` out. The only module that knows every part."""

from __future__ import annotations

from roggia_runtime.codec import EventCodec
from roggia_runtime.service import Service

from roggia_operator.lag.monitor import Monitor
from roggia_operator.lag.routes import routes as lag_routes
from roggia_operator.settings import OperatorSettings

NAME = "operator"
SOURCE = "/roggia/operator"
"""CloudEvents source of what the operator publishes."""


def build(settings: OperatorSettings) -> Service:
    """The service, not yet started."""
    codec = EventCodec(settings.registry, source=SOURCE, register=settings.environment == "development")
    options = settings.operator
    monitor = Monitor(settings.kafka, codec, every_s=options.lag_every_s, window_s=options.lag_window_s)
    service = Service(NAME, settings, routes=lag_routes(monitor))
    service.on_start(codec.start)
    service.on_stop(codec.stop)
    service.add(monitor)
    return service
