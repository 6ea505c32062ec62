"""PostgreSQL: one connection a statement, a read-only transaction that is always rolled back, a server-side cursor.

The extended protocol takes one statement at a time and DECLARE CURSOR only a query, so nothing in a statement's text
can end the transaction. Whatever a statement leaves in its session (settings, locks) ends with the connection.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql as compose

from agentkit.databases import Opening
from agentkit.errors import AgentkitError, BadInput, DatabaseUnavailable, SqlFailed, SqlRefused, SqlTimeout
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import ResultColumn, Rows
from agentkit.sqlguard.schema import Dialect, Schema
from agentkit.sqlguard.watch import Watch
from agentkit_sql.engines.postgres_schema import read_schema
from agentkit_sql.engines.postgres_values import Described, bounded, type_name, widened

CONNECT_SECONDS = 10
_CATALOG_SECONDS = 30.0
_FIRST_FETCH, _MOST_FETCH = 64, 5_000
_FETCH_WIDTH = 64 << 20
"""Characters that the rows of one FETCH have at most, if all their values are as long as they can be."""
# a superuser reads as a role that can do no more than read; rows that row-level security would then keep away are an
# error, as they must not be missing in silence
_LESS = "SET LOCAL ROLE pg_read_all_data; SET LOCAL row_security = off; "
_VOID = 2278
"""The type of what functions return that give nothing back (pg_type.dat)."""
_GONE = ("08", "57P", "53")
_SECRETS = ("password", "sslpassword", "options", "oauth_client_secret")
"""Parameters that no message shows."""


def open_postgres(opening: Opening) -> PostgresEngine:
    """The engine of a `postgresql://` URL; nothing is connected yet. Raises BadInput if the URL cannot be read."""
    scheme, separator, rest = opening.url.partition("://")
    plain = scheme.partition("+")[0] + separator + rest
    # libpq's own words would quote the password
    with contextlib.suppress(psycopg.ProgrammingError):
        found = {k: str(v) for k, v in psycopg.conninfo.conninfo_to_dict(plain).items() if v is not None}
        # a slash in a password makes its first half a port and the second one a database
        if "@" not in found.get("dbname", "") and re.fullmatch(r"[\d,]*", found.get("port", "")):
            return PostgresEngine(opening.name, found)
    raise BadInput(
        f"database {opening.name!r}: its URL cannot be read. Write postgresql://USER@HOST:5432/DATABASE, the password "
        "behind USER and a colon, its special characters percent-encoded."
    )


class PostgresEngine:
    """A PostgreSQL server. `parameters` are libpq's."""

    dialect: Dialect = "postgres"

    def __init__(self, name: str, parameters: dict[str, str]) -> None:
        self._name = name
        self._parameters = {"connect_timeout": str(CONNECT_SECONDS), "application_name": "agentkit"} | parameters

    def schema(self) -> Schema:
        """Tables, views and columns that the role may read, without the catalogues. Raises DatabaseUnavailable."""
        connection = self._connect(Limits(seconds=_CATALOG_SECONDS))
        with self._explained(connection), contextlib.closing(connection):
            return read_schema(connection)

    def run(self, sql: str, limits: Limits) -> Rows:
        """Run a query; its first rows are fetched before this returns, so that errors come here."""
        started = time.monotonic()
        connection = self._connect(limits)
        watch = Watch(limits.seconds, lambda: connection.cancel_safe(timeout=2))

        def close() -> None:
            watch.end()
            connection.close()

        try:
            with self._explained(connection, watch):
                columns = self._declare(connection, sql, limits)
                source = self._fetched(connection, watch, limits, _most_rows(columns, limits))
                first = next(source, [])
        except BaseException:
            close()
            raise
        rows = (row for batch in _with_first(first, source) for row in batch)
        told = tuple(ResultColumn(c.name, type_name(c.code)) for c in columns)
        return Rows(told, rows, limits, close, started)

    def explain(self, sql: str, limits: Limits) -> str:
        """The planner's text, without running the query."""
        connection = self._connect(limits)
        watch = Watch(limits.seconds, lambda: connection.cancel_safe(timeout=2))
        with contextlib.closing(connection), watch, self._explained(connection, watch):
            # the parentheses let only a query in: no ANALYZE of anything else
            query = compose.SQL("EXPLAIN SELECT * FROM (\n{}\n) AS explained").format(compose.SQL(_trusted(sql)))
            return "\n".join(row[0] for row in connection.execute(query, binary=True).fetchall())

    def check_role(self) -> tuple[list[str], str]:
        """What the role can do beyond SELECT, a sentence each, and the SQL for a right one. Raises DatabaseUnavailable.

        The SQL is '' if there is nothing to say.
        """
        from agentkit_sql.engines.postgres_role import advice, right_role

        connection = self._connect(Limits(seconds=_CATALOG_SECONDS), as_it_is=True)
        with contextlib.closing(connection), self._explained(connection):
            told = advice(connection)
            return told, right_role(connection) if told else ""

    def close(self) -> None:
        """Nothing stays open between statements."""

    def _connect(self, limits: Limits, *, as_it_is: bool = False) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection in a read-only transaction with the limits set; `as_it_is`: a superuser stays one."""
        milliseconds = max(1, round(limits.seconds * 1000))
        try:
            connection = psycopg.connect(**self._parameters, autocommit=True, prepare_threshold=None)  # type: ignore[arg-type]
        except psycopg.Error as error:
            raise DatabaseUnavailable(
                f"database {self._name!r} cannot be reached: {self._plain(error)}. Check that the server runs, and the "
                "URL, user and password."
            ) from None
        widened(connection)
        less = _LESS if not as_it_is and connection.info.parameter_status("is_superuser") == "on" else ""
        with self._explained(connection):
            connection.execute(
                f"BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds}; "
                f"SET LOCAL lock_timeout = {min(milliseconds, 5_000)}; "
                f"{less}"
                "SET LOCAL idle_in_transaction_session_timeout = '10min'; "
                "SET LOCAL standard_conforming_strings = on; SET LOCAL client_connection_check_interval = '2s'"
            )
        return connection

    def _declare(self, connection: psycopg.Connection[Any], sql: str, limits: Limits) -> list[Described]:
        """Open the cursor. Long values are cut by the server: one of a gigabyte would come as a whole otherwise."""
        described = _described(connection, sql)
        if any(column.code == _VOID for column in described):
            raise SqlRefused("a function that gives nothing back can only change something.", "read only")
        query = bounded(sql, described, limits.cell + 1)
        connection.execute(
            compose.SQL("DECLARE rows NO SCROLL CURSOR FOR\n{}").format(compose.SQL(_trusted(query))), binary=True
        )
        return described

    def _fetched(
        self, connection: psycopg.Connection[tuple[Any, ...]], watch: Watch, limits: Limits, most: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        size, left = min(_FIRST_FETCH, most), limits.rows + 1
        while left > 0:
            with self._explained(connection, watch):
                watch.check()
                batch = connection.execute(f"FETCH {min(size, left)} FROM rows", binary=False).fetchall()
            if not batch:
                return
            yield batch
            left -= len(batch)
            size = min(size * 4, most)

    @contextlib.contextmanager
    def _explained(self, connection: psycopg.Connection[Any], watch: Watch | None = None) -> Iterator[None]:
        """Errors of the server as agentkit's own."""
        try:
            yield
        except psycopg.Error as error:
            if watch is not None:
                watch.check()
            raise self._error(error) from None

    def _error(self, error: psycopg.Error) -> AgentkitError:
        state = error.sqlstate or ("08" if isinstance(error, psycopg.OperationalError) else "")
        if state == "57014":
            return SqlTimeout("the statement was stopped by the server: it took too long, or somebody cancelled it.")
        if state.startswith(_GONE):
            return DatabaseUnavailable(f"database {self._name!r} went away: {self._plain(error)}. Try again later.")
        return SqlFailed(f"{self._plain(error)}.", state)

    def _plain(self, error: psycopg.Error) -> str:
        """The server's message and hint in one line, without the password."""
        said = error.diag.message_primary or (str(error).strip().splitlines() or [type(error).__name__])[0]
        hint = f". {error.diag.message_hint}" if error.diag.message_hint else ""
        text = f"{said}{hint}"[:500].rstrip(". ")
        for secret in filter(None, map(self._parameters.get, _SECRETS)):
            text = text.replace(secret, "***")
        return text


def _most_rows(columns: list[Described], limits: Limits) -> int:
    """How many rows one FETCH may bring: they are all in memory before the first one is counted."""
    widest = sum(column.width(limits.cell + 1) for column in columns)
    return max(1, min(_MOST_FETCH, _FETCH_WIDTH // max(widest, 1)))


def _described(connection: psycopg.Connection[Any], sql: str) -> list[Described]:
    """Names and types of a query's columns; the server reads and checks it, and runs nothing."""
    server = connection.pgconn
    for answer in (server.prepare(b"", sql.encode()), server.describe_prepared(b"")):
        if answer.status == psycopg.pq.ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(answer)
    return [
        Described((answer.fname(i) or b"").decode(), answer.ftype(i), answer.fmod(i)) for i in range(answer.nfields)
    ]


def _with_first(first: list[tuple[Any, ...]], rest: Iterator[list[tuple[Any, ...]]]) -> Iterator[list[tuple[Any, ...]]]:
    yield first
    yield from rest


def _trusted(sql: str) -> Any:
    """A statement's text as psycopg wants literal SQL typed; what is safe about it is the cursor around it."""
    return sql
