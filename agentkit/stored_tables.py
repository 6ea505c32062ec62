"""Results that are too big to be handed around: CSV files under the home, named by handles such as `table:ab12cd34`."""

from __future__ import annotations

import csv
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from agentkit.cells import csv_cell
from agentkit.errors import HandleError, StorageError
from agentkit.handles import Handle

FOLDER = "tables"


def keep(home: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]], name: str | None = None) -> tuple[str, int]:
    """Write rows, one after the other, to a file: (handle, number of rows). Missing cells are empty.

    `name` names the file and replaces one of that name; None: a new one.

    Raises StorageError where the disk says no; nothing half written stays then, nor if `rows` raises.
    """
    folder = home / "artifacts" / FOLDER
    name = name or secrets.token_hex(4)
    path, part = folder / f"{name}.csv", folder / f".{name}.{secrets.token_hex(4)}.part"
    count = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for row in rows:
                writer.writerow([csv_cell(value) for value in row])
                count += 1
        part.replace(path)
    except OSError as error:
        raise StorageError(f"the result cannot be written to {folder}: {error.strerror}. Free some space.") from error
    finally:
        part.unlink(missing_ok=True)
    return f"table:{name}", count


def table_file(home: Path, handle: str) -> Path:
    """Where the CSV file of a `table:` handle lies, or would lie. Raises HandleError for any other handle."""
    parsed = Handle.parse(handle)
    if parsed.kind != "table":
        raise HandleError(f"{handle!r} does not name a table.")
    return home / "artifacts" / FOLDER / f"{parsed.name}.csv"


def stored(home: Path, handle: str) -> Path:
    """The CSV file that a `table:` handle names. Raises HandleError if there is none."""
    path = table_file(home, handle)
    if not path.is_file():
        raise HandleError(f"{handle!r} names no stored table. Run the query again to get a new one.")
    return path
