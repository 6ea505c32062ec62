"""Readers: one for each family of file formats, all with the same face. Used by `agentkit.datasets` alone."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import itertools
import json
import lzma
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

from agentkit.compaction import BIG_CELLS, from_arrow, from_chunks, rows_at_once
from agentkit.dialects import cut_note, delimiter_of, encoding_of, number_marks
from agentkit.errors import DatasetError, MissingExtra

if TYPE_CHECKING:
    from pandas import DataFrame

_HEAD = 50
_BIG_TEXT = 32 << 20
_TAIL = 1 << 16


class Reader(Protocol):
    """What a `Dataset` needs of its files. `columns=None` means all of them."""

    @property
    def format(self) -> str: ...

    def columns(self) -> list[str]: ...

    def rows(self) -> int: ...

    def frame(self, columns: list[str] | None) -> DataFrame: ...

    def batches(self, rows: int, columns: list[str] | None, start: int = 0) -> Iterator[DataFrame]: ...


def open_reader(name: str, paths: tuple[Path, ...], kind: str, sheet: str | None) -> tuple[Reader, list[str]]:
    """The reader for files of this kind (a suffix), with notes on what was guessed. Raises DatasetError."""
    try:
        if kind in (".parquet", ".pq", ".arrow", ".feather", ".ipc"):
            return _open_arrow(name, paths, kind), []
        if kind in (".xlsx", ".xlsm"):
            return _open_sheet(name, paths[0], sheet)
        if kind in (".json", ".jsonl", ".ndjson"):
            return _open_json(name, paths[0], lines=kind != ".json"), []
        return _open_text(name, paths[0], kind)
    except (OSError, EOFError, lzma.LZMAError, csv.Error) as error:
        raise DatasetError(f"{name!r} cannot be read: {_reason(error)}. Is it complete?") from error


@dataclass(frozen=True)
class TextReader:
    """CSV, TSV and the like, of one encoding, delimiter, header and way to write numbers."""

    name: str
    path: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    format: str = "csv"
    decimal: str = "."
    thousands: str | None = None

    def columns(self) -> list[str]:
        return list(self.header)

    def rows(self) -> int:
        return sum(len(b) for b in self.batches(200_000, [self.header[0]]))

    def frame(self, columns: list[str] | None) -> DataFrame:
        if self.path.stat().st_size > _BIG_TEXT:
            return self._compact(columns or list(self.header))
        with _readable(self.path) as file, self._explained():
            frame: DataFrame = self._read(file, columns)
            return frame[columns] if columns else frame

    def _compact(self, columns: list[str]) -> DataFrame:
        """In chunks, each made small before the next is read."""
        with _readable(self.path) as file, self._explained():
            with self._read(file, columns, chunksize=rows_at_once(len(self.header))) as chunks:
                frame, mixed = from_chunks(chunks, columns)
            if not mixed:
                return frame
        with _readable(self.path) as file, self._explained():
            options = {"chunksize": rows_at_once(len(mixed)), "dtype": "str"}
            with self._read(file, mixed, **options) as chunks:
                texts, _ = from_chunks(chunks, mixed)
        return frame.assign(**{str(c): texts[c] for c in mixed})[columns]

    def batches(self, rows: int, columns: list[str] | None, start: int = 0) -> Iterator[DataFrame]:
        with _readable(self.path) as file, self._explained(), self._read(file, columns, chunksize=rows) as chunks:
            for chunk in _after(chunks, start):
                yield chunk[columns] if columns else chunk

    def _read(self, file: IO[bytes], columns: list[str] | None, **options: Any) -> Any:
        import pandas as pd

        return pd.read_csv(
            file, sep=self.delimiter, encoding=self.encoding, names=list(self.header), header=0, usecols=columns,
            na_values=["?"], skipinitialspace=True, index_col=False, low_memory=False, decimal=self.decimal,
            thousands=self.thousands, **options,
        )  # fmt: skip

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import pandas as pd

        try:
            yield
        except (pd.errors.ParserError, UnicodeError, EOFError, OSError, lzma.LZMAError) as error:
            raise DatasetError(f"{self.name!r} cannot be read: {_reason(error)}. Correct or save it again.") from error


@dataclass(frozen=True)
class RecordReader:
    """Rows that come as dictionaries: JSON, JSON Lines; nested objects become columns `outer.inner`."""

    name: str
    path: Path
    header: tuple[str, ...]
    format: str

    def columns(self) -> list[str]:
        return list(self.header)

    def rows(self) -> int:
        return sum(1 for _ in _records(self.name, self.path, self.format))

    def frame(self, columns: list[str] | None) -> DataFrame:
        return self._framed(list(_records(self.name, self.path, self.format)), columns)

    def batches(self, rows: int, columns: list[str] | None, start: int = 0) -> Iterator[DataFrame]:
        records = _records(self.name, self.path, self.format)
        next(itertools.islice(records, start, start), None)
        while part := list(itertools.islice(records, rows)):
            frame = self._framed(part, columns)
            frame.index += start
            start += len(part)
            yield frame

    def _framed(self, records: list[dict[str, Any]], columns: list[str] | None) -> DataFrame:
        import pandas as pd

        frame = pd.DataFrame.from_records([_flat(r) for r in records])
        return frame.reindex(columns=columns or list(self.header))


@dataclass(frozen=True)
class SheetReader:
    """One sheet of an Excel workbook: the first row that is not blank is the header."""

    name: str
    path: Path
    sheet: str
    header: tuple[str, ...]
    format: str = "excel"

    def columns(self) -> list[str]:
        return list(self.header)

    def rows(self) -> int:
        return len(self.frame([self.header[0]]))

    def frame(self, columns: list[str] | None) -> DataFrame:
        import pandas as pd

        with _workbook(self.name, self.path) as book:
            rows = list(itertools.islice(_cells(book[self.sheet]), 1, None))
        width = len(self.header)
        padded = [(*r[:width], *[None] * (width - len(r))) for r in rows]
        frame = pd.DataFrame.from_records(padded, columns=list(self.header)).infer_objects()
        return frame[columns] if columns else frame

    def batches(self, rows: int, columns: list[str] | None, start: int = 0) -> Iterator[DataFrame]:
        frame = self.frame(columns)
        for first in range(start, len(frame), rows):
            yield frame.iloc[first : first + rows]


@dataclass(frozen=True)
class ArrowReader:
    """Parquet (one or several files) and Arrow, read in batches without loading the whole."""

    name: str
    data: Any
    format: str

    def columns(self) -> list[str]:
        return list(self.data.schema.names)

    def rows(self) -> int:
        with self._explained():
            return int(self.data.count_rows())

    def frame(self, columns: list[str] | None) -> DataFrame:
        with self._explained():
            names = columns or self.columns()
            rows = self.data.count_rows()
            if rows * len(names) >= BIG_CELLS:
                return from_arrow(self.data, names, rows)
            return cast("DataFrame", self.data.to_table(columns=columns).to_pandas(ignore_metadata=True))

    def batches(self, rows: int, columns: list[str] | None, start: int = 0) -> Iterator[DataFrame]:
        with self._explained():
            for first, batch in self._record_batches(rows, columns, start):
                if first + batch.num_rows > start:
                    frame = cast("DataFrame", batch.to_pandas(ignore_metadata=True))
                    frame = frame.reindex(columns=columns or self.columns())
                    frame.index += first
                    yield frame if first >= start else frame.iloc[start - first :]

    def _record_batches(self, rows: int, columns: list[str] | None, start: int) -> Iterator[tuple[int, Any]]:
        """Batches with the number of their first row, from the one that `start` is in or earlier.

        Parquet file by file: Arrow's scanner reads ahead, and keeps more the more rows there are.
        """
        import pyarrow.parquet as pq

        first = 0
        if self.format != "parquet":
            for batch in self.data.to_batches(columns=columns, batch_size=rows):
                yield first, batch
                first += batch.num_rows
            return
        for path in self.data.files:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
                skipped = 0
                while skipped < len(sizes) and first + sizes[skipped] <= start:
                    first += sizes[skipped]
                    skipped += 1
                wanted = range(skipped, len(sizes))
                for batch in file.iter_batches(rows, row_groups=wanted, columns=columns) if wanted else ():
                    yield first, batch
                    first += batch.num_rows

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{self.name!r} cannot be read: {_reason(error)}. Is the file complete?") from error


def _after(frames: Iterable[DataFrame], start: int) -> Iterator[DataFrame]:
    """The frames without the rows before `start`: what a text column holds is told by its whole frame."""
    for frame in frames:
        if len(frame) and frame.index[-1] >= start:
            yield frame if frame.index[0] >= start else frame.loc[frame.index >= start]


def _open_text(name: str, path: Path, kind: str) -> tuple[Reader, list[str]]:
    with _readable(path) as file:
        encoding, notes = encoding_of(name, file)
    with _readable(path) as file, io.TextIOWrapper(cast("Any", file), encoding, "replace", newline="") as lines:
        head = list(itertools.islice((line for line in lines if line.strip()), _HEAD))
    if not head:
        raise DatasetError(f"{name!r} is empty. It needs a header and at least one row.")
    delimiter, told = delimiter_of(name, head, "\t" if kind == ".tsv" else ",")
    rows = [r for r in csv.reader(head, delimiter=delimiter, skipinitialspace=True) if r]
    header = [cell.strip() or f"Unnamed: {i}" for i, cell in enumerate(rows[0])]
    _check_header(name, header)
    if len(rows) < 2:
        raise DatasetError(f"{name!r} has a header but no rows.")
    if len(rows[1]) > len(header) and any(rows[1][len(header) :]):
        widths = f"the header has {len(header)} columns, the first row {len(rows[1])}"
        raise DatasetError(f"{name!r}: {widths}. Name every column in the first line.")
    decimal, thousands, marks = number_marks(name, [r for r in rows[1:] if len(r) == len(header)])
    cut = cut_note(name, _last_line(path, encoding), delimiter, len(header))
    reader = TextReader(
        name, path, encoding, delimiter, tuple(header), "tsv" if delimiter == "\t" else "csv", decimal, thousands
    )
    return reader, [*notes, *told, *marks, *cut]


def _last_line(path: Path, encoding: str) -> str:
    """The last line of a file, with its end if it has one; '' where that takes reading it all, or it is very long."""
    if path.suffix.lower() in (".gz", ".bz2", ".xz", ".zst") or encoding.startswith(("utf-16", "utf-32")):
        return ""
    start = max(0, path.stat().st_size - _TAIL)
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(encoding, "replace").splitlines(keepends=True)
    return lines[-1] if len(lines) > bool(start) else ""


def _open_json(name: str, path: Path, *, lines: bool) -> Reader:
    kind = "jsonl" if lines else "json"
    header: dict[str, None] = {}
    for record in itertools.islice(_records(name, path, kind), 1000 if lines else None):
        header.update(dict.fromkeys(_flat(record)))
    if not header:
        raise DatasetError(f"{name!r} is empty. It needs at least one object with the columns as keys.")
    return RecordReader(name, path, tuple(header), kind)


def _open_sheet(name: str, path: Path, sheet: str | None) -> tuple[Reader, list[str]]:
    with _workbook(name, path) as book:
        sheets: list[str] = [s.title for s in book.worksheets]
        if sheet is not None and sheet not in sheets:
            raise DatasetError(f"{name!r} names a sheet that is not there. Sheets: {', '.join(map(repr, sheets))}.")
        chosen = sheet or sheets[0]
        rows = list(itertools.islice(_cells(book[chosen]), 2))
    if not rows:
        raise DatasetError(f"{name!r}: sheet {chosen!r} is empty. It needs a header and at least one row.")
    header = [f"Unnamed: {i}" if cell is None else str(cell).strip() for i, cell in enumerate(rows[0])]
    _check_header(name, header)
    if len(rows) < 2:
        raise DatasetError(f"{name!r}: sheet {chosen!r} has a header but no rows.")
    notes = []
    if sheet is None and len(sheets) > 1:
        other = f"{name}#{sheets[1]}"
        notes = [f"{name!r} has {len(sheets)} sheets; {chosen!r} was read. Write {other!r} for another."]
    return SheetReader(name, path, chosen, tuple(header)), notes


def _open_arrow(name: str, paths: tuple[Path, ...], kind: str) -> Reader:
    import pyarrow as pa
    import pyarrow.dataset

    kind = "parquet" if kind in (".parquet", ".pq") else "ipc"
    try:
        data = pyarrow.dataset.dataset([str(p) for p in paths], format=kind)
        rows = data.count_rows()
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{name!r} is not a complete {kind} file. Write it again.") from error
    _check_header(name, data.schema.names)
    if not rows:
        raise DatasetError(f"{name!r} has columns but no rows.")
    return ArrowReader(name, data, "parquet" if kind == "parquet" else "arrow")


def _check_header(name: str, header: Sequence[str]) -> None:
    twice = [c for c, n in Counter(header).items() if n > 1]
    if twice:
        raise DatasetError(f"{name!r} has the column {twice[0]!r} more than once. Give every column a name of its own.")
    if not header:
        raise DatasetError(f"{name!r} has no columns.")


@contextmanager
def _readable(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed."""
    suffix = path.suffix.lower()
    if suffix == ".zst":
        try:
            import zstandard
        except ImportError as error:
            raise MissingExtra(f"{path.name!r} is packed with zstd: pip install 'agentkit-ml[ml]'") from error
        with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as file:
            yield cast("IO[bytes]", io.BufferedReader(file))
        return
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(suffix, open)
    with opener(path, "rb") as file:
        yield file


