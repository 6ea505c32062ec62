"""Rows of a database as a CSV or Parquet file: streamed, and either complete or not there."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.cells import csv_cell
from agentkit.errors import MissingExtra
from agentkit_sql.collect import unique
from agentkit_sql.outputs import replacing

if TYPE_CHECKING:
    from agentkit.sqlguard.limits import Limits
    from agentkit.sqlguard.rows import Rows

SUFFIXES = (".csv", ".parquet")
ROWS = 1_000_000
"""So many rows are written unless more are asked for."""
SECONDS = 600.0
_BYTES = 2**31 - 1
_CELL = 16 << 20
_BATCH = 10_000
_AS_THEY_ARE = frozenset((str, int, float, type(None)))
"""What the csv module writes as it should be; None is an empty cell."""


@dataclass(frozen=True)
class Export:
    """What was written. `cut`: the limits that left something out, empty if the file is complete."""

    file: Path
    rows: int
    columns: int
    cut: tuple[str, ...] = ()


def export_limits(limits: Limits, rows: int | None = None) -> Limits:
    """The limits of a database, raised for a file: `rows` (default 1,000,000), 2 GiB, 600 s."""
    return replace(
        limits, rows=rows or max(ROWS, limits.rows), bytes=_BYTES, cell=_CELL, seconds=max(SECONDS, limits.seconds)
    )


def export(rows: Rows, path: Path) -> Export:
    """Write all rows to `path`, whose ending says how (SUFFIXES), and close the statement.

    In CSV a missing value is an empty cell, dates are ISO 8601, bytes hexadecimal, lists and objects JSON. Parquet has
    types; a column whose values share none becomes text. Raises what the statement raises, StorageError where the disk
    says no, MissingExtra without pyarrow: the file is then as it was before.
    """
    names = unique([c.name for c in rows.columns])
    with rows, replacing(path) as part:
        if path.suffix.lower() == ".parquet":
            _write_parquet(names, rows, part)
        else:
            _write_csv(names, rows, part)
    return Export(path, rows.count, len(names), tuple(sorted(rows.cut)))


def export_stored(stored: Path, path: Path) -> Export:
    """The same for a stored table, a CSV file with a header."""
    from agentkit.sqlguard.limits import Limits
    from agentkit.sqlguard.rows import ResultColumn, Rows

    limits = Limits(rows=2**62, bytes=2**62, cell=2**62)
    with stored.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        columns = tuple(ResultColumn(name, "text") for name in next(lines))
        kinds = _kinds_of(stored)
        source = (tuple(_read(text, kind) for text, kind in zip(line, kinds, strict=True)) for line in lines)
        return export(Rows(columns, source, limits), path)


def _write_csv(names: Sequence[str], rows: Rows, part: Path) -> None:
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow([v if type(v) in _AS_THEY_ARE else csv_cell(v) for v in row])


def _write_parquet(names: list[str], rows: Rows, part: Path) -> None:
    try:
        from agentkit_sql.parquet import ParquetFile
    except ImportError:
        raise MissingExtra("Parquet files need pyarrow: pip install 'agentkit-ml[ml]'") from None
    source = iter(rows)
    with ParquetFile(part, names) as file:
        for batch in _batches(source):
            file.write(batch)


def _batches(source: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while batch := list(itertools.islice(source, _BATCH)):
        yield batch


def _kinds_of(stored: Path) -> list[type]:
    """What the texts of each column of a CSV file are: all whole numbers, all numbers, or texts."""
    kinds: list[type] = []
    with stored.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        kinds = [int for _ in next(lines)]
        for line in lines:
            for i, text in enumerate(line):
                while text and kinds[i] is not str and not _is(text, kinds[i]):
                    kinds[i] = float if kinds[i] is int else str
    return kinds


def _is(text: str, kind: type) -> bool:
    """Whether a text is a number that reads the same when it is written again: not '007', which is a name."""
    try:
        if kind is int:
            return str(int(text)) == text
        float(text)
    except ValueError:
        return False
    return text[0] in "-.0123456789" and not (text.lstrip("-")[:1] == "0" and text.lstrip("-")[1:2].isdigit())


def _read(text: str, kind: type) -> Any:
    return None if text == "" else kind(text)
