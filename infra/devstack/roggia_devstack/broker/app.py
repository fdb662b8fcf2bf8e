"""The broker wired together. `Broker` is what `python -m roggia_devstack broker` and tests start."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import ExitStack
from typing import Final

import structlog

from roggia_devstack.api import versions
from roggia_devstack.api.configs import ConfigsApi
from roggia_devstack.api.dispatch import Dispatcher, merge
from roggia_devstack.api.fetch import FetchApi
from roggia_devstack.api.group_admin import GroupAdminApi
from roggia_devstack.api.groups import GroupsApi
from roggia_devstack.api.list_offsets import ListOffsetsApi
from roggia_devstack.api.metadata import ClusterApi
from roggia_devstack.api.offsets import OffsetsApi
from roggia_devstack.api.produce import ProduceApi
from roggia_devstack.api.topics import TopicsApi
from roggia_devstack.api.transaction_admin import TransactionAdminApi
from roggia_devstack.api.transactions import TransactionsApi
from roggia_devstack.broker.settings import BrokerSettings
from roggia_devstack.broker.signals import Signals
from roggia_devstack.broker.topics import Topics
from roggia_devstack.groups.coordinator import GroupCoordinator
from roggia_devstack.groups.offsets import Offsets
from roggia_devstack.network.server import Server, check_bind_address
from roggia_devstack.storage import StateStore, Store
from roggia_devstack.storage.errors import StorageError
from roggia_devstack.transactions.coordinator import TransactionCoordinator

_CLUSTER: Final = "cluster"
_log = structlog.get_logger()


class Broker:
    """A one-node cluster on one data directory. `start` then `stop`, once each, on one event loop."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._port = 0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def bootstrap(self) -> str:
        """What clients connect to, once started."""
        return f"{self._settings.advertised_host or self._settings.host}:{self._port}"

    async def start(self) -> None:
        """Open the data and listen.

        Raises `BindRefusedError` for an address that is not loopback, `StorageError` for data that cannot be opened,
        OSError for an address in use.
        """
        settings = self._settings
        check_bind_address(settings.host, any_interface=settings.any_interface)
        self._store = Store.open(settings.data)
        with ExitStack() as opened:
            opened.callback(self._store.close)
            self._build(self._store)
            self._port = await self._server.start(settings.host, settings.port)
            opened.pop_all()
        self._cluster.advertise(settings.advertised_host or settings.host, self._port)
        self._groups.start()
        self._tasks = [asyncio.create_task(self._watch_transactions()), asyncio.create_task(self._maintain())]

    async def stop(self) -> None:
        """Drop the clients, then close the data."""
        await self._server.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._groups.stop()
        self._store.close()

    def _build(self, store: Store) -> None:
        settings = self._settings
        topics, offsets = Topics(store), Offsets(store.state)
        signals = self._signals = Signals()
        self._groups = GroupCoordinator(
            store.state,
            offsets,
            min_session_ms=settings.min_session_timeout_ms,
            max_session_ms=settings.max_session_timeout_ms,
            initial_delay_ms=settings.initial_rebalance_delay_ms,
        )
        self._transactions = TransactionCoordinator(
            store.state, topics, offsets, signals, max_timeout_ms=settings.max_transaction_timeout_ms
        )
        self._cluster = ClusterApi(
            topics,
            node_id=settings.node_id,
            cluster_id=_cluster_id(store.state),
            auto_create=settings.default_partitions if settings.auto_create_topics else None,
        )
        dispatcher = Dispatcher(
            merge(
                versions.handlers(),
                self._cluster.handlers(),
                TopicsApi(
                    topics, offsets, node_id=settings.node_id, default_partitions=settings.default_partitions
                ).handlers(),
                ConfigsApi(topics, settings.node_id, _broker_config(settings)).handlers(),
                ProduceApi(topics, self._transactions, signals).handlers(),
                FetchApi(topics, signals, max_bytes=settings.max_fetch_bytes).handlers(),
                ListOffsetsApi(topics).handlers(),
                GroupsApi(self._groups).handlers(),
                OffsetsApi(self._groups, offsets, topics).handlers(),
                GroupAdminApi(self._groups).handlers(),
                TransactionsApi(self._transactions, self._groups, topics).handlers(),
                TransactionAdminApi(self._transactions).handlers(),
            )
        )
        self._server = Server(
            dispatcher,
            max_frame_bytes=settings.max_frame_bytes,
            max_connections=settings.max_connections,
            max_idle_ms=settings.max_idle_ms,
        )

    async def _watch_transactions(self) -> None:
        while True:
            await asyncio.sleep(self._settings.transaction_check_ms / 1000)
            for transactional_id in self._transactions.abort_overdue():
                _log.warning("broker_transaction_timed_out", transactional_id=transactional_id)

    async def _maintain(self) -> None:
        """Retention and compaction, in steps between requests; a failure is logged, and the next round tries again."""
        while True:
            await asyncio.sleep(self._settings.maintain_every_ms / 1000)
            try:
                for _ in self._store.maintenance(time.time_ns() // 1_000_000):
                    await asyncio.sleep(0)
            except (OSError, StorageError) as error:
                _log.error("broker_maintenance_failed", error=str(error))


def _cluster_id(state: StateStore) -> str:
    known = {key: value["id"] for key, value in state.items(_CLUSTER).items()}
    if "id" not in known:
        known["id"] = secrets.token_urlsafe(16)
        state.put(_CLUSTER, "id", {"id": known["id"]})
    return str(known["id"])


def _broker_config(settings: BrokerSettings) -> dict[str, str]:
    return {
        "auto.create.topics.enable": str(settings.auto_create_topics).lower(),
        "default.replication.factor": "1",
        "group.max.session.timeout.ms": str(settings.max_session_timeout_ms),
        "group.min.session.timeout.ms": str(settings.min_session_timeout_ms),
        "node.id": str(settings.node_id),
        "num.partitions": str(settings.default_partitions),
        "socket.request.max.bytes": str(settings.max_frame_bytes),
        "transaction.max.timeout.ms": str(settings.max_transaction_timeout_ms),
    }
