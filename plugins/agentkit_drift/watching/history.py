"""The history of watches in Postgres: the schema `agentkit_drift` of agentkit's database, one row a run.

A run is inserted with all that it found in one transaction, or not at all. Word of a change is owed from then on
(`told_at` is empty), and so is the log to MLflow: a process that dies before leaves both to the next run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, LiteralString

from psycopg.types.json import Jsonb

from agentkit.errors import BadInput, StorageError

if TYPE_CHECKING:
    from agentkit.storage import Storage

State = Literal["none", "watch", "drift", "failed"]
"""The verdict of a run, or that it failed."""

_SETUP_LOCK = 7_236_548_103_112_954_883  # arbitrary, and the same for every process

MIGRATIONS: tuple[LiteralString, ...] = (
    """
    create table agentkit_drift.runs (
        id bigint generated always as identity primary key,
        watch text not null,
        started_at timestamptz not null,
        ended_at timestamptz not null default now(),
        state text not null check (state in ('none', 'watch', 'drift', 'failed')),
        before text check (before in ('none', 'watch', 'drift', 'failed')),
        reference text not null,
        current text not null,
        rows bigint,
        drifted_share float8,
        weighted_share float8,
        drifted text[] not null default '{}',
        recommendation text not null default '',
        error text,
        result jsonb,
        mlflow_run text,
        log_owed boolean not null,
        word_owed boolean not null,
        told_at timestamptz
    );
    create index runs_watch on agentkit_drift.runs (watch, id desc);
    """,
)
"""Each entry takes the schema one version further. Entries are only ever added."""

_SELECT: LiteralString = (
    "select id, watch, started_at, ended_at, state, before, reference, current, rows, drifted_share, weighted_share, "
    "drifted, recommendation, error, mlflow_run, log_owed, word_owed from agentkit_drift.runs "
)


@dataclass(frozen=True)
class Run:
    """One run of a watch. `before`: the state of the run before it, None for the first. `error`: why it failed."""

    watch: str
    started_at: datetime
    state: State
    reference: str
    current: str
    rows: int | None = None
    drifted_share: float | None = None
    weighted_share: float | None = None
    drifted: Sequence[str] = ()
    recommendation: str = ""
    error: str | None = None
    before: State | None = None
    mlflow_run: str | None = None
    log_owed: bool = False
    word_owed: bool = False
    id: int = 0
    ended_at: datetime | None = None

    @property
    def changed(self) -> bool:
        """True if the state is another one than before; a first run that finds nothing has not changed."""
        return self.state != (self.before or "none")


class RunNotFound(BadInput):
    """The history has no such watch, or no such run of it."""


class History:
    """The runs of all watches. All methods raise StorageError."""

    def __init__(self, storage: Storage) -> None:
        self._pool = storage.pool()
        self._migrate()

    def add(self, run: Run, result: dict[str, Any] | None, *, keep: int, tells: bool) -> Run:
        """Store a finished run, and forget the results of those before the last `keep`.

        `tells`: somebody is to be told of a change.
        """
        with self._pool.connection() as connection, connection.transaction():
            last = connection.execute(
                "select state from agentkit_drift.runs where watch = %s order by id desc limit 1", [run.watch]
            ).fetchone()
            before = last["state"] if last else None
            owed = tells and run.state != (before or "none")
            row = connection.execute(
                "insert into agentkit_drift.runs (watch, started_at, state, before, reference, current, rows, "
                "drifted_share, weighted_share, drifted, recommendation, error, result, log_owed, word_owed) "
                "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning id",
                [run.watch, run.started_at, run.state, before, _text(run.reference), _text(run.current), run.rows,
                 run.drifted_share, run.weighted_share, [_text(name) for name in run.drifted],
                 _text(run.recommendation), None if run.error is None else _text(run.error),
                 None if result is None else Jsonb(result), run.log_owed, owed],
            ).fetchone()  # fmt: skip
            assert row is not None
            connection.execute(
                "update agentkit_drift.runs set result = null where watch = %(watch)s and result is not null and id <= "
                "(select id from agentkit_drift.runs where watch = %(watch)s order by id desc offset %(keep)s limit 1)",
                {"watch": run.watch, "keep": keep},
            )
        return self.run(run.watch, row["id"])

    def runs(self, watch: str, last: int = 50) -> list[Run]:
        """The last runs, the newest first."""
        rows = self._pool.query(_SELECT + "where watch = %s order by id desc limit %s", [watch, last])
        return [Run(**row) for row in rows]

    def run(self, watch: str, number: int | None = None) -> Run:
        """The run of this number, or the last one. Raises RunNotFound if there is none."""
        rows = self._pool.query(
            _SELECT + "where watch = %s and (%s::bigint is null or id = %s) order by id desc limit 1",
            [watch, number, number],
        )
        if not rows:
            which = "no run" if number is None else f"no run {number}"
            raise RunNotFound(f"the watch {watch!r} has {which} in its history. `agentkit drift history` lists them.")
        return Run(**rows[0])

    def result(self, run: Run) -> dict[str, Any] | None:
        """What a run found, None if it failed or is too long ago."""
        (row,) = self._pool.query("select result from agentkit_drift.runs where id = %s", [run.id])
        found: dict[str, Any] | None = row["result"]
        return found

    def watches(self) -> list[Run]:
        """The last run of every watch, by name."""
        rows = self._pool.query(
            _SELECT + "where id in (select max(id) from agentkit_drift.runs group by watch) order by watch"  # noqa: S608 - constants
        )
        return [Run(**row) for row in rows]

    def owed(self, watch: str) -> Run | None:
        """The last change that nobody was told of yet; what came before it is no news any more."""
        rows = self._pool.query(
            _SELECT + "where watch = %s and word_owed order by id desc limit 1",
            [watch],
        )
        return Run(**rows[0]) if rows else None

    def told(self, run: Run) -> None:
        """Nothing is owed any more up to this run."""
        self._pool.query(
            "update agentkit_drift.runs set word_owed = false, told_at = case when id = %s then now() end "
            "where watch = %s and id <= %s and word_owed",
            [run.id, run.watch, run.id],
        )

    def unlogged(self, watch: str) -> list[Run]:
        """Runs that are not in MLflow yet, the newest first, at most 20: one that MLflow refuses stops no later one."""
        rows = self._pool.query(_SELECT + "where watch = %s and log_owed order by id desc limit 20", [watch])
        return [Run(**row) for row in rows]

    def logged(self, run: Run, mlflow_run: str) -> None:
        """A run is in MLflow now."""
        self._pool.query(
            "update agentkit_drift.runs set log_owed = false, mlflow_run = %s where id = %s", [mlflow_run, run.id]
        )

    def _migrate(self) -> None:
        rows = self._pool.query("select to_regclass('agentkit_drift.version') is not null as there")
        if rows[0]["there"]:
            (row,) = self._pool.query("select version from agentkit_drift.version")
            if row["version"] == len(MIGRATIONS):
                return
        with self._pool.connection() as connection, connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", [_SETUP_LOCK])
            connection.execute("create schema if not exists agentkit_drift")
            connection.execute("create table if not exists agentkit_drift.version (version integer not null)")
            connection.execute("insert into agentkit_drift.version select 0 where not exists "
                               "(select from agentkit_drift.version)")  # fmt: skip
            found = connection.execute("select version from agentkit_drift.version").fetchone()
            version = found["version"] if found else 0
            if version > len(MIGRATIONS):
                raise StorageError(
                    f"The history of watches has version {version}, made by a newer agentkit; this one knows "
                    f"{len(MIGRATIONS)}. Upgrade agentkit."
                )
            for statements in MIGRATIONS[version:]:
                # several commands at once cannot be prepared
                connection.execute(statements, prepare=False)
            connection.execute("update agentkit_drift.version set version = %s", [len(MIGRATIONS)])


def _text(text: str) -> str:
    """As Postgres takes it: names of columns can hold a NUL, its texts cannot."""
    return text.replace("\0", "")
