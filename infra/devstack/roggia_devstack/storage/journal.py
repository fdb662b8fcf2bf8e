"""Small durable state: an append-only journal of changes, read at start, rewritten when it is mostly stale."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import structlog

from roggia_devstack.storage.crc import crc32c

Value: TypeAlias = dict[str, Any]
Change: TypeAlias = tuple[str, str, Value | None]

_FRAME = 8
_REWRITE_FROM_BYTES = 16 << 20
_STALE_FACTOR = 4
_log = structlog.get_logger(__name__)


class StateStore:
    """Values by (kind, key): offsets, groups, transactions, topics. Values hold what MessagePack holds, bytes included.

    Every change is one write; what has returned survives kill -9 of the process. Used from one thread. A value that
    was put or handed out must not be changed afterwards: put a new one.
    """

    def __init__(self, path: Path) -> None:
        """Read the journal at `path`, cut a torn tail, rewrite it without stale entries, and open it for appending."""
        self._path = path
        self._kinds: dict[str, dict[str, Value]] = {}
        self._encoder = msgspec.msgpack.Encoder()
        self._load()
        self._size = self._live_size = 0
        self._fd = self._rewrite()

    def put(self, kind: str, key: str, value: Value) -> None:
        """Set one value."""
        self.apply([(kind, key, value)])

    def delete(self, kind: str, key: str) -> None:
        """Remove one value, if it is there."""
        if key in self._kinds.get(kind, ()):
            self.apply([(kind, key, None)])

    def apply(self, changes: Iterable[Change]) -> None:
        """Make several changes as one: after a crash all of them are there, or none. A value of None removes."""
        listed = list(changes)
        frame = _frame(self._encoder.encode(listed))
        written = os.pwrite(self._fd, frame, self._size)
        while written < len(frame):
            written += os.pwrite(self._fd, frame[written:], self._size + written)
        self._size += len(frame)
        self._take(listed)

    def get(self, kind: str, key: str) -> Value | None:
        """Return one value."""
        return self._kinds.get(kind, {}).get(key)

    def items(self, kind: str) -> Mapping[str, Value]:
        """Return all values of a kind, as of now."""
        return dict(self._kinds.get(kind, {}))

    def maintain(self) -> None:
        """Rewrite the journal when most of it is stale."""
        if self._size > max(_REWRITE_FROM_BYTES, _STALE_FACTOR * self._live_size):
            os.close(self._fd)
            self._fd = self._rewrite()

    def close(self) -> None:
        """Close the journal."""
        os.close(self._fd)

    def _take(self, changes: Iterable[Change]) -> None:
        for kind, key, value in changes:
            if value is None:
                self._kinds.get(kind, {}).pop(key, None)
            else:
                self._kinds.setdefault(kind, {})[key] = value

    def _load(self) -> None:
        content = self._path.read_bytes() if self._path.exists() else b""
        decoder = msgspec.msgpack.Decoder(list[Change])
        at = 0
        while at + _FRAME <= len(content):
            size = int.from_bytes(content[at : at + 4], "big")
            payload = content[at + _FRAME : at + _FRAME + size]
            if len(payload) < size or crc32c(payload) != int.from_bytes(content[at + 4 : at + _FRAME], "big"):
                break
            self._take(decoder.decode(payload))
            at += _FRAME + size
        if at < len(content):
            _log.warning("journal_tail_cut", journal=self._path.name, bytes_cut=len(content) - at)

    def _rewrite(self) -> int:
        """Write the live values to a new file, put it in the old one's place, return it open."""
        draft = self._path.with_name(self._path.name + ".new")
        live = (
            _frame(self._encoder.encode([(kind, key, value)]))
            for kind, values in self._kinds.items()
            for key, value in values.items()
        )
        with draft.open("wb") as out:
            out.writelines(live)
            self._size = self._live_size = out.tell()
        draft.replace(self._path)
        return os.open(self._path, os.O_RDWR | os.O_CLOEXEC)


def _frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + crc32c(payload).to_bytes(4, "big") + payload
