"""Closing a SQLite file while a thread is at work on it: a caller that was cancelled leaves one behind."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.adapters.sqlite_payloads import _File
from roggia_ingest.adapters.sqlite import SqliteCatalogue

MAKERS: dict[str, Callable[[Path], Any]] = {
    "ledger": SqliteLedger,
    "catalogue": SqliteCatalogue,
    "payloads": lambda path: _File(path, "CREATE TABLE IF NOT EXISTS t (x INTEGER) STRICT"),
}


@pytest.mark.parametrize("kind", MAKERS)
async def test_a_file_is_closed_when_nobody_works_on_it(kind: str, tmp_path: Path) -> None:
    """Stop waits for the thread in hand, whose connection is good to the end. Closed under a thread that commits,
    SQLite's memory is gone: the process died of it."""
    store = MAKERS[kind](tmp_path / "file.sqlite3")
    await store.start()
    begun, go, answers = threading.Event(), threading.Event(), []

    def work(connection: sqlite3.Connection) -> None:
        begun.set()
        go.wait(10)
        answers.append(connection.execute("SELECT 1").fetchone()[0])

    run: Callable[..., Awaitable[None]] = store.run if kind == "payloads" else store._run
    task = asyncio.ensure_future(run(work))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.wait({task})
    stop = asyncio.ensure_future(store.stop())
    await asyncio.sleep(0.05)
    assert not stop.done()
    go.set()
    await stop
    assert answers == [1]
