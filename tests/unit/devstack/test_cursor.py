"""The reader of network bytes never reads past a frame and never believes a length."""

import pytest
from roggia_devstack.wire.cursor import MAX_ELEMENTS, Cursor
from roggia_devstack.wire.errors import MalformedError


@pytest.mark.parametrize("read", ["int8", "int16", "uint16", "int32", "int64", "float64", "uuid", "boolean", "uvarint"])
def test_nothing_is_read_past_the_end(read: str) -> None:
    """Every primitive refuses an empty rest, also when the buffer goes on behind the frame's end."""
    with pytest.raises(MalformedError):
        getattr(Cursor(b"\x01" * 40, pos=3, end=3), read)()


def test_numbers() -> None:
    """Numbers are big endian and signed where the protocol says so."""
    cursor = Cursor(bytes.fromhex("fffffefffe800000007fffffffffffffff"))
    assert cursor.int8() == -1
    assert cursor.int16() == -2
    assert cursor.uint16() == 0xFFFE
    assert cursor.int32() == -(2**31)
    assert cursor.int64() == 2**63 - 1


@pytest.mark.parametrize(
    ("data", "value"), [(b"\x00", 0), (b"\x7f", 127), (b"\x80\x01", 128), (b"\xff\xff\xff\xff\x0f", 2**32 - 1)]
)
def test_varints(data: bytes, value: int) -> None:
    """Seven bits a byte, least significant first."""
    assert Cursor(data).uvarint() == value


@pytest.mark.parametrize("data", [b"\x80", b"\xff" * 5, b"\xff" * 9])
def test_endless_varints_are_refused(data: bytes) -> None:
    """A varint that does not end within five bytes or within the frame is malformed."""
    with pytest.raises(MalformedError):
        Cursor(data).uvarint()


@pytest.mark.parametrize("size", [-1, 5, 2**31 - 1])
def test_sizes_are_checked_before_anything_is_made(size: int) -> None:
    """A size that is negative or beyond the frame is refused."""
    with pytest.raises(MalformedError):
        Cursor(b"abcd").take(size)


def test_array_lengths_must_fit_the_frame() -> None:
    """An array's count is believed only if its smallest elements would fit in what is left."""
    cursor = Cursor(b"\0" * 40)
    assert cursor.elements(10, 4) == 10
    with pytest.raises(MalformedError, match="do not fit"):
        cursor.elements(11, 4)


def test_elements_are_capped_over_the_whole_request() -> None:
    """Many small arrays together are refused like one that is too long: elements cost far more than their bytes."""
    cursor = Cursor(b"\0" * 300_000)
    cursor.elements(MAX_ELEMENTS, 1)
    with pytest.raises(MalformedError, match="array elements"):
        cursor.elements(1, 1)


def test_strings_must_be_utf8() -> None:
    """Bytes that are no UTF-8 are malformed, not an error of ours."""
    with pytest.raises(MalformedError, match="UTF-8"):
        Cursor(b"\xff\xfe").text(2)
