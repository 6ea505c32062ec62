"""Connections to any PostgreSQL: their parameters, single ones, and pools. Imported when the database is used."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

import psycopg
import psycopg.conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from agentkit.errors import StorageError

Parameters: TypeAlias = dict[str, str]
"""What libpq calls connection parameters: host, port, user, password, dbname, ..."""

Connection: TypeAlias = psycopg.Connection[DictRow]

Done = TypeVar("Done")

CONNECT_SECONDS = 10
POOL_SIZE = 10
PATIENCE = 15.0
"""Seconds in which a server that went away may come back before work fails; the embedded one is started anew."""
_HANGS_UP = 3.0
_OPTIONS: dict[str, Any] = {"autocommit": True, "row_factory": dict_row, "prepare_threshold": 0}
# SQLSTATE classes of a server that is gone or has no room; a query that was cancelled is the caller's affair
_TROUBLE, _CANCELLED = ("08", "53", "57"), "57014"
_GONE = ("08", "57P")


class Pool(ConnectionPool[Connection]):
    """Connections in autocommit mode whose rows are dicts. Trouble with the server is a StorageError."""

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Connection]:
        """A connection for a `with` block; `timeout` in seconds."""
        try:
            with super().connection(timeout) as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise explained(error) from error

    def query(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[DictRow]:
        """The rows of one statement that may be executed twice: if the server goes away, it is tried again."""
        return persistently(lambda: self._query(statement, parameters))

    def _query(self, statement: LiteralString, parameters: Sequence[Any]) -> list[DictRow]:
        with self.connection() as connection:
            cursor = connection.execute(statement, parameters)
            return [] if cursor.description is None else cursor.fetchall()


def persistently(work: Callable[[], Done]) -> Done:
    """Do work that may be done twice, and do it again if the server goes away meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except StorageError as error:
            if not _is_gone(error.__cause__) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def new_pool(conninfo: Callable[[], str]) -> Pool:
    """An open pool. `conninfo` is asked before each new connection."""
    return Pool(conninfo, kwargs=_OPTIONS, min_size=1, max_size=POOL_SIZE, open=True, check=_check)


def _check(connection: Connection) -> None:
    """Ask the server only if it has said something unasked: what a server that ends does to its connections."""
    unasked = select.poll()
    unasked.register(connection.fileno(), select.POLLIN)
    if unasked.poll(0):
        Pool.check_connection(connection)


@contextmanager
def connected(parameters: Parameters) -> Iterator[Connection]:
    """One connection for a `with` block. Raises StorageError."""
    try:
        with _connected_at_last(parameters) as connection:
            yield connection
    except psycopg.Error as error:
        where = parameters.get("host") or parameters.get("hostaddr") or "localhost"
        raise StorageError(
            f"Postgres on {where!r} cannot be used: {first_line(error, parameters)}. Check that it runs and has room, "
            "and AGENTKIT_DATABASE_URL if that is set."
        ) from None


def _connected_at_last(parameters: Parameters) -> Connection:
    """A connection; a server that is just coming back after a crash may hang up on the first ones."""
    deadline = time.monotonic() + _HANGS_UP
    while True:
        try:
            return psycopg.connect(as_url("postgresql", parameters), autocommit=True, row_factory=dict_row)
        except psycopg.OperationalError as error:
            if "closed the connection unexpectedly" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def parse(url: str) -> Parameters:
    """The parameters of AGENTKIT_DATABASE_URL, whose scheme may name SQLAlchemy's driver. Raises StorageError."""
    scheme, separator, rest = url.partition("://")
    plain = scheme.partition("+")[0] + separator + rest
    try:
        found = psycopg.conninfo.conninfo_to_dict(plain)
    except psycopg.ProgrammingError:
        # libpq's own words would quote the password
        raise StorageError(
            "AGENTKIT_DATABASE_URL is not a PostgreSQL URL such as postgresql://USER:PASSWORD@HOST:5432/DATABASE, "
            "special characters of the password percent-encoded."
        ) from None
    given = {name: str(value) for name, value in found.items() if value is not None}
    return {"connect_timeout": str(CONNECT_SECONDS)} | given


def as_url(scheme: str, parameters: Parameters) -> str:
    """A URL that has all but user, password and database in its query, where any character may stand."""
    rest = dict(parameters)
    user, password, database = (quote(rest.pop(name, ""), safe="") for name in ("user", "password", "dbname"))
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    return f"{scheme}://{login}/{database}?{urlencode(rest, quote_via=quote, safe='/')}"


def explained(error: psycopg.OperationalError) -> Exception:
    """A StorageError if the server is the trouble, else the error itself."""
    state = error.sqlstate or "08"
    if state == _CANCELLED or not state.startswith(_TROUBLE):
        return error
    full = isinstance(error, psycopg.errors.DiskFull)
    remedy = "Free some space on its disk." if full else "Try again; if it goes on, see `agentkit doctor`."
    return StorageError(f"The database does not answer as it should: {first_line(error, {})}. {remedy}")


def _is_gone(error: BaseException | None) -> bool:
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith(_GONE)


def first_line(error: Exception, parameters: Parameters) -> str:
    """The first line of an error's text, without the password and the full stop."""
    return without_password((str(error).strip().splitlines() or [type(error).__name__])[0], parameters).rstrip(".")


def without_password(text: str, parameters: Parameters) -> str:
    """`text` with the password masked."""
    password = parameters.get("password")
    return text.replace(password, "***") if password else text
