"""From bytes to text: the charset parameter, a byte order mark, UTF-8, then a guess."""

from __future__ import annotations

import codecs

from roggia_ingest.errors import ContentError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = frozenset({"unicode_escape", "raw_unicode_escape", "idna", "punycode", "utf_7", "undefined"})
_GUESS_BYTES = 65_536
_TOO_FEW = 20
"""With fewer non-ASCII bytes a guess is noise: then windows-1252, as the WHATWG encoding standard has it."""

_ALLOWED_CONTROL = 0.01


def decode(content: bytes, charset: str | None) -> str:
    """Text of `content`. Raises `ContentError` for an unknown charset, bytes that do not fit it, and binary data."""
    text = _decode(content, charset)
    control = sum(text.count(chr(code)) for code in _CONTROL)
    if control > len(text) * _ALLOWED_CONTROL:
        raise ContentError(
            "content",
            f"{control} of {len(text)} characters are control characters: this is not text; check content_type",
        )
    return text


def _decode(content: bytes, charset: str | None) -> str:
    if charset is not None:
        return _strictly(content, _known(charset), charset)
    for mark, name in _MARKS:
        if content.startswith(mark):
            return _strictly(content, name, name)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return _guess(content)


def _known(charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        name = "undefined"
    if name.replace("-", "_") in _NOT_TEXT:
        raise ContentError("content_type", f"charset {charset[:40]!r} is not known; use utf-8 or an IANA name")
    return "utf-8-sig" if name == "utf-8" else name


def _strictly(content: bytes, codec: str, name: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        raise ContentError(
            "content", f"byte {error.start} is not {name}; correct the charset of content_type"
        ) from None
    except LookupError:
        raise ContentError("content_type", f"charset {name[:40]!r} is not an encoding of text; use utf-8") from None


def _guess(content: bytes) -> str:
    from charset_normalizer import from_bytes

    if sum(byte > 127 for byte in content[:_GUESS_BYTES]) < _TOO_FEW:
        return content.decode("cp1252", errors="replace")
    best = from_bytes(content[:_GUESS_BYTES]).best()
    if best is None:
        raise ContentError("content", "the encoding cannot be told; add a charset parameter to content_type")
    return content.decode(best.encoding, errors="replace")


_CONTROL = [code for code in range(32) if code not in (9, 10, 12, 13)]
