"""A Faust app as a worker of a service: a group that reads one topic and hands every record on, for approximations.

What Faust does and does not (measured with 0.15.3 on Apache Kafka 4.3 and on the embedded broker; the design page on
generations says more) decides how it is used here: one agent with concurrency 1 on raw bytes, no `take`, no Faust
table, no exactly-once, topics made by `roggia topics apply` alone. Then, per event:

- doubled: what was handed on in the last commit interval (2.8 s) before a crash or a rebalance is handed on again;
- lost: a record that was in hand when Faust restarts an agent, and whatever its reader keeps in memory alone.

Nothing that must be exact may be read through it: the linter of imports knows who may.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from roggia_runtime import clients
from roggia_runtime.admin import TopicAdmin
from roggia_runtime.consumer.retry import Backoff
from roggia_runtime.consumer.waiting import either
from roggia_runtime.errors import AdminError, ConfigurationError, UnavailableError
from roggia_runtime.records import Record
from roggia_runtime.settings import KafkaSettings

if TYPE_CHECKING:
    import faust

log = structlog.get_logger()
_MS = 1_000
_FLUSH_S = 5.0
"""Longest that a rebalance waits for `leaving` before partitions go."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read: `role` names it in words, `group` is consumer group and app id, `extra` installs Faust."""

    role: str
    group: str
    topic: str
    extra: str


async def _nothing() -> None:
    """The default of what may be done."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the reader is told. `take` gets every record and must not raise; `assigned` gets all partitions held now.

    `prepare` is awaited before every session (it may raise `UnavailableError`), `leaving` before partitions go,
    `restarted` is called after every session that failed.
    """

    take: Callable[[Record], Awaitable[None]]
    assigned: Callable[[Collection[int]], None]
    leaving: Callable[[], Awaitable[object]] = _nothing
    prepare: Callable[[], Awaitable[None]] = _nothing
    restarted: Callable[[], None] = lambda: None


class FaustWorker:
    """A worker of a service. Faust embedded has nobody who watches for its crashes: this does, and starts it anew."""

    def __init__(self, settings: KafkaSettings, reading: Reading, hooks: Hooks) -> None:
        self._settings, self._reading, self._hooks = settings, reading, hooks
        self._stopping = asyncio.Event()
        self._trouble = "starting"

    async def run(self) -> None:
        """Consume until `stop`. Raises `ConfigurationError` where Faust is not installed."""
        backoff = Backoff(self._settings.retry_first_s, self._settings.retry_max_s)
        while not self._stopping.is_set():
            try:
                await self._exists()
                await self._hooks.prepare()
                await self._session()
                backoff = Backoff(self._settings.retry_first_s, self._settings.retry_max_s)
            except ConfigurationError:
                raise
            except Exception as error:  # noqa: BLE001  # Faust passes on whatever crashed it, of any library
                self._trouble = str(error) or type(error).__name__
                self._hooks.restarted()
                log.warning("faust_app_failed", role=self._reading.role, error=repr(error), tries=backoff.tries + 1)
                await either(self._stopping, timeout_s=backoff.wait_s())

    def stop(self) -> None:
        """Commit, leave the group, return from `run`."""
        self._stopping.set()

    def health(self) -> list[str]:
        """What keeps it from reading."""
        return [f"{self._reading.role}: {self._trouble}"] if self._trouble else []

    async def _exists(self) -> None:
        """Faust would wait for a missing topic in silence. Raises `UnavailableError`."""
        topic = self._reading.topic
        try:
            known = await TopicAdmin(self._settings).topics()
        except AdminError as error:
            raise UnavailableError(str(error)) from error
        if topic not in known:
            raise UnavailableError(f"topic {topic} does not exist: create it (roggia topics apply)")

    async def _session(self) -> None:
        # Faust makes a folder for tables wherever it runs, also for an app that has none.
        name = f"roggia-{self._reading.role}-"
        with tempfile.TemporaryDirectory(prefix=name, ignore_cleanup_errors=True) as folder:
            await self._run_app(self._app(folder))

    async def _run_app(self, app: faust.App) -> None:
        self._trouble = f"waiting for an assignment in group {self._reading.group}"
        crashed = asyncio.create_task(_crash_of(app))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await app.start()
            await asyncio.wait({crashed, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if crashed.done():
                raise UnavailableError(f"the Faust app ended: {app.crash_reason!r}")
        finally:
            for task in (crashed, stopping):
                task.cancel()
            await self._end(app)

    async def _end(self, app: faust.App) -> None:
        try:
            async with asyncio.timeout(self._settings.stop_deadline_s):
                await app.stop()
        except TimeoutError:
            log.warning("faust_app_left_without_goodbye", deadline_s=self._settings.stop_deadline_s)

    def _app(self, folder: str) -> faust.App:
        reading = self._reading
        try:
            import faust as library
        except ImportError as error:
            raise ConfigurationError(
                f"the {reading.role} role needs Faust, which is not installed ({error}): "
                f"pip install 'roggia[{reading.extra}]'"
            ) from None
        app = library.App(reading.group, datadir=folder, **options(self._settings, reading.group))
        raw: dict[str, Any] = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw"}
        topic = app.topic(reading.topic, value_serializer="raw", **raw)

        async def take(stream: Any) -> None:
            async for event in stream.events():
                await self._hooks.take(record_of(event.message))

        app.agent(topic, name=reading.group, concurrency=1)(take)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_partitions_assigned.connect(self._given, weak=False)
        return app

    async def _revoked(self, *_: object, **__: object) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await self._hooks.leaving()

    async def _given(self, *told: Any, **_: object) -> None:
        """Told are the app and the partitions."""
        assigned = told[-1]
        self._hooks.assigned({place.partition for place in assigned if place.topic == self._reading.topic})
        self._trouble = ""


async def _crash_of(app: faust.App) -> None:
    """Return once it has crashed, or stopped by itself: looked at, since its own wait ends only when it is stopped."""
    while not app.should_stop:  # noqa: ASYNC110  # Faust has no event for both
        await asyncio.sleep(0.2)


def record_of(message: Any) -> Record:
    """What Faust consumed, as the runtime's record."""
    headers = message.headers or ()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return Record(
        message.topic,
        message.partition,
        message.offset,
        round((message.timestamp or 0.0) * _MS),
        message.key,
        message.value,
        tuple((name, value or b"") for name, value in pairs),
    )


def options(settings: KafkaSettings, client_id: str) -> dict[str, Any]:
    """Settings of a Faust app with everything off that is not needed here, or that would surprise an operator."""
    return {
        "broker": ";".join(f"kafka://{host.strip()}" for host in settings.bootstrap.split(",")),
        "broker_credentials": _credentials(settings),
        "broker_request_timeout": settings.request_timeout_ms / _MS,
        "broker_session_timeout": settings.session_timeout_ms / _MS,
        "broker_heartbeat_interval": settings.heartbeat_interval_ms / _MS,
        "broker_max_poll_interval": settings.max_poll_interval_ms / _MS,
        "broker_client_id": client_id,
        "consumer_auto_offset_reset": "earliest",
        "autodiscover": False,
        "web_enabled": False,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,
        "stream_wait_empty": False,
        "store": "memory://",
    }


def _credentials(settings: KafkaSettings) -> Any:
    from faust import auth

    asked = clients.connection(settings)
    context = asked.get("ssl_context")
    if "sasl_mechanism" in asked:
        return auth.SASLCredentials(
            username=asked["sasl_plain_username"],
            password=asked["sasl_plain_password"],
            mechanism=asked["sasl_mechanism"],
            ssl_context=context,
        )
    return None if context is None else auth.SSLCredentials(context)
