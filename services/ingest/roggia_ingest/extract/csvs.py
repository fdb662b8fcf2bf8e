"""CSV as one table."""

from __future__ import annotations

import csv
import io
import re

from roggia_ingest.errors import ContentError
from roggia_ingest.extract.decoding import decode
from roggia_ingest.extract.extracted import Extracted
from roggia_ingest.extract.tables import MAX_COLUMNS, gfm

_SAMPLE = 16_384
_DELIMITERS = ",;\t|"
_MAX_CELL = 1 << 20
_QUOTED = re.compile(r'"[^"]*"')


def csv_table(content: bytes, charset: str | None) -> Extracted:
    """A GFM table; the first row with content is the header. The delimiter is one of comma, semicolon, tab, bar."""
    text = decode(content, charset)
    try:
        rows = _rows(text)
    except csv.Error as error:
        raise ContentError("content", f"CSV cannot be read: {error}") from None
    if rows and max(map(len, rows)) > MAX_COLUMNS:
        raise ContentError("content", f"CSV of {max(map(len, rows))} columns; at most {MAX_COLUMNS}")
    return Extracted(gfm(rows), markdown=True, extractor="csv/1")


def _rows(text: str) -> list[list[str]]:
    csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text[:_SAMPLE]), strict=True)
    return [row for row in reader if any(cell.strip() for cell in row)]


def _delimiter(sample: str) -> str:
    """The delimiter that the first line has most of, outside quotes; a comma when it has none."""
    header = _QUOTED.sub("", next((line for line in sample.splitlines() if line.strip()), ""))
    return max(_DELIMITERS, key=header.count)
