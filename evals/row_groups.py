"""Parquet files of any length, written a row group at a time, so that memory does not grow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def write_groups(path: Path, rows: int, size: int, columns: Callable[[int, int], Mapping[str, Any]]) -> None:
    """`columns(start, count)` makes the arrays of the rows from `start` on; `size`: rows of a group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for start in range(0, rows, size):
        table = pa.table(dict(columns(start, min(size, rows - start))))
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()
