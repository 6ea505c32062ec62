"""Output files that appear when they are complete; a run that was cut off goes on where it stopped.

What is written lies in a hidden folder beside the output, `.NAME.partial/`: the rows, and a manifest that says how many
of them are safe on disk and what they were made of. The folder goes when the output is there.
"""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from agentkit.errors import Cancelled, DatasetError, WorkspaceError, warn

if TYPE_CHECKING:
    from pyarrow import Table

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")

_MANIFEST = "manifest.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Manifest:
    """What is safe on disk: `rows` of them, `place` where the rows' file ends, made of what `key` says.

    `state` is the caller's, as it was when these rows had been written.
    """

    key: dict[str, Any]
    rows: int = 0
    columns: list[str] = field(default_factory=list)
    place: Any = None
    state: dict[str, Any] = field(default_factory=dict)


class _Rows(Protocol):
    """Rows on disk in one format. `place` is what `commit` returns and `open` goes on from."""

    def append(self, table: Table) -> None: ...

    def commit(self) -> Any: ...

    def whole(self) -> Path: ...

    def close(self) -> None: ...


class Output:
    """A file that is being written. `kept` is what an earlier run left: its rows are not to be appended again.

    `dropped`: there was something of another run, which is gone.
    """

    def __init__(self, rows: _Rows, folder: Path, kept: Manifest, dropped: bool) -> None:
        self.kept = kept
        self.dropped = dropped
        self.columns = kept.columns
        self._rows = rows
        self._folder = folder
        self._appended = kept.rows
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def append(self, table: Table) -> None:
        """Write rows while the caller makes the next ones; they are safe after the next `commit`."""
        self._wait()
        self.columns = table.column_names
        self._appended += table.num_rows
        self._writing = self._thread.submit(self._rows.append, table)

    def commit(self, state: dict[str, Any]) -> None:
        """Make all rows that were appended safe, and `state` with them."""
        self._wait()
        self.kept = Manifest(self.kept.key, self._appended, self.columns, self._rows.commit(), state)
        _write_manifest(self._folder, self.kept)

    def whole(self) -> Path:
        """The file with all rows."""
        self._wait()
        return self._rows.whole()

    def close(self) -> None:
        self._thread.shutdown()
        self._rows.close()

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()


@contextmanager
def output_file(path: Path, name: str, key: dict[str, Any]) -> Iterator[Output]:
    """Write `path` (shown as `name`), or go on with it if an earlier run of the same `key` was cut off.

    It takes its place, with all of its rows, when the block ends. Raises WorkspaceError if it cannot be written, or
    if another run is writing it.
    """
    folder = path.parent / f".{path.name}.partial"
    try:
        with _alone(folder, name):
            kept, dropped = _read_manifest(folder, path.suffix.lower(), key)
            output = Output(_open(folder, path.suffix.lower(), kept.place), folder, kept, dropped)
            keep = False
            try:
                yield output
                _replace(output.whole(), path)
            except BaseException as error:
                keep = output.kept.rows > 0 and not isinstance(error, DatasetError)
                _tell(error, output.kept.rows if keep else 0, name)
                raise
            finally:
                output.close()
                if not keep:
                    shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise WorkspaceError(_refusal(error, folder, name)) from error


def _tell(error: BaseException, rows: int, name: str) -> None:
    """Say that a stopped run can go on."""
    if not rows:
        return
    going_on = f"{rows} rows of {name!r} are kept: the same call goes on there."
    if isinstance(error, Cancelled):
        error.args = (f"the call was stopped; {going_on}",)
    elif isinstance(error, KeyboardInterrupt):
        warn(going_on)


def _refusal(error: OSError, folder: Path, name: str) -> str:
    # pyarrow's texts say much more than that
    why = os.strerror(error.errno) if error.errno else str(error)
    reason = f"output {name!r} cannot be written: {why}."
    if error.errno not in _FULL:
        return reason
    kept = " What is written so far is kept: the same call goes on there." if folder.exists() else ""
    return f"{reason} Free some space on its disk.{kept}"


