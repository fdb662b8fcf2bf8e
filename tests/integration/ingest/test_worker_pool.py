"""Worker processes: the same passages as in process, and no document that takes the service with it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_ingest.app import bundled_tokenizer
from roggia_ingest.errors import ContentError, InstallationError, RefusedError
from roggia_ingest.prepare import Job
from roggia_ingest.worker import Setup, WorkerPool

from tests.support import ingesting

MIB = 1 << 20
SETUP = Setup(tokenizer=str(bundled_tokenizer()), max_tokens=510, min_tokens=128, memory_bytes=1024 * MIB)
TEXT = Job(b"# One\n\n" + b"The mill turns when the water comes. " * 400, "text/markdown")


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    """One worker with ten seconds per document."""
    pool = WorkerPool(SETUP, workers=1, timeout_s=10)
    yield pool
    await pool.stop()


async def test_a_worker_gives_what_the_same_code_gives_in_process(pool: WorkerPool) -> None:
    """Text and HTML: equal passages, title, language and fingerprints."""
    html = Job(b"<title>T</title><main><h1>One</h1><p>The mill turns when the water comes.</p></main>", "text/html")
    for job in (TEXT, html):
        assert await pool.prepare(job) == ingesting.preparation().prepare(job)


async def test_refused_content_names_its_field_and_the_worker_goes_on(pool: WorkerPool) -> None:
    """A broken PDF is refused with kind and field; the next document is read by the same process."""
    await pool.prepare(TEXT)
    worker = pool._idle[0]
    with pytest.raises(RefusedError) as caught:
        await pool.prepare(Job(b"%PDF-1.7 nothing", "application/pdf"))
    assert (caught.value.kind, caught.value.field) == ("content", "content")
    await pool.prepare(TEXT)
    assert pool._idle == [worker]


UNMARKED = Job(b"<h1>Sluice</h1><p>It opens at dawn, and closes when the mill has had its share.</p>", "text/html")
"""A page that does not mark its content, so that the worker imports trafilatura."""


async def test_a_missing_library_stops_the_service_and_blames_no_document(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation that lacks what extraction imports must not send every page to the dead letters."""
    (tmp_path / "trafilatura.py").write_text("raise ImportError('no lxml_html_clean')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(InstallationError, match="no lxml_html_clean"):
        await pool.prepare(UNMARKED)


async def test_a_worker_that_ends_by_itself_is_reported_with_its_own_exit_status(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason names status 7, not the signal with which the pool clears up."""
    (tmp_path / "trafilatura.py").write_text("import os\nos._exit(7)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ContentError, match="exit status 7"):
        await pool.prepare(UNMARKED)


async def test_a_document_that_takes_too_long_is_refused_and_the_event_loop_stays_free() -> None:
    """With a limit of 0.3 s, megabytes of text are given up, other tasks run meanwhile, and the next document works."""
    pool = WorkerPool(SETUP, workers=1, timeout_s=0.3)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    with pytest.raises(ContentError, match="document_timeout_s"):
        await pool.prepare(Job(b"word and word, " * 400_000, "text/plain"))
    ticking.cancel()
    assert ticks >= 10
    assert pool._idle == []


async def test_a_document_that_needs_more_memory_than_allowed_is_refused() -> None:
    """The limit is the process's own: it is refused or its worker dies, the service does not."""
    small = Setup(tokenizer=SETUP.tokenizer, max_tokens=510, min_tokens=128, memory_bytes=330 * MIB)
    pool = WorkerPool(small, workers=1, timeout_s=60)
    with pytest.raises(RefusedError) as caught:
        await pool.prepare(Job(b"x y " * (8 * MIB), "text/plain"))
    assert caught.value.kind == "content"
    await pool.stop()


async def test_a_worker_that_is_killed_is_replaced(pool: WorkerPool) -> None:
    """kill -9 of an idle worker costs one retry, not a document."""
    await pool.prepare(TEXT)
    os.kill(pool._idle[0].pid, signal.SIGKILL)
    assert (await pool.prepare(TEXT)).passages


async def test_giving_a_job_up_ends_its_worker(pool: WorkerPool) -> None:
    """A cancelled job leaves no answer behind for the next one to read."""
    await pool.prepare(TEXT)
    task = asyncio.create_task(pool.prepare(Job(b"word and word, " * 400_000, "text/plain")))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool._idle == []
    assert await pool.prepare(TEXT) == ingesting.preparation().prepare(TEXT)
