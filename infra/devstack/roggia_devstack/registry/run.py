"""The registry as a process: from start-up line to a clean stop at SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from roggia_runtime.hosts import hosts_of
from roggia_runtime.http_limits import Limits, TimelyBodies, protocol

from roggia_devstack.network.errors import NetworkError
from roggia_devstack.network.server import check_bind_address
from roggia_devstack.registry.book import SchemaBook
from roggia_devstack.registry.http import application
from roggia_devstack.storage.errors import StorageError

_BAD_SETTINGS = 2
_log = structlog.get_logger()


class RegistryServerSettings(BaseSettings):
    """What can be configured, from `ROGGIA_DEVREGISTRY_*` variables or the command line."""

    model_config = SettingsConfigDict(env_prefix="ROGGIA_DEVREGISTRY_", frozen=True, extra="forbid")

    data: Path = Field(description="Directory of the registered schemas; made when absent.")
    host: str = Field(default="127.0.0.1", description="Loopback address to listen on.")
    port: int = Field(default=18081, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    hosts: str = Field(
        default="", description="Names, comma-separated, that clients may call it by beside its address and localhost."
    )
    max_connections: int = Field(
        default=512, ge=1, description="Most connections at once; further ones are closed as they come."
    )


def run(given: Mapping[str, Any]) -> int:
    """Serve until a signal; return 0, or 2 when the settings cannot work."""
    try:
        settings = RegistryServerSettings(**given)
        check_bind_address(settings.host, any_interface=False)
        book = SchemaBook(settings.data)
    except ValidationError as error:
        return _fail("; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()))
    except (NetworkError, StorageError, OSError) as error:
        return _fail(str(error))
    try:
        with _bound(settings) as listener:
            _serve(book, listener, settings)
    except OSError as error:
        return _fail(f"port: {settings.port}: {error}")
    finally:
        book.close()
    return 0


def _bound(settings: RegistryServerSettings) -> socket.socket:
    """A socket that has its port and does not listen yet: nobody may find the server before it minds signals."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT without raising them again: a clean stop has status 0."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


def serving(book: SchemaBook, settings: RegistryServerSettings, limits: Limits | None = None) -> uvicorn.Config:
    """How the registry is served: by its own names, to clients that do not keep it waiting.

    `limits` are the usual ones with the settings' number of connections unless given.
    """
    limits = limits or Limits(settings.max_connections)
    app = TimelyBodies(application(book, hosts_of(settings.host, settings.hosts)), limits)
    quiet: dict[str, Any] = {"log_config": None, "access_log": False, "lifespan": "off"}
    return uvicorn.Config(app, http=protocol(limits), timeout_graceful_shutdown=2, **quiet)


def _serve(book: SchemaBook, listener: socket.socket, settings: RegistryServerSettings) -> None:
    url = "http://{}:{}".format(*listener.getsockname()[:2])
    _log.info("registry_ready", url=url, data=str(settings.data), notice="for one machine and development only")
    _Server(serving(book, settings)).run(sockets=[listener])
    _log.info("registry_stopped", url=url)


def _fail(reason: str) -> int:
    sys.stderr.write(f"roggia_devstack: {reason}\n")
    return _BAD_SETTINGS
