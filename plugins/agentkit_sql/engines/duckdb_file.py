"""DuckDB files: opened for reading, without access to anything else, under a configuration that is locked.

Source of the settings: https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import duckdb

from agentkit.databases import Opening
from agentkit.errors import DatabaseUnavailable
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import Rows
from agentkit.sqlguard.schema import Dialect, Schema
from agentkit_sql.engines import duckdb_run
from agentkit_sql.engines.apart import Apart
from agentkit_sql.engines.duckdb_schema import read_schema
from agentkit_sql.engines.places import existing, file_of


def open_duckdb(opening: Opening) -> Apart:
    """The engine of a `duckdb:///file.duckdb` URL; nothing is opened yet. Raises BadInput."""
    return Apart(DuckdbEngine(opening.name, file_of(opening, "duckdb:///lake.duckdb")))


class DuckdbEngine:
    """A DuckDB file; it is opened for each statement, so that others can write to it in between.

    `readable`: other files, which its views read; the views are told as tables then.
    """

    dialect: Dialect = "duckdb"

    def __init__(self, name: str, path: Path, readable: tuple[str, ...] | None = None) -> None:
        self._name = name
        self._path = path
        self._readable = readable

    def schema(self) -> Schema:
        """Tables, views, keys, comments. Raises DatabaseUnavailable."""
        with contextlib.closing(self._connect(Limits())) as connection, duckdb_run.explained(self._name):
            return read_schema(connection, views_are_tables=self._readable is not None)

    def run(self, sql: str, limits: Limits) -> Rows:
        """Run a query; its first rows are fetched before this returns, so that errors come here."""
        connection = self._connect(limits)
        return duckdb_run.run(connection, sql, limits, self._name, connection.close)

    def explain(self, sql: str, limits: Limits) -> str:
        """The plan, without running the query."""
        with contextlib.closing(self._connect(limits)) as connection:
            return duckdb_run.explain(connection, sql, limits, self._name)

    def close(self) -> None:
        """Nothing stays open between statements."""

    def _connect(self, limits: Limits) -> duckdb.DuckDBPyConnection:
        path = existing(self._name, self._path)
        spilled = Path(tempfile.gettempdir())  # of this process, which `apart` started
        try:
            connection = duckdb.connect(str(path), read_only=True, config=duckdb_run.settings(limits, spilled))
            duckdb_run.close_the_doors(connection, self._readable or ())
        except duckdb.Error as error:
            raise DatabaseUnavailable(
                f"database {self._name!r}: {path.name!r} cannot be opened: {duckdb_run.plain(error)}. Is it a DuckDB "
                "file, and does nobody else write to it now?"
            ) from None
        return connection
