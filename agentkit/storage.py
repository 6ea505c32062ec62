"""Postgres: threads, results, traces, vectors and MLflow's store, on a given server or on the embedded one.

Nothing starts and nothing heavy is imported before it is needed. What a home's cluster is made of is checked with one
query; migrations, LangGraph's and MLflow's included, run only when a recorded version differs.
"""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from agentkit.errors import StorageError
from agentkit.postgres import cluster
from agentkit.postgres.server import EmbeddedServer
from agentkit.settings import Settings

if TYPE_CHECKING:
    from agentkit.checkpoints import Checkpointer
    from agentkit.postgres.connections import Parameters, Pool
    from agentkit.postgres.locks import ThreadLocks

DATABASE = "agentkit"


class Storage:
    """The database and the files of one home. Threads may share it; `close` it, or use it in a `with` block.

    All methods raise StorageError, which never holds a password.
    """

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._given = settings.database_url
        self._server = EmbeddedServer(settings.home, _create)
        self._state = _State()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The connection URL of agentkit's database, whose server runs and whose schema is up to date."""
        from agentkit.postgres import connections, schema

        state = self._current()
        with state.threads:
            if not state.ready:
                atexit.register(self.close)
                try:
                    if self._given is None:
                        schema.create_database(self._parameters() | {"dbname": "postgres"}, DATABASE)
                    schema.migrate(self._parameters())
                except BaseException:
                    self.close()
                    raise
                state.ready = True
            return connections.as_url("postgresql", self._parameters())

    def pool(self) -> Pool:
        """Connections in autocommit mode whose rows are dicts, at most 10 at a time.

        A connection that died with its server is replaced; the embedded server is started again for that.
        """
        from agentkit.postgres import connections

        state = self._current()
        with state.threads:
            if state.pool is None:
                _ = self.url
                state.pool = connections.new_pool(lambda: self.url)
            return state.pool

    def locks(self) -> ThreadLocks:
        """Who works on which thread, over all processes that share the database."""
        from agentkit.postgres.locks import ThreadLocks

        state = self._current()
        with state.threads:
            if state.locks is None:
                state.locks = ThreadLocks(lambda: self.url)
            return state.locks

    def checkpointer(self) -> Checkpointer:
        """LangGraph's checkpointer over the pool, for sync and async graphs; its tables are there."""
        from agentkit.checkpoints import Checkpointer

        return Checkpointer(self.pool())

    def mlflow_uri(self) -> str:
        """Where MLflow tracks: MLFLOW_TRACKING_URI if set, or else a migrated database beside agentkit's."""
        if given := os.environ.get("MLFLOW_TRACKING_URI"):
            return given
        from agentkit.postgres import connections, schema

        _ = self.url
        state = self._current()
        with state.threads:
            parameters = self._parameters()
            if not state.mlflow_ready:
                schema.migrate_mlflow(parameters)
                state.mlflow_ready = True
            return connections.as_url("postgresql+psycopg", parameters | {"dbname": schema.MLFLOW_DATABASE})

    def artifacts(self) -> Path:
        """The folder of files that runs and tools make; MLflow's artifacts lie below it."""
        folder = self._home / "artifacts"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder} cannot be made: {error}. {cluster.remedy(self._home.parent)}") from error
        return folder

    def close(self) -> None:
        """Close all connections and leave the server, which stops if nobody else uses it. May be called again."""
        state = self._current()
        with state.threads:
            if state.pool is not None:
                state.pool.close()
            if state.locks is not None:
                state.locks.close()
            self._server.release()
            self._state = _State()
            atexit.unregister(self.close)

    def _current(self) -> _State:
        """What this process has opened. A forked child begins anew and leaves its parent's connections alone."""
        if self._state.process != os.getpid():
            _ABANDONED.append(self._state)
            self._server.forget()
            self._state = _State()
        return self._state

    def _parameters(self) -> Parameters:
        """Where agentkit's database is. The embedded server is started if it does not run, or no longer."""
        if self._given is None:
            return _embedded(self._server.acquire())
        from agentkit.postgres import connections

        return connections.parse(self._given)


class _State:
    """What a process has opened."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.threads = threading.RLock()
        self.ready = False
        self.mlflow_ready = False
        self.pool: Pool | None = None
        self.locks: ThreadLocks | None = None


# never collected: a connection's end would reach the server through the socket that the parent still uses
_ABANDONED: list[_State] = []


def _embedded(socket_folder: str) -> Parameters:
    return {"host": socket_folder, "user": cluster.SUPERUSER, "dbname": DATABASE}


def _create(data: Path) -> None:
    """A new home's data folder: a copy of what `_prepare` made once on this machine."""
    from platformdirs import user_cache_path

    from agentkit.postgres import schema

    key = "-".join([cluster.release(), *(part + version for part, version in schema.versions().items())])
    cluster.from_template(data, user_cache_path("agentkit"), key, _prepare)


def _prepare(home: Path) -> None:
    from agentkit.postgres import schema

    with EmbeddedServer(home).running() as folder:
        schema.create_database(_embedded(folder) | {"dbname": "postgres"}, DATABASE)
        schema.migrate(_embedded(folder))
        schema.migrate_mlflow(_embedded(folder))
