"""A vector store that fails when a file says so: the real one, in the real process, behind a port that breaks."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from roggia_embedder.errors import StoreUnavailableError
from roggia_embedder.ports import VectorStore

DOWN, HANGS, FLAKY = "down", "hangs", "flaky"
_LOOK_S = 0.05
_SPARED = {"close", "collections", "scan"}
"""Calls that no record depends on."""


def tell(path: Path, mode: str, seed: int) -> None:
    """Let the store fail from now on: `down` answers nothing, `hangs` answers later, `flaky` as its seed draws."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"mode": mode, "seed": seed}))
    fresh.replace(path)


class FaultyStore:
    """A `VectorStore` in front of a `VectorStore`. Nearly every call may fail: before, half-way or after."""

    def __init__(self, store: VectorStore, path: Path) -> None:
        self._store, self._path = store, path
        self._text = ""
        self._rng = random.Random(0)

    def __getattr__(self, name: str) -> Any:
        """The real store's method, failing as told."""
        method = getattr(self._store, name)
        if name in _SPARED or not inspect.iscoroutinefunction(method):
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            return await self._call(method, arguments, named)

        return call

    async def _call(self, method: Callable[..., Any], arguments: Sequence[Any], named: dict[str, Any]) -> Any:
        mode = self._mode()
        if mode == DOWN:
            raise StoreUnavailableError("the store is down (a test says so)")
        while self._mode() == HANGS:
            await asyncio.sleep(_LOOK_S)
        if mode != FLAKY:
            return await method(*arguments, **named)
        return await self._flaky(method, arguments, named)

    async def _flaky(self, method: Callable[..., Any], arguments: Sequence[Any], named: dict[str, Any]) -> Any:
        draw = self._rng.random()
        if draw < 0.12:
            raise StoreUnavailableError("the store fails before it works (a test says so)")
        if draw < 0.24:
            await method(*_half(arguments), **named)
            raise StoreUnavailableError("the store fails half-way (a test says so)")
        answer = await method(*arguments, **named)
        if draw < 0.36:
            raise StoreUnavailableError("the store fails after it worked (a test says so)")
        return answer

    def _mode(self) -> str:
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return ""
        told = json.loads(text)
        if text != self._text:
            self._text, self._rng = text, random.Random(told["seed"])
        return str(told["mode"])


def _half(arguments: Sequence[Any]) -> list[Any]:
    """The arguments with the first half of what the last one holds: a batch that was cut short."""
    *first, last = arguments or [None]
    if isinstance(last, dict):
        last = dict(list(last.items())[: len(last) // 2])
    elif isinstance(last, list | tuple) and not hasattr(last, "_fields"):
        last = last[: len(last) // 2]
    return [*first, last] if arguments else []
