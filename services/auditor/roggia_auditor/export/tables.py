"""Rows written as JSON lines, CSV and Parquet: each format in a file of its own, written once, from its start."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from roggia_auditor.errors import ExportError
from roggia_auditor.export.columns import COLUMNS, Kind, Value

Row = Sequence[Value]
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠'")
"""What makes a spreadsheet take a text for a formula (OWASP: CSV injection), and the mark that keeps it from that."""


class Format(StrEnum):
    """A format, by the ending of its file."""

    JSONL = "jsonl"
    PARQUET = "parquet"
    CSV = "csv"


class Table(Protocol):
    """A file that rows are written to."""

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows, in the order of `COLUMNS`."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


def table(kind: Format, path: Path) -> Table:
    """A new file. Raises `ExportError` for Parquet where pyarrow is not installed."""
    makers: dict[Format, type[_Jsonl | _Csv | _Parquet]] = {
        Format.JSONL: _Jsonl,
        Format.CSV: _Csv,
        Format.PARQUET: _Parquet,
    }
    return makers[kind](path)


def guarded(text: str) -> str:
    """A text that no spreadsheet runs: with ' in front where it begins with =, +, -, @, a line's end, a tab or '."""
    return f"'{text}" if text[:1] in _FORMULA or text.lstrip()[:1] in _FORMULA else text


class _Jsonl:
    """One object per line. Integers are strings: readers keep no more than 53 bits of a number."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            found = {
                column.name: str(value) if isinstance(value, int) else value
                for column, value in zip(COLUMNS, row, strict=True)
            }
            self._file.write(json.dumps(found, separators=(",", ":"), ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()


class _Csv:
    """RFC 4180, UTF-8, a header; an empty field is none, or an empty text. Texts are guarded against formulas."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\r\n")
        self._writer.writerow([column.name for column in COLUMNS])

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.writerows([[guarded(value) if isinstance(value, str) else value for value in row] for row in rows])

    def close(self) -> None:
        self._file.close()


class _Parquet:
    """zstd, one row group per page; integers are int64, times milliseconds since 1970 as integers."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:
            raise ExportError(f"Parquet needs pyarrow ({error}): pip install 'roggia[auditor]'") from None
        types: dict[Kind, Any] = {
            Kind.TEXT: pa.string(),
            Kind.INTEGER: pa.int64(),
            Kind.REAL: pa.float64(),
        }
        self._arrow: Any = pa
        self._schema = pa.schema([(column.name, types[column.kind]) for column in COLUMNS])
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        by_column = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
        arrays = [
            self._arrow.array(list(values), field.type) for values, field in zip(by_column, self._schema, strict=True)
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
