"""Data sets read one column at a time: files, tables in memory, and what has to be written to disk first for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agentkit.errors import DatasetError

if TYPE_CHECKING:
    from pandas import DataFrame

    from agentkit.datasets import Dataset

CHUNK = 1 << 18
"""Rows of a column that are in memory at once where a file is streamed."""

_BATCH_CELLS = 4_000_000
_IN_MEMORY = 32 << 20
"""Bytes of a text file below which it is read at once."""


class Source(Protocol):
    """A data set, column by column. `chunks` can be asked for again and again."""

    name: str
    rows: int
    columns: list[str]

    def chunks(self, column: str) -> Iterator[Any]:
        """The column as Arrow arrays, in the order of the rows, each of at most about CHUNK rows."""

    def column(self, column: str) -> list[Any]:
        """The whole column as Arrow arrays."""


class TableSource:
    """Arrow tables of the same columns, in memory; a column may have another type in each of them."""

    def __init__(self, name: str, tables: Sequence[Any]) -> None:
        self.name = name
        self._tables = list(tables)
        self.rows = sum(t.num_rows for t in self._tables)
        self.columns: list[str] = list(dict.fromkeys(c for t in self._tables for c in t.column_names))

    def column(self, column: str) -> list[Any]:
        return [_column(t, column) for t in self._tables]

    def chunks(self, column: str) -> Iterator[Any]:
        for whole in self.column(column):
            for start in range(0, max(len(whole), 1), CHUNK):
                yield whole.slice(start, CHUNK)


class ParquetSource:
    """Parquet files. Texts are read as dictionaries, as most of them are stored."""

    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.name = name
        self._paths = list(paths)
        self._files: list[Any] = []
        with _explained(name):
            for path in self._paths:
                schema = pq.read_schema(path)
                texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
                self._files.append(pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False))
        self.rows = sum(f.metadata.num_rows for f in self._files)
        names = (n for f in self._files for n in f.schema_arrow.names)
        self.columns: list[str] = list(dict.fromkeys(names))

    def column(self, column: str) -> list[Any]:
        with _explained(self.name):
            return [_column(f.read([column], use_threads=False), column) for f in self._files]

    def chunks(self, column: str) -> Iterator[Any]:
        with _explained(self.name):
            for file in self._files:
                for batch in file.iter_batches(CHUNK, columns=[column], use_threads=False):
                    yield _column(batch, column)

    def close(self) -> None:
        for file in self._files:
            file.close()


@dataclass
class Opened:
    """Sources that are open, and what closes them."""

    stack: ExitStack

    def dataset(self, data: Dataset) -> Source:
        """A data set of the workspace."""
        if data.format == "parquet":
            return self.parquet(data.name, data.paths)
        if data.format == "arrow" or sum(p.stat().st_size for p in data.paths) <= _IN_MEMORY:
            return frame_source(data.name, data.frame())
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="agentkit-drift-")))
        return self.parquet(data.name, _spooled(data, folder))

    def parquet(self, name: str, paths: Sequence[Path]) -> Source:
        """Parquet files of the same columns."""
        source = ParquetSource(name, paths)
        self.stack.callback(source.close)
        return source


@contextmanager
def opening() -> Iterator[Opened]:
    """While this lasts, sources that are opened by it can be read."""
    with ExitStack() as stack:
        yield Opened(stack)


def frame_source(name: str, frame: DataFrame) -> TableSource:
    """A data frame. Columns of mixed values become texts. Raises DatasetError if two columns share a name."""
    import pyarrow as pa

    names = [str(c) for c in frame.columns]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DatasetError(f"{name!r} has the column {twice!r} more than once. Give every column a name of its own.")
    arrays = [_array(frame.iloc[:, i]) for i in range(len(names))]
    if not arrays:
        raise DatasetError(f"{name!r} has no columns.")
    return TableSource(name, [pa.table(arrays, names=names)])


def _array(column: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    from agentkit.profiles import as_text

    if isinstance(column.dtype, pd.DatetimeTZDtype):
        times = pa.array(column.dt.tz_convert(None), from_pandas=True)
        return times.cast(pa.timestamp(times.type.unit, "UTC"))
    try:
        made = pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        made = pa.array(as_text(column), from_pandas=True)
    return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made


def _spooled(data: Dataset, folder: Path) -> list[Path]:
    """The data set as Parquet files, a batch each. Columns whose type differs between batches are read as a whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths: list[Path] = []
    types: dict[str, set[str]] = {}
    for batch in data.batches(max(10_000, _BATCH_CELLS // len(data.columns))):
        table = pa.table([_array(batch[c]) for c in data.columns], names=data.columns)
        for field in table.schema:
            types.setdefault(field.name, set()).add(_family(field.type))
        paths.append(folder / f"{len(paths):05}.parquet")
        pq.write_table(table, paths[-1])
    mixed = [c for c, found in types.items() if "text" in found and len(found - {"null"}) > 1]
    if mixed:
        _rewrite(data, mixed, paths)
    return paths


def _rewrite(data: Dataset, mixed: list[str], paths: list[Path]) -> None:
    """Put these columns in again with the type that they have in the file as a whole: '007' stays a text."""
    import pyarrow.parquet as pq

    whole = {c: _array(data.frame([c])[c]) for c in mixed}
    first = 0
    for path in paths:
        table = pq.read_table(path)
        for column, values in whole.items():
            part = values.slice(first, table.num_rows)
            table = table.set_column(table.column_names.index(column), column, part)
        first += table.num_rows
        pq.write_table(table, path)


def _family(type_: Any) -> str:
    import pyarrow as pa

    if pa.types.is_null(type_):
        return "null"
    number = pa.types.is_integer(type_) or pa.types.is_floating(type_)
    return "number" if number else "text" if pa.types.is_string(type_) or pa.types.is_large_string(type_) else "other"


def _column(table: Any, name: str) -> Any:
    """One column as one array; missing throughout where the table does not have it."""
    import pyarrow as pa

    if name not in table.schema.names:
        return pa.nulls(table.num_rows)
    found = table.column(name)
    if not isinstance(found, pa.ChunkedArray):
        return found
    if found.num_chunks == 1:
        return found.chunk(0)
    if pa.types.is_dictionary(found.type):
        found = found.unify_dictionaries()
    return found.combine_chunks()


@contextmanager
def _explained(name: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:200].rstrip(".")
        raise DatasetError(f"{name!r} cannot be read: {reason}. Is the file complete?") from error
