"""Records in a Parquet file: the columns of the ledger's table, in the order of their leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from roggia_auditor.adapters import columns
from roggia_auditor.errors import SegmentError
from roggia_auditor.ledger.model import Row
from roggia_auditor.retention.ports import Wanted

_GROUP = 4_096
"""Records of a row group: what is decoded for one of them, about a megabyte."""
_INTEGERS = frozenset({"leaf_index", "tenant_seq", "status", "occurred_at", "cost_pico"})
_BYTES = frozenset({"entry", "leaf_hash", "value"})
_NUMBERS = ("leaf_index", "tenant", "tenant_seq")
"""Columns that are kept at hand, to find the row groups of what is asked for."""


class RecordWriter:
    """Writes a file page by page; as a context manager, which completes it."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self._schema = _schema()
        self._out = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        """Append records."""
        import pyarrow as pa

        values = zip(*(columns.to_record(0, row)[1:] for row in rows), strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(values, self._schema, strict=True)]
        self._out.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=_GROUP)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.close()


class RecordFile:
    """Reads a file; tenants and numbers of its records are read once and kept."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._numbers: Any = None

    def rows(self, start: int, limit: int) -> Sequence[Row]:
        """See `roggia_auditor.retention.ports.SegmentReader`."""
        import pyarrow.compute as pc

        return self._at(pc.greater_equal(self._index()["leaf_index"], start), limit)

    def tenant_rows(self, tenant: str, start: int, limit: int) -> Sequence[Row]:
        """See `roggia_auditor.retention.ports.SegmentReader`."""
        import pyarrow.compute as pc

        held = self._index()
        return self._at(pc.and_(pc.equal(held["tenant"], tenant), pc.greater_equal(held["tenant_seq"], start)), limit)

    def find(self, wanted: Wanted, limit: int) -> Sequence[Row]:
        """See `roggia_auditor.retention.ports.SegmentReader`. Raises `LedgerError` for another field."""
        import pyarrow as pa
        import pyarrow.compute as pc

        held = self._read([columns.checked(wanted.field), "tenant"])
        fits = pc.equal(held[wanted.field], wanted.value)
        if wanted.tenants is not None:
            fits = pc.and_(fits, pc.is_in(held["tenant"], value_set=pa.array(sorted(wanted.tenants), pa.string())))
        return self._at(fits, limit)

    def _at(self, wanted: Any, limit: int) -> Sequence[Row]:
        """The first records for which it is so: their row groups are decoded, no others."""
        import pyarrow.compute as pc

        places = pc.indices_nonzero(wanted)[:limit].to_pylist()
        found: list[Row] = []
        with self._opened() as file:
            at = 0
            for group in range(file.num_row_groups):
                end = at + file.metadata.row_group(group).num_rows
                if inside := [place - at for place in places if at <= place < end]:
                    table = file.read_row_group(group, columns=list(columns.ROW)).take(inside)
                    found += [
                        columns.from_record(tuple(row[name] for name in columns.ROW)) for row in table.to_pylist()
                    ]
                at = end
        return found

    def _index(self) -> Any:
        if self._numbers is None:
            self._numbers = self._read(list(_NUMBERS))
        return self._numbers

    def _read(self, names: list[str]) -> Any:
        with self._opened() as file:
            return file.read(columns=names)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self._path) as file:
                yield file
        except (OSError, pa.ArrowInvalid) as error:
            raise SegmentError(f"segment {self._name} cannot be read: {error}") from error


def _schema() -> Any:
    import pyarrow as pa

    def kind(name: str) -> Any:
        return pa.int64() if name in _INTEGERS else pa.binary() if name in _BYTES else pa.string()

    return pa.schema([(name, kind(name)) for name in columns.RECORD[1:]])
