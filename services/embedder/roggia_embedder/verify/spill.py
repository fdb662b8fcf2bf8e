"""Rows on disk in slices: each row goes to the slice of its key, and one slice at a time is read back."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

R = TypeVar("R")
_LENGTH = struct.Struct("<I")
_BUFFER = 16 << 10


class Spill(Generic[R]):
    """A folder of slices of rows of one type. Memory: 16 KiB per slice while writing. Raises `OSError` (disk full)."""

    def __init__(self, folder: Path, kind: type[R], slices: int) -> None:
        folder.mkdir()
        self._paths = [folder / str(number) for number in range(slices)]
        self._buffers = [bytearray() for _ in self._paths]
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode

    def add(self, number: int, row: R) -> None:
        """Append a row to a slice."""
        encoded, buffer = self._encode(row), self._buffers[number]
        buffer += _LENGTH.pack(len(encoded))
        buffer += encoded
        if len(buffer) >= _BUFFER:
            self._flush(number)

    def rows(self, number: int) -> Iterator[R]:
        """Rows of a slice, in the order in which they came."""
        self._flush(number)
        if not self._paths[number].exists():
            return
        with self._paths[number].open("rb") as file:
            while length := file.read(_LENGTH.size):
                yield self._decode(file.read(_LENGTH.unpack(length)[0]))

    def drop(self, number: int) -> None:
        """Forget a slice."""
        self._buffers[number].clear()
        self._paths[number].unlink(missing_ok=True)

    def _flush(self, number: int) -> None:
        buffer = self._buffers[number]
        if buffer:
            with self._paths[number].open("ab") as file:
                file.write(buffer)
            buffer.clear()


def slice_of(tenant: str, doc_id: str, slices: int) -> int:
    """The slice of a document: the same for everything that names it."""
    return zlib.crc32(f"{tenant}\0{doc_id}".encode(errors="surrogatepass")) % slices
