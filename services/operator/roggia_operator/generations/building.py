"""The controller as a service runs it: its ports filled with Kafka, the query role and files."""

from __future__ import annotations

from functools import partial

from roggia_runtime.codec import EventCodec
from roggia_runtime.leadership import Leader
from roggia_runtime.settings import ServiceSettings
from roggia_schemas import topics

from roggia_operator.evaluation.adapters.query_api import QueryApi
from roggia_operator.evaluation.golden.reading import read
from roggia_operator.generations.adapters.golden_probe import GoldenProbe, NoProbe
from roggia_operator.generations.adapters.index_service import IndexService
from roggia_operator.generations.adapters.kafka_ground import KafkaGround
from roggia_operator.generations.adapters.kafka_lag import KafkaLag
from roggia_operator.generations.adapters.kafka_leftovers import KafkaLeftovers
from roggia_operator.generations.adapters.query_metrics import QueryMetrics
from roggia_operator.generations.adapters.report_files import ReportFiles
from roggia_operator.generations.controller import ROLE, Controller
from roggia_operator.generations.ports import Gate, Ports, Probe
from roggia_operator.generations.settings import GenerationOptions


def leader(
    settings: ServiceSettings, options: GenerationOptions, codec: EventCodec, index_url: str, gate: Gate | None = None
) -> Leader:
    """The worker that moves generations while this instance leads. `gate` keeps reports, by default as files."""
    development = settings.environment == "development"
    ports = Ports(
        grounds=KafkaGround(settings.kafka, settings.registry, codec, register=development),
        lag=KafkaLag(settings.kafka),
        coverage=IndexService(index_url),
        gate=gate or ReportFiles(options.reports),
        served=QueryMetrics(options.urls),
        probe=probe(options),
        leftovers=KafkaLeftovers(settings.kafka, index_url),
    )
    controller = Controller(settings.kafka, codec, ports, options.rules, options.limits)
    return Leader(settings.kafka, ROLE, topics.INDEX_GENERATION, controller.lead)


def probe(options: GenerationOptions) -> Probe:
    """What the settings name. Reads the golden set now. Raises `GoldenSetError`, which stops the service."""
    if options.probe is None:
        return NoProbe()
    return GoldenProbe(partial(QueryApi, options.probe_url), read(options.probe).queries, options.probe_drop)
