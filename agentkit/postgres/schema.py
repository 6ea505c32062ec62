"""The schema of agentkit's database and of MLflow's beside it, and how an older one is brought up to date.

One query tells whether anything is to be done. Migrations run one process at a time, under an advisory lock.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql

from agentkit.errors import StorageError
from agentkit.postgres.connections import Connection, Parameters, as_url, connected, first_line, without_password

MLFLOW_DATABASE = "mlflow"
_LOCK_KEY = 7_236_548_103_112_954_881  # arbitrary, and the same for every process that migrates
_LOCK_SECONDS = 300.0

MIGRATIONS = (
    """
    create table threads (
        thread_id text primary key,
        title text,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
    );
    create index threads_updated_at on threads (updated_at desc);
    create table tool_results (
        thread_id text,
        call_id text,
        name text,
        args jsonb,
        status text,
        brief text,
        result jsonb,
        seconds float8,
        created_at timestamptz not null default now(),
        primary key (thread_id, call_id)
    );
    create table traces (
        run_id uuid primary key,
        trace_id uuid not null,
        parent_id uuid,
        thread_id text,
        name text,
        kind text,
        started_at timestamptz,
        ended_at timestamptz,
        status text,
        inputs jsonb,
        outputs jsonb,
        error text,
        metadata jsonb
    );
    create index traces_trace_id on traces (trace_id);
    create index traces_thread_id on traces (thread_id);
    create index traces_roots on traces (started_at desc) where parent_id is null;
    """,
    """
    alter table threads add column request_id text, add column request text;
    alter table tool_results add column message_id text not null default '';
    alter table tool_results drop constraint tool_results_pkey;
    alter table tool_results add primary key (thread_id, message_id, call_id);
    """,
    """
    alter table threads add column answers jsonb not null default '{}';
    """,
    """
    alter table threads add column turn jsonb not null default '{}';
    """,
)
"""Each entry takes the schema one version further. Entries are only ever added."""

_BOOKKEEPING = """
    create table if not exists agentkit_schema (version integer not null);
    create table if not exists agentkit_parts (part text primary key, version text not null);
    insert into agentkit_schema select 0 where not exists (select from agentkit_schema);
"""


def versions() -> dict[str, str]:
    """What the databases consist of, in the versions that this installation wants; '' if it is not installed."""
    return {
        "schema": str(len(MIGRATIONS)),
        "checkpoints": _installed("langgraph-checkpoint-postgres"),
        "mlflow": _installed("mlflow"),
    }


def migrate(parameters: Parameters) -> None:
    """Bring agentkit's own tables and LangGraph's to the versions of this installation. Raises StorageError."""
    wanted = versions()
    del wanted["mlflow"]
    with connected(parameters) as connection:
        if _recorded(connection).items() >= wanted.items():
            return
        try:
            with _alone(connection):
                connection.execute(_BOOKKEEPING)
                _migrate_own(connection)
                _add_vectors(connection)
                _migrate_checkpoints(connection)
                _record(connection, "checkpoints", wanted["checkpoints"])
        except psycopg.errors.InsufficientPrivilege as error:
            raise StorageError(
                f"The user of AGENTKIT_DATABASE_URL may not create tables: {first_line(error, parameters)}. Let it, or "
                "use another user or database."
            ) from None


def migrate_mlflow(parameters: Parameters) -> None:
    """Create or migrate MLflow's database on the server of agentkit's. Raises StorageError."""
    version = _installed("mlflow")
    with connected(parameters) as connection:
        if version and _recorded(connection).get("mlflow") != version:
            with _alone(connection):
                create_database(parameters, MLFLOW_DATABASE)
                _upgrade_mlflow(parameters | {"dbname": MLFLOW_DATABASE}, version)
                _record(connection, "mlflow", version)


def create_database(parameters: Parameters, name: str) -> None:
    """A database on the server of `parameters`, unless it is there. Raises StorageError."""
    with connected(parameters) as connection:
        if connection.execute("select from pg_database where datname = %s", [name]).fetchone() is not None:
            return
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return
        except psycopg.Error as error:
            raise StorageError(
                f"The database {name!r} cannot be created: {first_line(error, parameters)}. Create it by hand or let "
                "this user create databases; for MLflow's, MLFLOW_TRACKING_URI may name another store."
            ) from None


def _migrate_own(connection: Connection) -> None:
    row = connection.execute("select version from agentkit_schema").fetchone()
    version = row["version"] if row else 0
    if version > len(MIGRATIONS):
        raise StorageError(
            f"The database has schema version {version}, made by a newer agentkit; this one knows {len(MIGRATIONS)}. "
            "Upgrade agentkit, or set AGENTKIT_HOME to another folder."
        )
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        with connection.transaction():
            connection.execute(statements)
            connection.execute("update agentkit_schema set version = %s", [number])


def _add_vectors(connection: Connection) -> None:
    """pgvector where the server has it; all but retrieval works without."""
    if connection.execute("select from pg_available_extensions where name = 'vector'").fetchone() is not None:
        with suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute("create extension if not exists vector")
            connection.execute("alter extension vector update")


def _migrate_checkpoints(connection: Connection) -> None:
    from langgraph.checkpoint.postgres import PostgresSaver

    PostgresSaver(connection).setup()


def _upgrade_mlflow(parameters: Parameters, version: str) -> None:
    """MLflow's own command, in a process of its own: it takes seconds and most of MLflow's imports."""
    public = dict(parameters)
    password = public.pop("password", "")
    secret = {"PGPASSWORD": password} if password else {}
    outcome = subprocess.run(
        [sys.executable, "-m", "mlflow", "db", "upgrade", as_url("postgresql+psycopg", public)],
        env=os.environ | secret | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode:
        why = without_password((outcome.stderr.strip().splitlines() or ["it does not say why"])[-1], parameters)
        raise StorageError(
            f"MLflow {version} cannot use the database {parameters['dbname']!r}: {why}. Install the version that made "
            "it, or set MLFLOW_TRACKING_URI to another store."
        )


def _recorded(connection: Connection) -> dict[str, str]:
    try:
        rows = connection.execute(
            "select part, version from agentkit_parts union all select 'schema', version::text from agentkit_schema"
        )
        return {row["part"]: row["version"] for row in rows}
    except psycopg.errors.UndefinedTable:
        return {}


def _record(connection: Connection, part: str, version: str) -> None:
    connection.execute(
        "insert into agentkit_parts values (%s, %s) on conflict (part) do update set version = excluded.version",
        [part, version],
    )


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """One process at a time. Tried, not waited for in SQL: `create index concurrently` would wait for the waiter."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while not _locked(connection):
        if time.monotonic() > deadline:
            raise StorageError(f"Another process has been migrating the database for {_LOCK_SECONDS:.0f} s. Try again.")
        time.sleep(0.05)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s)", [_LOCK_KEY])


def _locked(connection: Connection) -> bool:
    row = connection.execute("select pg_try_advisory_lock(%s) as held", [_LOCK_KEY]).fetchone()
    return row is not None and row["held"]


def _installed(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
