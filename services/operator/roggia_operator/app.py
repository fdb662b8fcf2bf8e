"""Composition of the service: settings in, a `Service` out. The only module that knows every part."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.leadership import Leader
from roggia_runtime.service import Service
from roggia_runtime.tables import Table
from roggia_schemas import topics
from roggia_schemas.events import IndexGeneration

from roggia_operator.console.app import application
from roggia_operator.console.audit import Audit
from roggia_operator.console.index import Index
from roggia_operator.console.live import Live
from roggia_operator.console.live_actions import LiveActions
from roggia_operator.console.live_generations import GenerationActions
from roggia_operator.console.live_jobs import JobActions
from roggia_operator.console.live_letters import LetterActions
from roggia_operator.console.live_views import LiveViews
from roggia_operator.console.role import add_console
from roggia_operator.dlq.runner import RedriveRunner
from roggia_operator.generations import building
from roggia_operator.generations.adapters.report_files import ReportFiles
from roggia_operator.generations.client import GenerationClient
from roggia_operator.generations.foretelling import with_baseline
from roggia_operator.generations.waiting import aside, awaited, unhurried
from roggia_operator.jobs.keeper import ROLE, Keeper
from roggia_operator.jobs.running import Runner
from roggia_operator.lag.monitor import Monitor
from roggia_operator.lag.routes import routes as lag_routes
from roggia_operator.models import role as models
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_operator.models.baseline import BaselineModel
from roggia_operator.models.generation_records import RecordStandings, RecordWishes, RegistryGate
from roggia_operator.replay.downstream import LagProbe
from roggia_operator.replay.pressure import Watch
from roggia_operator.replay.runner import ReplayRunner
from roggia_operator.replay.throttle import Limits
from roggia_operator.settings import OperatorOptions, OperatorSettings
from roggia_operator.tenants.offboarding import OffboardRunner

NAME = "operator"
SOURCE = "/roggia/operator"
"""CloudEvents source of what the operator publishes."""


def build(settings: OperatorSettings) -> Service:
    """The service, not yet started."""
    codec = EventCodec(settings.registry, source=SOURCE, register=settings.environment == "development")
    options = settings.operator
    records = Table(settings.kafka, codec, topics.INDEX_GENERATION, IndexGeneration)
    number = settings.generations.baseline
    monitor = Monitor(
        settings.kafka, codec, every_s=options.lag_every_s, window_s=options.lag_window_s,
        aside=lambda: aside(records.rows.values()),
        awaited=lambda event: awaited(records.rows.values(), number, event),
    )  # fmt: skip
    client = GenerationClient(settings.kafka, codec, number)
    baseline = BaselineModel(Index(settings.console.index_url).collections, number)
    standings = RecordStandings(records, number, lambda: baseline.fingerprint)
    registered = models.build(settings.models, standings, RecordWishes(client))
    service = Service(NAME, settings, routes=[*lag_routes(monitor), *registered.routes])
    service.on_start(codec.start, records.start)
    service.on_stop(codec.stop, client.stop)
    gate = RegistryGate(MlflowRegistry(settings.models.uri), ReportFiles(settings.generations.reports))
    generations = building.leader(settings, settings.generations, codec, settings.console.index_url, gate)
    service.add(monitor, records, jobs(settings, codec, lambda: unhurried(records.rows.values())), generations)
    service.add(registered.poller, baseline)
    records.tell(lambda *_: registered.poller.wake())
    _add_console(service, settings, codec, monitor, records, client)
    return service


def _add_console(
    service: Service,
    settings: OperatorSettings,
    codec: EventCodec,
    monitor: Monitor,
    records: Table[IndexGeneration],
    client: GenerationClient,
) -> None:
    number, index = settings.generations.baseline, Index(settings.console.index_url)
    looking = Live(
        settings.kafka, codec, monitor, index, settings.operator.objective_s,
        lambda: with_baseline(records.rows.values(), number, now_ms()), number,
    )  # fmt: skip
    actions = LiveActions(
        JobActions(settings.kafka, codec),
        LetterActions(settings.kafka, codec),
        GenerationActions(client, settings.generations.rules),
    )
    console = settings.console
    live = None if console.live_url is None else LiveViews(console.live_url, console.live_token)
    audit = Audit(console.audit_url, console.audit_token, live)
    add_console(service, application(looking, actions, audit, settings.console.access), settings.console)


def jobs(settings: OperatorSettings, codec: EventCodec, aside: Callable[[], Collection[str]] = frozenset) -> Leader:
    """The worker that runs jobs while this instance leads. Every kind of job has its runner here.

    Jobs make way for every group but those that `aside` names.
    """
    watch = Watch(
        partial(LagProbe, settings.kafka, aside), partial(limits_of, settings.operator), settings.operator.replay_look_s
    )
    runners: list[Runner] = [
        ReplayRunner(settings.kafka, codec, watch, settings.operator.replay_quota_bytes),
        RedriveRunner(settings.kafka, codec),
        OffboardRunner(settings.kafka, codec),
    ]
    keeper = Keeper(settings.kafka, codec, runners)
    return Leader(settings.kafka, ROLE, topics.OPS_JOB, keeper.lead)


def limits_of(options: OperatorOptions, topic: str) -> Limits:
    """How a backfill over `topic` is throttled: ingest answers its lane on a live topic, so that window is smaller."""
    live_next = topic == topics.DOC_CHANGED
    window = options.replay_live_window if live_next else options.replay_window
    return Limits(options.objective_s, window, options.replay_least)
