"""A Parquet file that is written batch by batch, and whose columns take the types that their values need."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from agentkit.cells import csv_cell

_REWRITTEN = 50_000
_AS_THEY_ARE = frozenset((str, bool, int, float, type(None), date))


class ParquetFile:
    """Rows come in batches. When a later batch does not fit the types so far, what is written is written again.

    Databases tell types that their values do not keep (SQLite), or none (an expression), so the values decide: whole
    numbers become floating ones, decimals wider, and values that share no type text.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._names = list(names)
        self._schema = pa.schema([(name, pa.null()) for name in names])
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._writer is None:
            self._open()
        if self._writer is not None:
            self._writer.close()

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows, each with a value for every column."""
        columns = [
            _array([v if type(v) in _AS_THEY_ARE else _plain(v) for v in values]) for values in zip(*rows, strict=True)
        ]
        fields = [pa.field(f.name, _common(f.type, c.type)) for f, c in zip(self._schema, columns, strict=True)]
        wanted = pa.schema(fields)
        if wanted != self._schema:
            self._widen(wanted)
        if self._writer is None:
            self._open()
        self._writer.write_table(pa.table([_cast(c, f.type) for c, f in zip(columns, wanted, strict=True)], wanted))

    def _open(self) -> None:
        self._writer = pq.ParquetWriter(self._path, self._schema, compression="zstd")

    def _widen(self, wanted: Any) -> None:
        self._schema = wanted
        if self._writer is None:
            return
        self._writer.close()
        before = self._path.with_name(self._path.name + ".before")
        self._path.replace(before)
        try:
            self._open()
            with pq.ParquetFile(before) as file:
                for batch in file.iter_batches(_REWRITTEN):
                    cast = [_cast(c, f.type) for c, f in zip(batch.columns, wanted, strict=True)]
                    self._writer.write_table(pa.table(cast, wanted))
        finally:
            before.unlink(missing_ok=True)


def _array(values: list[Any]) -> Any:
    """The values as Arrow has them; as texts where they share no type."""
    with contextlib.suppress(pa.ArrowException, OverflowError, ValueError, TypeError):
        return pa.array(values)
    numbers = all(v is None or (isinstance(v, (int, float)) and not isinstance(v, bool)) for v in values)
    if numbers and all(v is None or isinstance(v, float) or abs(v) <= 2**53 for v in values):
        return pa.array([None if v is None else float(v) for v in values])
    return pa.array([None if v is None else _text(v) for v in values], pa.string())


def _common(first: Any, second: Any) -> Any:
    """The type that holds the values of both, text if there is no other."""
    if first == second or pa.types.is_null(second):
        return first
    if pa.types.is_null(first):
        return second
    if pa.types.is_boolean(first) or pa.types.is_boolean(second):
        return pa.string()
    try:
        made = [pa.schema([("value", kind)]) for kind in (first, second)]
        return pa.unify_schemas(made, promote_options="permissive").field(0).type
    except (pa.ArrowException, ValueError):
        return pa.string()


def _cast(column: Any, kind: Any) -> Any:
    if column.type == kind:
        return column
    if not pa.types.is_string(kind):
        return column.cast(kind)
    return pa.array([None if v is None else _text(v) for v in column.to_pylist()], pa.string())


def _plain(value: Any) -> Any:
    """Values that Parquet has no type for, or that differ from row to row, in one that it has."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value
    if isinstance(value, Decimal):
        return value if value.is_finite() else math.nan
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (list, tuple, set, dict)):
        return csv_cell(value)
    if isinstance(value, timedelta) or type(value).__module__ not in ("datetime", "builtins"):
        return str(value)
    return value


def _text(value: Any) -> str:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
