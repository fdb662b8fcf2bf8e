"""The hand-written `array<float>` block, at its edges."""

from __future__ import annotations

import numpy as np
import pytest
from roggia_schemas import vectors
from roggia_schemas.codec import Codec
from roggia_schemas.errors import DecodeError
from roggia_schemas.events import DocEmbedded

from tests.support.events import example

TWO = np.array([1.5, -2.0], np.float32)
RAW = TWO.tobytes()


@pytest.mark.parametrize(
    "block",
    [b"\x04" + RAW + b"\x00", b"\x03\x10" + RAW + b"\x00", b"\x02" + RAW[:4] + b"\x01\x08" + RAW[4:] + b"\x00"],
    ids=["one block", "one block with its size", "two blocks, one with its size"],
)
def test_blocks_that_mean_the_same(block: bytes) -> None:
    """Count, negative count with size, several blocks: the same numbers."""
    found, end = vectors.read(block, 0)
    assert found.tolist() == TWO.tolist()
    assert end == len(block)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"", "cut off"),
        (b"\x80", "cut off"),
        (b"\x80" * 11, "too long"),
        (b"\x04" + RAW, "cut off"),
        (b"\x04" + RAW[:7], "do not fit"),
        (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" + RAW, "do not fit"),
        (b"\x03\x12" + RAW + b"\x00", "cannot have 9 bytes"),
        (b"\x03\x0f" + RAW + b"\x00", "cannot have -8 bytes"),
        (b"\xff" * 9 + b"\x01" + b"\x10" + RAW + b"\x00", "cannot have 8 bytes"),
    ],
)
def test_broken_blocks_are_refused(block: bytes, reason: str) -> None:
    """A count that the bytes cannot hold is refused before anything of that size is allocated."""
    with pytest.raises(ValueError, match=reason):
        vectors.read(block, 0)


def test_an_empty_array_is_one_byte() -> None:
    """A deletion carries no vectors: a single zero count, read as an empty, read-only array."""
    assert vectors.block(np.empty(0, np.float32)) == b"\x00"
    found, end = vectors.read(b"\x00", 0)
    assert (found.size, found.dtype, end) == (0, np.float32, 1)
    assert not found.flags.writeable


def test_vectors_that_do_not_fit_the_chunks_are_refused_on_read() -> None:
    """A record whose vectors are not chunks x dimension is damage: it names the field."""
    value = Codec().encode(example("doc.embedded"))
    assert value.endswith(b"\x08" + example("doc.embedded").vectors.tobytes() + b"\x00")
    short = value[: -1 - 16 - 1] + b"\x02" + b"\x00" * 4 + b"\x00"
    with pytest.raises(DecodeError, match="need 4") as caught:
        Codec().decode(DocEmbedded, short)
    assert caught.value.field == "vectors"


def test_trailing_bytes_are_refused() -> None:
    """One record per value."""
    with pytest.raises(DecodeError, match="3 bytes follow"):
        Codec().decode(DocEmbedded, Codec().encode(example("doc.embedded")) + b"abc")