def _replace(temporary: Path, path: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)
    temporary.replace(path)


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """The folder, made if needed, and nobody else writes there: the lock ends with the process, however it ends."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = (folder / "lock").open("w")
        except FileNotFoundError:
            continue
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WorkspaceError(f"output {name!r} is being written by another run. Wait for it.") from error
            # another run may have finished and removed the folder since the lock was opened
            if os.fstat(lock.fileno()).st_nlink:
                yield
                return


def _read_manifest(folder: Path, suffix: str, key: dict[str, Any]) -> tuple[Manifest, bool]:
    """What an earlier run of the same key left; or nothing, and whether something of another run was removed."""
    stored = folder / _MANIFEST
    there = stored.exists()
    try:
        found = Manifest(**json.loads(stored.read_text(encoding="utf-8")))
        if found.key == key and _is_there(folder, suffix, found.place):
            return found, False
    except (OSError, ValueError, TypeError):
        pass
    for left in folder.iterdir():
        if left.name != "lock":
            left.unlink()
    return Manifest(key), there


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    new = folder / f"{_MANIFEST}.new"
    with new.open("w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file)
        _synced(file)
    new.replace(folder / _MANIFEST)


def _is_there(folder: Path, suffix: str, place: Any) -> bool:
    if suffix == ".parquet":
        return all((folder / part).is_file() for part in place)
    return (folder / "rows").stat().st_size >= int(place)


def _open(folder: Path, suffix: str, place: Any) -> _Rows:
    if suffix == ".parquet":
        return _ParquetRows(folder, place or ())
    return _TextRows(folder / "rows", suffix, place or 0)


class _TextRows:
    """CSV, TSV or JSON Lines in one file, cut where the last commit ended. `place`: bytes."""

    def __init__(self, path: Path, suffix: str, place: int) -> None:
        self._path = path
        self._suffix = suffix
        self._file = path.open("r+b" if place else "wb")
        self._file.truncate(place)
        self._file.seek(place)
        self._begun = place > 0

    def append(self, table: Table) -> None:
        if self._suffix == ".jsonl":
            self._file.write(_json_lines(table))
            return
        delimiter = "\t" if self._suffix == ".tsv" else ","
        if not self._begun:
            self._file.write(_header(table.column_names, delimiter))
            self._begun = True
        self._file.write(_delimited(table, delimiter))

    def commit(self) -> int:
        _synced(self._file)
        return self._file.tell()

    def whole(self) -> Path:
        _synced(self._file)
        return self._path

    def close(self) -> None:
        # closing writes what is buffered, which fails again on a full disk
        with suppress(OSError):
            self._file.close()


class _ParquetRows:
    """Parquet, kept in parts of Arrow until the end: a Parquet file without its footer is lost. `place`: whole parts.

    Arrow is written and read again at a twentieth of what encoding Parquet takes.
    """

    def __init__(self, folder: Path, parts: Sequence[str]) -> None:
        self._folder = folder
        self._parts = list(parts)
        self._part: Any = None
        self._writer: Any = None
        self._writer_schema: Any = None

    def append(self, table: Table) -> None:
        import pyarrow as pa

        if self._writer is not None and self._writer_schema != table.schema:
            self._end_part()
        if self._writer is None:
            self._part = (self._folder / self._next()).open("wb")
            self._writer = pa.ipc.new_stream(self._part, table.schema)
            self._writer_schema = table.schema
        self._writer.write_table(table)

    def commit(self) -> list[str]:
        self._end_part()
        return list(self._parts)

    def whole(self) -> Path:
        """One Parquet file of all parts, a row group for each batch."""
        import pyarrow.parquet as pq

        self._end_part()
        schema = _common_schema([self._schema(part) for part in self._parts])
        whole = self._folder / "whole"
        writer: Any = None
        for table in self._tables():
            same = table.cast(schema)
            writer = writer or pq.ParquetWriter(whole, schema, use_dictionary=_repeated(same))
            writer.write_table(same)
        writer.close()
        return whole

    def close(self) -> None:
        with suppress(OSError):
            self._end_part()

    def _schema(self, part: str) -> Any:
        import pyarrow as pa

        with pa.OSFile(str(self._folder / part)) as file, pa.ipc.open_stream(file) as reader:
            return reader.schema

    def _tables(self) -> Iterator[Table]:
        import pyarrow as pa

        for part in self._parts:
            # not a memory map: its pages would count as memory that grows with the file
            with pa.OSFile(str(self._folder / part)) as file, pa.ipc.open_stream(file) as reader:
                for batch in reader:
                    yield pa.Table.from_batches([batch])

    def _next(self) -> str:
        return f"part-{len(self._parts):06}"

    def _end_part(self) -> None:
        if self._writer is None:
            return
        writer, part, self._writer = self._writer, self._part, None
        with part:
            writer.close()
            _synced(part)
        self._parts.append(self._next())


def _repeated(table: Table) -> list[str]:
    """Columns of few values: for the others Parquet's dictionaries cost time and save nothing."""
    from pyarrow import compute

    head = table.slice(0, 5_000)
    return [name for name in head.column_names if 10 * compute.count_distinct(head[name]).as_py() < head.num_rows]


def _common_schema(schemas: Sequence[Any]) -> Any:
    """One type for each column: what all parts have, numbers with fractions, or else text."""
    import pyarrow as pa

    def common(types: list[Any]) -> Any:
        known = {t for t in types if not pa.types.is_null(t)}
        if len(known) <= 1:
            return known.pop() if known else pa.string()
        numeric = all(pa.types.is_integer(t) or pa.types.is_floating(t) for t in known)
        return pa.float64() if numeric else pa.string()

    return pa.schema([(name, common([s.field(name).type for s in schemas])) for name in schemas[0].names])


def _synced(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _header(columns: Sequence[str], delimiter: str) -> bytes:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(columns)
    return line.getvalue().encode()


def _delimited(table: Table, delimiter: str) -> bytes:
    import pyarrow as pa
    from pyarrow.csv import WriteOptions, write_csv

    written = _with_iso_dates(table)

    def rendered(quoting: str) -> bytes:
        sink = pa.BufferOutputStream()
        write_csv(written, sink, WriteOptions(include_header=False, delimiter=delimiter, quoting_style=quoting))
        return bytes(sink.getvalue())

    try:
        return rendered("none")
    except pa.ArrowInvalid:
        # a text holds a delimiter, a quote or a line's end: then every text is quoted, which reads the same
        return rendered("needed")


def _json_lines(table: Table) -> bytes:
    frame = _with_iso_dates(table).to_pandas(integer_object_nulls=True)
    text: str = frame.to_json(orient="records", lines=True, double_precision=15, force_ascii=False)
    return text.encode()


def _with_iso_dates(table: Table) -> Table:
    """Timestamps as ISO 8601 in UTC, `2026-11-23T14:50:00Z`."""
    import pyarrow as pa
    from pyarrow import compute

    for position, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            text = compute.strftime(table[position], format="%Y-%m-%dT%H:%M:%SZ")
            table = table.set_column(position, column.name, text)
    return table
