"""The workspace's data files as the tables of a DuckDB file, with the doors closed once they are attached."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from urllib.parse import unquote

import duckdb

from agentkit.databases import Opening
from agentkit.datasets import Workspace
from agentkit.errors import BadInput, DatabaseUnavailable, WorkspaceError, warn
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import Rows
from agentkit.sqlguard.schema import Dialect, Schema
from agentkit_sql.card.meaning import EXAMPLES
from agentkit_sql.engines import duckdb_run
from agentkit_sql.engines.apart import Apart
from agentkit_sql.engines.duckdb_file import DuckdbEngine
from agentkit_sql.engines.file_names import table_names
from agentkit_sql.engines.file_tables import Attached, Part, attach, parts_of, reserved_words

Stamp = tuple[str, int, int]
"""A file's path, its size and when it was changed: what tells that it must be read again."""


def open_files(opening: Opening) -> FilesEngine:
    """The engine of `files:` (all data files of the workspace) or `files:///path` (one file). Raises BadInput."""
    only = opening.url.partition("://")[2]
    return FilesEngine(opening.name, opening.workspace, unquote(only[1:]) if only else None)


class FilesEngine:
    """Data files; they are read when the database is first used, and again when one was changed, added or removed."""

    dialect: Dialect = "duckdb"

    def __init__(self, name: str, workspace: Workspace, only: str | None = None) -> None:
        self._name = name
        self._workspace = workspace
        self._only = only
        self._lock = threading.Lock()
        self._stamps: tuple[Stamp, ...] | None = None
        self._tables: Apart | None = None
        self._said: set[str] = set()

    def schema(self) -> Schema:
        """A table for each file or sheet; comments name the file, and columns that had another name in it."""
        return self._current().schema()

    def run(self, sql: str, limits: Limits) -> Rows:
        """Run a query; its first rows are fetched before this returns, so that errors come here."""
        return self._current().run(sql, limits)

    def explain(self, sql: str, limits: Limits) -> str:
        """The plan, without running the query."""
        return self._current().explain(sql, limits)

    def close(self) -> None:
        """Let go of the tables; they are read again when the database is used again."""
        with self._lock:
            self._tables, self._stamps = None, None

    def _current(self) -> Apart:
        """The tables, which are up to date."""
        with self._lock:
            files = self._files()
            stamps = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for _, path in files)
            if self._tables is None or stamps != self._stamps:
                self._tables = None
                self._tables = self._read(files)
                self._stamps = stamps
            return self._tables

    def _files(self) -> list[tuple[str, Path]]:
        """Names and paths of the data files inside the workspace's borders; kept questions are no data."""
        names = [self._only] if self._only else [n for n in self._workspace.names() if not n.endswith(EXAMPLES)]
        found = []
        for name in names:
            try:
                path = Path(name) if self._only else self._workspace.path(name)
            except WorkspaceError:
                continue
            if path.is_file():
                found.append((Path(name).name if self._only else name, path))
        if self._only and not found:
            raise DatabaseUnavailable(f"there is no file {self._only!r}.")
        return found

    def _read(self, files: list[tuple[str, Path]]) -> Apart:
        parts = [part for name, path in files for part in self._parts(name, path)]
        attached = Attached.new()
        with contextlib.closing(attached.connection) as connection:
            words = reserved_words(connection)
            for part, table in zip(parts, table_names([p.name for p in parts], words), strict=True):
                try:
                    attach(attached, part, table, words, self._workspace)
                except (BadInput, duckdb.Error, OSError, ValueError) as error:
                    self._leave_out(part.name, error)
        engine = DuckdbEngine(self._name, attached.path, tuple(attached.allowed))
        return Apart(engine, holds=attached)

    def _parts(self, name: str, path: Path) -> list[Part]:
        try:
            return parts_of(name, path)
        except Exception as error:  # noqa: BLE001 - a file that cannot be read is no reason not to read the others
            self._leave_out(name, error)
            return []

    def _leave_out(self, name: str, error: Exception) -> None:
        """Say once that a file is no table, and why."""
        if name not in self._said:
            self._said.add(name)
            warn(f"database {self._name!r}: {name!r} is left out: {duckdb_run.plain(error)}.")
