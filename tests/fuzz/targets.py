"""What the fuzzer drives: each target takes bytes and fails by an exception that the broker does not mean to raise.

A target keeps one broker or log for its whole life, in a folder of its own; touching a file outside it is a failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog
from roggia_devstack.storage import PartitionLog, Store
from roggia_devstack.storage.batch import HEADER_BYTES, crc32c, parse
from roggia_devstack.storage.compression import MAX_BYTES, decompress
from roggia_devstack.storage.errors import StorageError
from roggia_devstack.wire import frames
from roggia_devstack.wire.cursor import Cursor
from roggia_devstack.wire.errors import WireError

from tests.fuzz.source import Source
from tests.support.wire import request_frame, running_broker

_FILES = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.rmtree", "os.listdir"}
_MOST_PARTITIONS = 50
_NOW_MS = 1_800_000_000_000


class Guard:
    """Watches which files the process touches; a path outside `folder` while a target runs is remembered."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.outside: list[str] = []
        sys.addaudithook(self._seen)

    def _seen(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None or event not in _FILES or not arguments or not isinstance(arguments[0], str | Path):
            return
        path = os.path.realpath(arguments[0])
        if not path.startswith((self.folder, sys.prefix, sys.base_prefix, "/proc", str(Path(__file__).parents[2]))):
            self.outside.append(f"{event} {path}")

    @contextlib.contextmanager
    def within(self, folder: Path) -> Iterator[None]:
        """Fail when a file outside `folder` (and outside the program itself) is touched in the block."""
        self.folder = os.path.realpath(folder)
        try:
            yield
        finally:
            self.folder = None
        seen, self.outside = self.outside, []
        assert not seen, f"touched outside the data directory: {seen}"


GUARD = Guard()


def frame(data: bytes) -> None:
    """Any bytes as a request: a request, or `WireError`."""
    with contextlib.suppress(WireError):
        cursor = Cursor(data)
        frames.read_body(cursor, frames.read_header(cursor))


def packed(data: bytes) -> None:
    """Any bytes as compressed records of any codec: at most `MAX_BYTES`, or `StorageError`."""
    with contextlib.suppress(StorageError):
        assert len(decompress(data[0] % 6 if data else 0, data[1:])) <= max(MAX_BYTES, len(data))


class Batches:
    """Any bytes as a record batch with a sound checksum, into a plain and a compacted log that are then maintained."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = Store.open(folder / "data")
        for name, policy in (("t", "delete"), ("c", "compact")):
            settings = {"cleanup.policy": policy, "segment.bytes": "4096", "min.cleanable.dirty.ratio": "0"}
            self._store.create_topic(name, 1, settings | {"retention.bytes": "50000"})
        self._count = 0

    def __call__(self, data: bytes) -> None:
        with GUARD.within(self._folder):
            source = Source(data[1:])
            batch = source.batch() if data and data[0] & 1 else _with_checksum(data[1:])
            for name in ("t", "c"):
                self._append(self._store.log(name, 0), batch)
            self._count += 1
            if self._count % 50 == 0:
                self._store.maintain(_NOW_MS)

    def _append(self, log: PartitionLog, batch: bytes) -> None:
        before = log.end_offset
        try:
            log.append(batch, _NOW_MS)
        except StorageError:
            assert log.end_offset == before
            return
        assert log.end_offset - before <= len(batch) + MAX_BYTES // 6
        log.read(max(log.end_offset - 1, log.start_offset), 1 << 16, committed=True)
        log.offset_for_time(_NOW_MS - 10**9)
        log.max_timestamp()


def _with_checksum(data: bytes) -> bytes:
    if len(data) < HEADER_BYTES:
        return data
    fixed = bytearray(data)
    fixed[8:12] = (len(data) - 12).to_bytes(4, "big")
    fixed[16] = 2
    fixed[17:21] = crc32c(bytes(fixed[21:])).to_bytes(4, "big")
    assert parse(bytes(fixed)) is None or len(fixed) == len(data)
    return bytes(fixed)


class Requests:
    """Any bytes as requests that are well formed: answered, or refused by `WireError`; never another exception."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._loop = folder, asyncio.new_event_loop()
        structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
        self._stack = contextlib.AsyncExitStack()
        self._broker = self._loop.run_until_complete(
            self._stack.enter_async_context(running_broker(folder / "data", maintain_every_ms=50))
        )
        self._dispatch: Callable[[bytes, int, str], Any] = self._broker._server._dispatch
        for name, policy in (("t", "delete"), ("c", "compact")):
            self._broker._store.create_topic(name, 2, {"cleanup.policy": policy})

    def __call__(self, data: bytes) -> None:
        with GUARD.within(self._folder):
            self._loop.run_until_complete(self._ask(Source(data)))

    async def _ask(self, source: Source) -> None:
        api, version, request = source.request()
        if "topics" in request and api.name in {"create_topics", "create_partitions"}:
            for topic in request["topics"]:
                for count in {"num_partitions", "count"} & topic.keys():
                    topic[count] = min(topic[count], _MOST_PARTITIONS)
        try:
            answer = self._dispatch(request_frame(api, version, request)[4:], 0, "fuzz")
        except WireError:
            return
        if answer is None or isinstance(answer, bytes | bytearray):
            return
        waiting = asyncio.ensure_future(answer)
        await asyncio.wait([waiting], timeout=0.001)
        if waiting.done():
            waiting.result()
        waiting.cancel()

    def close(self) -> None:
        """Stop the broker."""
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()


def make(name: str, folder: Path | None = None) -> Callable[[bytes], None]:
    """A target by name, with a folder of its own where it needs one."""
    if name in _PLAIN:
        return _PLAIN[name]
    return _WITH_FOLDER[name](folder or Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-")))


_PLAIN: dict[str, Callable[[bytes], None]] = {"frame": frame, "packed": packed}
_WITH_FOLDER: dict[str, Callable[[Path], Callable[[bytes], None]]] = {"batches": Batches, "requests": Requests}
NAMES = (*_PLAIN, *_WITH_FOLDER)
