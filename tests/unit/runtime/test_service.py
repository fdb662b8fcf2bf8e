"""The service runner: order, health, exit statuses."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from roggia_runtime.errors import ConfigurationError, RoggiaError, UnavailableError
from roggia_runtime.service import FAILED, MISCONFIGURED, OK, Service, run_service
from roggia_runtime.settings import HttpSettings, KafkaSettings, ServiceSettings
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.loops import until


class Worker:
    """Works until stopped, or fails."""

    def __init__(self, events: list[str], failure: Exception | None = None) -> None:
        self.events, self.failure, self.problems = events, failure, ["store: down"]
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Work."""
        self.events.append("run")
        if self.failure is not None:
            raise self.failure
        await self._stop.wait()
        self.events.append("ran")

    def stop(self) -> None:
        """Stop."""
        self._stop.set()

    def health(self) -> list[str]:
        """Problems."""
        return self.problems


def _service(**values: object) -> Service:
    quick = KafkaSettings(retry_first_s=0.01, retry_max_s=0.02)
    return Service("demo", ServiceSettings(http=HttpSettings(port=0), kafka=quick), **values)  # type: ignore[arg-type]


def _hook(events: list[str], name: str, failures: list[Exception] | None = None) -> object:
    async def hook() -> None:
        if failures:
            raise failures.pop(0)
        events.append(name)

    return hook


async def _get(service: Service, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{service.http.port}{path}") as answer:
        return answer.status, await answer.text()


async def test_order_and_health() -> None:
    """Hooks start before workers and stop after them, in reverse; a hook that meets something down is tried again.

    `/health/ready` names what is not ready; own routes and metrics are served beside it.
    """
    events: list[str] = []
    service = _service(routes=[Route("/own", lambda _request: PlainTextResponse("mine"))])
    worker = Worker(events)
    service.add(worker)
    service.on_start(_hook(events, "a"), _hook(events, "b", [UnavailableError("x"), UnavailableError("x")]))  # type: ignore[arg-type]
    service.on_stop(_hook(events, "-a"), _hook(events, "-b"))  # type: ignore[arg-type]
    running = asyncio.create_task(service.run())
    await until(lambda: "run" in events)
    assert await _get(service, "/health/live") == (200, '{"status":"live"}')
    assert await _get(service, "/health/ready") == (503, '{"status":"not ready","not_ready":["store: down"]}')
    worker.problems = []
    assert (await _get(service, "/health/ready"))[0] == 200
    assert await _get(service, "/own") == (200, "mine")
    assert "python_info" in (await _get(service, "/metrics"))[1]
    service.stop()
    await asyncio.wait_for(running, 5)
    assert events == ["a", "b", "run", "ran", "-b", "-a"]


async def test_failure_stops_the_others() -> None:
    """When one worker fails the others finish what they hold, hooks run, and the failure is raised."""
    events: list[str] = []
    service = _service()
    service.add(Worker(events, RoggiaError("lost")), Worker(events))
    service.on_stop(_hook(events, "-a"))  # type: ignore[arg-type]
    with pytest.raises(RoggiaError, match="lost"):
        await asyncio.wait_for(service.run(), 5)
    assert events == ["run", "run", "ran", "-a"]


def test_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    """0 after a clean end, 1 for a failure (logged), 2 for configuration (one line)."""

    def clean() -> Service:
        service = _service()
        service.stop()
        return service

    def failing() -> Service:
        service = _service()
        service.add(Worker([], ZeroDivisionError("bug")))
        return service

    def misconfigured() -> Service:
        raise ConfigurationError("ROGGIA_X: bad; set it")

    assert run_service("demo", clean) == OK
    assert run_service("demo", failing) == FAILED
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert run_service("demo", misconfigured) == MISCONFIGURED
    assert capsys.readouterr().err == "demo: ROGGIA_X: bad; set it\n"


def test_taken_port_is_a_configuration_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that somebody listens on ends with status 2 and its number."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = ServiceSettings(http=HttpSettings(port=port))
        assert run_service("demo", lambda: Service("demo", settings)) == MISCONFIGURED
    assert f"127.0.0.1:{port}" in capsys.readouterr().err