def _records(name: str, path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """The objects of a JSON file, one a row. Raises DatasetError that names the place of an error."""
    try:
        with _readable(path) as file:
            if kind == "jsonl":
                yield from _parsed_lines(name, file)
            else:
                yield from _objects(name, json.loads(file.read().decode("utf-8-sig")))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{name!r} is not valid JSON: line {error.lineno}: {error.msg}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name!r} is not UTF-8, as JSON must be. Save it as UTF-8.") from error
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise DatasetError(f"{name!r} cannot be read: {_reason(error)}. Is it complete?") from error


def _parsed_lines(name: str, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        if not text:
            continue
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise DatasetError(f"{name!r}, line {number}: not valid JSON: {error.msg}.") from error
        if not isinstance(record, dict):
            raise DatasetError(f"{name!r}, line {number}: each line must be an object with the columns as keys.")
        yield record


def _objects(name: str, data: Any) -> Iterator[dict[str, Any]]:
    """The rows of a list of objects, of an object of columns, or of an object that holds one such list."""
    if isinstance(data, dict) and data and all(isinstance(v, list) for v in data.values()):
        only = next(iter(data.values()))
        if len(data) > 1 or not all(isinstance(r, dict) for r in only):
            if len({len(v) for v in data.values()}) > 1:
                raise DatasetError(f"{name!r}: its columns have different lengths.")
            data = [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]
        else:
            data = only
    if isinstance(data, dict) and data and all(isinstance(v, dict) for v in data.values()):
        index = dict.fromkeys(key for column in data.values() for key in column)
        data = [{name: column.get(key) for name, column in data.items()} for key in index]
    if not isinstance(data, list) or not all(isinstance(r, dict) for r in data):
        raise DatasetError(f"{name!r} must be a list of objects, each a row with the columns as keys.")
    yield from data


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = json.dumps(value) if isinstance(value, list) else value
    return flat


@contextmanager
def _workbook(name: str, path: Path) -> Iterator[Any]:
    import openpyxl  # type: ignore[import-untyped]
    from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{name!r} is not an Excel workbook that can be read. Save it again as .xlsx.") from error
    try:
        yield book
    finally:
        book.close()


def _cells(sheet: Any) -> Iterator[tuple[Any, ...]]:
    """Rows of a sheet that are not blank, without the blank columns to the right."""
    for row in sheet.iter_rows(values_only=True):
        end = max((i for i, cell in enumerate(row, 1) if cell is not None), default=0)
        if end:
            yield row[:end]


def _reason(error: BaseException) -> str:
    """The first sentence of a library's message, without the class names in front."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"^(Error tokenizing data\. )?(C error: )?", "", first).rstrip(".")[:200]
