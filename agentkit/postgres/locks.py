"""Who works on a thread: Postgres forgets it by itself when a process dies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.rows import dict_row

from agentkit.errors import ThreadBusy
from agentkit.postgres.connections import Connection, explained, persistently

_PATIENCE = 3.0
"""Seconds in which the server notices that a process was killed: its threads are free then."""
# a machine that vanished holds its threads for a minute, not for the two hours of TCP's own default
_OPTIONS = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


class ThreadLocks:
    """Advisory locks on one connection of this process. `conninfo` is asked before each new connection."""

    def __init__(self, conninfo: Callable[[], str]) -> None:
        self._conninfo = conninfo
        self._connection: Connection | None = None
        self._held: set[str] = set()
        self._using = threading.Lock()

    @contextmanager
    def held(self, thread_id: str) -> Iterator[None]:
        """Work on this thread alone. Raises ThreadBusy if somebody does, StorageError."""
        deadline = time.monotonic() + _PATIENCE
        while not persistently(lambda: self._take(thread_id)):
            if time.monotonic() > deadline:
                raise ThreadBusy(
                    f"thread {thread_id!r} is at work, here or in another process: wait until that run has ended or "
                    "stop it, or start a new thread."
                )
            time.sleep(0.05)
        try:
            yield
        finally:
            self._give_back(thread_id)

    def close(self) -> None:
        """Give everything back."""
        with self._using:
            if self._connection is not None:
                self._connection.close()

    def _take(self, thread_id: str) -> bool:
        with self._using:
            # the server counts how often a connection takes a lock: two runs of this process would both have it
            if thread_id in self._held:
                return False
            try:
                if not _locked(self._connected(), thread_id):
                    return False
            except psycopg.OperationalError as error:
                raise explained(error) from error
            self._held.add(thread_id)
            return True

    def _give_back(self, thread_id: str) -> None:
        with self._using:
            self._held.discard(thread_id)
            if self._connection is not None:
                with suppress(psycopg.OperationalError):  # the locks went with the connection
                    self._connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [thread_id])

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._conninfo(), autocommit=True, row_factory=dict_row, options=_OPTIONS, prepare_threshold=0
            )
            for thread_id in self._held:  # of runs that outlive a restart of the server
                _locked(self._connection, thread_id)
        return self._connection


def _locked(connection: Connection, thread_id: str) -> bool:
    row = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0)) as held", [thread_id]).fetchone()
    return row is not None and bool(row["held"])
