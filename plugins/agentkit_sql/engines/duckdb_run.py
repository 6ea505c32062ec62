"""Running one query on a DuckDB connection that can change nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from agentkit.errors import AgentkitError, DatabaseUnavailable, SqlFailed, SqlRefused
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import ResultColumn, Rows
from agentkit.sqlguard.watch import Watch
from agentkit_sql.engines.quoting import literal, quoted

_FIRST, _MOST = 16, 2_048
_ZONED = "timestamp with time zone"

LOCKED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "max_expression_depth": "250",
}
"""Settings that no statement needs otherwise; external access and configuration are locked when all is open."""


def settings(limits: Limits, folder: Path) -> dict[str, str | bool | int | float | list[str]]:
    """LOCKED with bounds of memory, and of what may be written to `folder` when that is not enough."""
    return {
        **LOCKED,
        "memory_limit": f"{limits.memory}MiB",
        "temp_directory": str(folder / "spilled"),
        "max_temp_directory_size": "2GiB",
    }


def close_the_doors(connection: duckdb.DuckDBPyConnection, readable: Sequence[str]) -> None:
    """No file but the `readable` ones, no network, no extension, no setting; nothing can open them again."""
    connection.execute(f"SET allowed_paths = [{', '.join(map(literal, readable))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def run(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits, name: str, close: Callable[[], None]) -> Rows:
    """Run one SELECT; its first rows are fetched before this returns. `close` is called when all is over."""
    started = time.monotonic()
    watch = Watch(limits.seconds, connection.interrupt)

    def end() -> None:
        watch.end()
        # a query whose rows nobody wants any more would first run on
        connection.interrupt()
        close()

    try:
        with explained(name, watch):
            statement = _only_select(connection, sql)
            described = connection.execute(f"DESCRIBE {sql}").fetchall()
            columns = tuple(ResultColumn(name, kind.lower()) for name, kind, *_ in described)
            zoned = any(_ZONED in c.type for c in columns)
            connection.execute(_zones_as_text(sql, columns) if zoned else statement)
            first = connection.fetchmany(_FIRST)
    except BaseException:
        end()
        raise
    return Rows(columns, _fetched(connection, first, watch, name), limits, end, started)


def explain(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits, name: str) -> str:
    """The physical plan of one SELECT."""
    with Watch(limits.seconds, connection.interrupt) as watch, explained(name, watch):
        _only_select(connection, sql)
        return "\n".join(row[1] for row in connection.execute(f"EXPLAIN {sql}").fetchall())


def _only_select(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """DuckDB's own reading of the text: one statement, and a SELECT. Raises SqlRefused."""
    statements = connection.extract_statements(sql)
    kinds = [str(s.type).rpartition(".")[2] for s in statements]
    if kinds != ["SELECT"]:
        raise SqlRefused(f"{' and '.join(kinds) or 'nothing'} is not allowed: only one SELECT.", "read only")
    return statements[0]


def _zones_as_text(sql: str, columns: tuple[ResultColumn, ...]) -> str:
    """The query with its instants as texts: DuckDB makes them Python's only where the package pytz is installed."""
    shown = ", ".join(
        f"{f'CAST(#{i} AS VARCHAR)' if _ZONED in c.type else f'#{i}'} AS {quoted(c.name)}"
        for i, c in enumerate(columns, 1)
    )
    return f"SELECT {shown} FROM (\n{sql}\n) AS result"  # noqa: S608


def _fetched(
    connection: duckdb.DuckDBPyConnection, first: list[tuple[Any, ...]], watch: Watch, name: str
) -> Iterator[tuple[Any, ...]]:
    batch, size = first, _FIRST
    while batch:
        yield from batch
        size = min(size * 4, _MOST)
        with explained(name, watch):
            watch.check()
            batch = connection.fetchmany(size)


@contextlib.contextmanager
def explained(name: str, watch: Watch | None = None) -> Iterator[None]:
    """DuckDB's errors as agentkit's own."""
    try:
        yield
    except AgentkitError:
        raise
    except duckdb.OutOfMemoryException:
        raise SqlFailed("the statement needs more memory than it may have. Ask for less, or aggregate.") from None
    except duckdb.IOException as error:
        raise DatabaseUnavailable(f"database {name!r} cannot be read: {plain(error)}.") from None
    except (duckdb.Error, RuntimeError, OverflowError, ValueError, UnicodeError) as error:
        if watch is not None:
            watch.check()
        raise SqlFailed(f"{plain(error)}.", type(error).__name__) from None


def plain(error: Exception) -> str:
    """The first line of DuckDB's message, with what it suggests, without the statement and the pointer below it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for i, line in enumerate(lines) if i == 0 or line.startswith(("Candidate", "Did you mean"))]
    return " ".join(kept)[:400].rstrip(". ") or type(error).__name__
