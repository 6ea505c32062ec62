"""Data sets that are no files of the workspace: `sql:SELECT ...`, and stored tables by their handles."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit.datasets import Dataset
from agentkit.errors import DatasetError
from agentkit.sqlguard.limits import Limits
from agentkit.stored_tables import keep, stored

if TYPE_CHECKING:
    from agentkit.databases import ToolDatabases

LIMITS = Limits(rows=5_000_000, bytes=2 << 30, seconds=300.0)
"""Of a query whose rows are a data set: it is written to disk row by row, not kept in memory."""
_QUERY = re.compile(r"\s*sql(?:@(?P<database>[^:\s]+))?:(?P<sql>.+)", re.IGNORECASE | re.DOTALL)
_HANDLE = re.compile(r"\s*table:\S+\s*")


def is_query(name: str) -> bool:
    """True for `sql:SELECT ...`, `sql@DATABASE:SELECT ...` and `table:NAME`."""
    return bool(_QUERY.fullmatch(name) or _HANDLE.fullmatch(name))


def open_query(name: str, databases: ToolDatabases, home: Path, note: Callable[[str], None]) -> Dataset:
    """The data set that a query or a handle names; a query runs now, under the guard, and its rows are written to disk.

    Raises SqlRefused, SqlFailed, SqlTimeout, DatabaseUnavailable, HandleError, or DatasetError for a query that gives
    no rows, or columns that share a name.
    """
    found = _QUERY.fullmatch(name)
    if found is None:
        return _opened(name.strip(), stored(home, name))
    sql, chosen = found["sql"].strip(), found["database"]
    with databases.open(chosen).run(sql, databases.data_limits(chosen, LIMITS)) as rows:
        columns = [c.name for c in rows.columns]
        if len(set(columns)) < len(columns):
            raise DatasetError(f"{_short(name)!r} gives two columns of the same name: rename one with AS.")
        digest = hashlib.sha256(f"{chosen or ''}:{sql}".encode()).hexdigest()[:16]
        handle, count = keep(home, columns, rows, name=digest)
        if rows.truncated:
            note(f"{_short(name)!r} gives more than a data set takes; the first {count:,} rows were used.")
    if not count:
        raise DatasetError(f"{_short(name)!r} gives no rows.")
    return _opened(" ".join(name.split()), stored(home, handle))


def _opened(name: str, path: Path) -> Dataset:
    from agentkit.tables import open_reader

    reader, notes = open_reader(_short(name), (path,), ".csv", None)
    return Dataset(name, (path,), reader, tuple(notes))


def _short(name: str) -> str:
    flat = " ".join(name.split())
    return flat if len(flat) <= 100 else flat[:97] + "..."
