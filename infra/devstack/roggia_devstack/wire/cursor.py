"""A bounds-checked reader over one received frame: the only code that looks at bytes from the network.

Nothing is allocated from a length before the length is known to fit in what is left of the frame, and the number of
array elements in one request is capped, because a one-byte element costs a hundred times that in memory.
"""

from __future__ import annotations

import struct
import uuid
from typing import Final

from roggia_devstack.wire.errors import MalformedError

MAX_ELEMENTS: Final = 200_000
_INT16: Final = struct.Struct(">h")
_UINT16: Final = struct.Struct(">H")
_INT32: Final = struct.Struct(">i")
_INT64: Final = struct.Struct(">q")
_FLOAT64: Final = struct.Struct(">d")
_VARINT_BYTES: Final = 5


class Cursor:
    """Position in a frame. Every method raises `MalformedError` instead of reading past `end`."""

    __slots__ = ("_elements", "data", "end", "pos")

    def __init__(self, data: bytes, pos: int = 0, end: int | None = None) -> None:
        self.data = data
        self.pos = pos
        self.end = len(data) if end is None else end
        self._elements = MAX_ELEMENTS

    def skip(self, size: int) -> int:
        """Move on by `size` bytes and return where they began."""
        start = self.pos
        stop = start + size
        if size < 0 or stop > self.end:
            raise MalformedError(f"needs {size} bytes at {start}, the frame has {self.end - start}")
        self.pos = stop
        return start

    def boolean(self) -> bool:
        """One byte; anything but 0 is true."""
        return self.data[self.skip(1)] != 0

    def int8(self) -> int:
        """Signed byte."""
        value = self.data[self.skip(1)]
        return value - 256 if value > 127 else value

    def int16(self) -> int:
        """Signed, big endian."""
        return _INT16.unpack_from(self.data, self.skip(2))[0]  # type: ignore[no-any-return]

    def uint16(self) -> int:
        """Unsigned, big endian."""
        return _UINT16.unpack_from(self.data, self.skip(2))[0]  # type: ignore[no-any-return]

    def int32(self) -> int:
        """Signed, big endian."""
        return _INT32.unpack_from(self.data, self.skip(4))[0]  # type: ignore[no-any-return]

    def int64(self) -> int:
        """Signed, big endian."""
        return _INT64.unpack_from(self.data, self.skip(8))[0]  # type: ignore[no-any-return]

    def float64(self) -> float:
        """IEEE 754, big endian."""
        return _FLOAT64.unpack_from(self.data, self.skip(8))[0]  # type: ignore[no-any-return]

    def uuid(self) -> uuid.UUID:
        """Sixteen bytes; zero means none."""
        start = self.skip(16)
        return uuid.UUID(bytes=self.data[start : self.pos])

    def uvarint(self) -> int:
        """Unsigned, seven bits a byte, at most five bytes."""
        data, pos, end, value = self.data, self.pos, self.end, 0
        for shift in range(0, 7 * _VARINT_BYTES, 7):
            if pos >= end:
                raise MalformedError(f"varint runs past the frame at {pos}")
            byte = data[pos]
            pos += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.pos = pos
                return value
        raise MalformedError(f"varint longer than {_VARINT_BYTES} bytes at {self.pos}")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start = self.skip(size)
        return self.data[start : self.pos]

    def text(self, size: int) -> str:
        """The next `size` bytes as UTF-8."""
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            raise MalformedError(f"string at {self.pos - size} is not UTF-8") from error

    def elements(self, count: int, smallest: int) -> int:
        """Accept an array's length: `count` elements of at least `smallest` bytes must fit in the rest of the frame."""
        if count * smallest > self.end - self.pos:
            raise MalformedError(f"{count} elements at {self.pos} do not fit in {self.end - self.pos} bytes")
        self._elements -= count
        if self._elements < 0:
            raise MalformedError(f"more than {MAX_ELEMENTS} array elements in one request")
        return count

    def skip_tags(self) -> None:
        """Step over tagged fields that nobody here knows."""
        for _ in range(self.elements(self.uvarint(), 2)):
            self.uvarint()
            self.skip(self.uvarint())
