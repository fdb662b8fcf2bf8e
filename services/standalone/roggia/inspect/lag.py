"""Lag and freshness for the command line: asked of the operator, or observed here where none answers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Self

import aiohttp
from roggia_operator.generations.settings import GenerationOptions
from roggia_operator.generations.table import states
from roggia_operator.generations.waiting import aside, awaited
from roggia_operator.lag import plain
from roggia_operator.lag.history import History
from roggia_operator.lag.measure import LagObserver
from roggia_operator.lag.routes import PATH
from roggia_operator.lag.searchable import Recent, look_back
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import KafkaSettings, RegistrySettings, load

BETWEEN_S = 2.0
"""Seconds between the two observations that a first look makes by itself."""
ASK_S = 2.0


class LagView:
    """Looks once or again and again. Use it as a context manager; errors are those of `LagObserver`."""

    def __init__(self, kafka: KafkaSettings, registry: RegistrySettings, operator: str) -> None:
        self._kafka, self._operator = kafka, operator
        self._codec = EventCodec(registry, source="roggia/status")
        self._stack = AsyncExitStack()
        self._observer: LagObserver | None = None
        self._history = History()

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self._codec.stop)
        self._http = await self._stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_S))
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def look(self) -> dict[str, Any]:
        """`lag`, `searchable`, and `operator`: its URL, whether it answered, and what is wrong with it."""
        told, trouble = await self._ask() if self._operator else (None, "its address is not known")
        found = told or await self._observe()
        answered = told is not None
        return found | {"operator": {"url": self._operator or None, "answers": answered, "trouble": trouble}}

    async def _ask(self) -> tuple[dict[str, Any] | None, str]:
        try:
            async with self._http.get(self._operator.rstrip("/") + PATH) as reply:
                reply.raise_for_status()
                told: dict[str, Any] = await reply.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as failed:
            return None, f"does not answer ({type(failed).__name__})"
        if told.get("lag") is None:
            return None, told.get("trouble") or "has observed nothing yet"
        return {"lag": told["lag"], "searchable": told["searchable"]}, str(told.get("trouble", ""))

    async def _observe(self) -> dict[str, Any]:
        if self._observer is None:
            self._observer = await self._stack.enter_async_context(LagObserver(self._kafka))
            self._history.add(await self._observer.measure())
            await asyncio.sleep(BETWEEN_S)
        self._history.add(await self._observer.measure())
        rows, baseline = await states(self._kafka, self._codec), load(GenerationOptions).baseline
        report = self._history.report(aside(rows))
        recent = Recent(awaited=lambda event: awaited(rows, baseline, event))
        await look_back(self._kafka, self._codec, recent)
        return {
            "lag": None if report is None else plain.report(report),
            "searchable": plain.searchable(recent.summary()),
        }
