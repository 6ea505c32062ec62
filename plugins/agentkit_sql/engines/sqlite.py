"""SQLite: the file opened for reading, an authorizer that lets only reading through, and SQLite's own limits.

Source of the settings: "Defense Against The Dark Arts", https://www.sqlite.org/security.html
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agentkit.databases import Opening
from agentkit.errors import DatabaseUnavailable, SqlFailed, SqlRefused
from agentkit.sqlguard.functions import SQLITE
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import ResultColumn, Rows
from agentkit.sqlguard.schema import Dialect, Schema
from agentkit.sqlguard.watch import Watch
from agentkit_sql.engines.apart import Apart
from agentkit_sql.engines.places import existing, file_of
from agentkit_sql.engines.sqlite_schema import read_schema

_OPERATIONS = 2_000
"""Instructions of SQLite's machine between two looks at the clock: well under a millisecond."""
_BATCH = 256
_BATCH_BYTES = 1 << 20
_LONGEST = 64 << 20
"""Bytes of a value or a row that SQLite reads at most."""
_OPEN_SECONDS = 30.0
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: _LONGEST,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 2_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 200,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 250_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 100,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_FIRST_WORD = re.compile(r"\s*(SELECT\b|WITH\b|VALUES\b|\()", re.IGNORECASE)
_KINDS = {int: "integer", float: "real", str: "text", bytes: "blob"}
# what SQLite asks for while it declares json_each as a table, which changes nothing
_DECLARING = {(sqlite3.SQLITE_READ, "sqlite_master", "ROWID")} | {
    (sqlite3.SQLITE_UPDATE, "sqlite_master", column) for column in ("type", "name", "tbl_name", "rootpage", "sql")
}
_CATALOGUES = ("sqlite_", "pragma_", "dbstat", "fts3tokenize", "bytecode", "tables_used", "sqlite3_")


def open_sqlite(opening: Opening) -> Apart:
    """The engine of a `sqlite:///file.db` URL; nothing is opened yet. Raises BadInput."""
    return Apart(SqliteEngine(opening.name, file_of(opening, "sqlite:///archive.db")))


class SqliteEngine:
    """A SQLite file; each statement has a connection of its own."""

    dialect: Dialect = "sqlite"

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path

    def schema(self) -> Schema:
        """Tables, views, keys, and the number of rows where counting is quick. Raises DatabaseUnavailable."""
        connection = self._connect()
        with contextlib.closing(connection), self._watched(connection, _OPEN_SECONDS) as watch, self._explained(watch):
            return read_schema(connection)

    def run(self, sql: str, limits: Limits) -> Rows:
        """Run a query; its first rows are fetched before this returns, so that errors come here."""
        started = time.monotonic()
        connection = self._restricted()
        watch = self._watched(connection, limits.seconds)

        def close() -> None:
            watch.end()
            connection.close()

        try:
            with self._explained(watch):
                cursor = connection.execute(_query(sql))
                first = _batch(cursor)
        except BaseException:
            close()
            raise
        names = [d[0] for d in cursor.description or []]
        columns = tuple(ResultColumn(name, _kind(first, i)) for i, name in enumerate(names))
        return Rows(columns, self._fetched(cursor, first, watch), limits, close, started)

    def explain(self, sql: str, limits: Limits) -> str:
        """SQLite's query plan, indented by depth."""
        connection = self._restricted()
        with contextlib.closing(connection), self._watched(connection, limits.seconds) as watch, self._explained(watch):
            depth = {0: -1}
            lines = []
            for node, parent, _, text in connection.execute(f"EXPLAIN QUERY PLAN {_query(sql)}"):
                depth[node] = depth.get(parent, -1) + 1
                lines.append("  " * depth[node] + text)
            return "\n".join(lines) or "CONSTANT"

    def close(self) -> None:
        """Nothing stays open between statements."""

    def _connect(self) -> sqlite3.Connection:
        path = existing(self._name, self._path)
        try:
            connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=5
            )
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA cell_size_check = ON")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error as error:
            raise DatabaseUnavailable(
                f"database {self._name!r}: {path.name!r} cannot be opened: {error}. Is it a SQLite file that this user "
                "may read?"
            ) from None
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        return connection

    def _restricted(self) -> sqlite3.Connection:
        connection = self._connect()
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        connection.set_authorizer(_authorize)
        return connection

    def _watched(self, connection: sqlite3.Connection, seconds: float) -> Watch:
        """A watch that the progress handler asks: a statement that goes on after `interrupt` meets it again."""
        watch = Watch(seconds, connection.interrupt)
        connection.set_progress_handler(lambda: 1 if watch.reason else 0, _OPERATIONS)
        return watch

    def _fetched(self, cursor: sqlite3.Cursor, first: list[tuple[Any, ...]], watch: Watch) -> Iterator[tuple[Any, ...]]:
        batch = first
        while batch:
            yield from batch
            with self._explained(watch):
                watch.check()
                batch = _batch(cursor)

    @contextlib.contextmanager
    def _explained(self, watch: Watch) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError) as error:
            watch.check()
            code = getattr(error, "sqlite_errorname", "") or ""
            if code in ("SQLITE_IOERR_WRITE", "SQLITE_FULL"):  # what is written are temporary files
                raise SqlFailed("the statement sorts more than fits in temporary files. Ask for less.", code) from None
            text = str(error)[:500].rstrip(".")
            if ("malformed" in text and "JSON" not in text) or "disk I/O" in text or "locked" in text:
                raise DatabaseUnavailable(f"database {self._name!r} cannot be read: {text}. Try again later.") from None
            raise SqlFailed(f"{text}.", code) from None
        except MemoryError:
            raise SqlFailed("the statement needs too much memory. Ask for less.") from None


def _batch(cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
    """The next rows: _BATCH, fewer where values are long."""
    rows, size = [], 0
    for row in cursor:
        rows.append(row)
        size += sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if len(rows) >= _BATCH or size > _BATCH_BYTES:
            break
    return rows


def _query(sql: str) -> str:
    """The statement, if it is a query: EXPLAIN and the like are told by their first word. Raises SqlRefused."""
    if not _FIRST_WORD.match(sql):
        raise SqlRefused("only one SELECT, set operation or VALUES is allowed.", "read only")
    return sql


def _authorize(action: int, first: str | None, second: str | None, _database: str | None, _inner: str | None) -> int:
    """Reading tables that are no catalogues, and functions that are known to be harmless."""
    if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE) or (action, first, second) in _DECLARING:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ:
        return sqlite3.SQLITE_DENY if (first or "").lower().startswith(_CATALOGUES) else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_OK if (second or "").lower() in SQLITE else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_DENY


def _kind(rows: list[tuple[Any, ...]], column: int) -> str:
    """The type of a column by its first values, '' if all are missing: SQLite has types for values only."""
    kinds = {_KINDS.get(type(row[column]), "text") for row in rows if row[column] is not None}
    if kinds == {"integer", "real"}:
        return "real"
    return kinds.pop() if len(kinds) == 1 else "text" if kinds else ""
