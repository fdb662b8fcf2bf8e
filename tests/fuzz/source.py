"""Choices read from bytes: what a fuzzer varies, turned into requests that a broker would look into."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from roggia_devstack.storage.batch import HEADER, Header, build
from roggia_devstack.storage.compression import compress
from roggia_devstack.wire import apis
from roggia_devstack.wire.introspect import FieldShape, shape_of

_T = TypeVar("_T")
_NAMES = ("t", "c", "g", "tx", "", ".", "..", "../../../../tmp/x", "/etc/passwd", "a\0b", "ü", "n" * 300, "t.0", "1")
_NUMBERS = (0, 1, -1, -2, 2, 3, 127, -128, 32767, -32768, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
_BITS = {"int8": 8, "int16": 16, "error_code": 16, "int32": 32, "timedelta_i32": 32, "int64": 64, "timedelta_i64": 64}
_LONGEST_WAIT_MS = 5
_DEEPEST = 4


class Source:
    """Bytes that answer questions; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def byte(self) -> int:
        """0 to 255."""
        at, self._at = self._at, self._at + 1
        return self._data[at] if at < len(self._data) else 0

    def take(self, size: int) -> bytes:
        """Up to `size` bytes as they are."""
        at, self._at = self._at, self._at + size
        return self._data[at : at + size]

    def choice(self, options: Sequence[_T]) -> _T:
        """One of the options."""
        return options[self.byte() % len(options)]

    def number(self, bits: int) -> int:
        """A signed number that fits."""
        wanted = self.choice(_NUMBERS) if self.byte() % 4 else int.from_bytes(self.take(bits // 8) or b"\0", "big")
        return (wanted + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)

    def text(self) -> str:
        """A name that means something, or anything."""
        return self.take(self.byte() % 40).decode("utf-8", "replace") if self.byte() % 8 == 0 else self.choice(_NAMES)

    def batch(self) -> bytes:
        """A record batch: mostly with a checksum that is right, around records that may not be."""
        body, codec = self._records(), self.choice((0, 0, 1, 2, 3, 4, 5, 7))
        packed = compress(codec, body) if codec <= 4 and self.byte() % 4 else body
        now = int(time.time() * 1000)
        count = self.choice((1, 1, 1, 2, 0, -1, 2**31 - 1))
        header = Header(0, 0, 0, 2, 0, codec, count - 1, now, now, -1, -1, -1, count)
        for _ in range(self.byte() % 4):
            field = self.choice(("attributes", "last_offset_delta", "base_timestamp", "max_timestamp", "producer_id",
                                 "producer_epoch", "base_sequence", "record_count"))  # fmt: skip
            bits = {"attributes": 16, "producer_epoch": 16, "last_offset_delta": 32, "base_sequence": 32}.get(field, 64)
            header = header._replace(**{field: self.number(32 if field == "record_count" else bits)})
        made = build(header, packed)
        if self.byte() % 8 == 0:
            at = self.byte() % HEADER.size
            made = made[:at] + self.take(4) + made[at + 4 :]
        return made

    def _records(self) -> bytes:
        if self.byte() % 3 == 0:
            return self.take(self.byte())
        record = b"\0\0\0\x02k\x02v\0"
        return (bytes([len(record) << 1]) + record) * self.choice((1, 1, 2, 0))

    def request(self) -> tuple[apis.Api, int, dict[str, Any]]:
        """A request of any API and version, each field with a value of its type."""
        api = self.choice(tuple(apis.APIS.values()))
        version = api.lowest + self.byte() % (api.highest - api.lowest + 1)
        request = self._message(apis.messages(api, version).request, 0)
        if "max_wait" in request:
            request["max_wait"] = min(request["max_wait"], _LONGEST_WAIT_MS)
        return api, version, request

    def _message(self, message: type, depth: int) -> dict[str, Any]:
        shape = shape_of(message)
        made = {field.name: self._field(field, depth) for field in shape.fields}
        for field in shape.tagged.values():
            if self.byte() % 4 == 0:
                made[field.name] = self._field(field, depth)
        return made

    def _field(self, field: FieldShape, depth: int) -> Any:
        if field.nullable and self.byte() % 5 == 0:
            return None
        if field.array:
            return [self._element(field, depth) for _ in range(self.byte() % 3 if depth < _DEEPEST else 0)]
        return self._element(field, depth)

    def _element(self, field: FieldShape, depth: int) -> Any:
        if field.message is not None:
            return self._message(field.message, depth + 1)
        return _MAKE[field.primitive or ""](self)


def _number(bits: int) -> Callable[[Source], int]:
    return lambda source: source.number(bits)


_MAKE: dict[str, Callable[[Source], Any]] = {
    **{name: _number(bits) for name, bits in _BITS.items()},
    "datetime_i64": _number(64),
    "uint16": lambda source: source.number(16) & 0xFFFF,
    "bool": lambda source: bool(source.byte() & 1),
    "float64": lambda source: float(source.number(32)),
    "string": Source.text,
    "bytes": lambda source: source.take(source.byte() % 60),
    "records": Source.batch,
    "uuid": lambda source: uuid.UUID(int=source.choice((0, 7))),
}
