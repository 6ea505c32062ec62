"""A database behind the guard: what tools, commands and data sets get."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from agentkit.errors import SqlRefused
from agentkit.sqlguard.audit import Audit
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.policy import Policy
from agentkit.sqlguard.rows import Rows
from agentkit.sqlguard.schema import Dialect, Schema
from agentkit.sqlguard.statement import parsed, written
from agentkit.sqlguard.tables import UNDER_POLICY, Tables

if TYPE_CHECKING:
    from sqlglot.expressions import Query, Values

    from agentkit.databases import Engine
    from agentkit.settings import DatabaseSettings

_KEPT_BACK = "The statement is right. Its plan is not shown: it would tell the policy of the tables."
FRESH_SECONDS = 60.0
"""A schema is read again after so long, and at once when a statement names a table that it lacks."""


class GuardedDatabase:
    """Every statement is checked and rewritten under the policy before the engine gets it, and noted in the audit."""

    def __init__(self, name: str, engine: Engine, options: DatabaseSettings, limits: Limits, audit: Audit) -> None:
        self.name = name
        self._engine = engine
        self._options = options
        self._limits = limits
        self._audit = audit
        self._lock = threading.Lock()
        self._tables: Tables | None = None
        self._read_at = 0.0

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def schema(self) -> Schema:
        """What the user may read, after policy. Raises DatabaseUnavailable, SettingsError for a wrong policy."""
        with self._lock:
            return self._current().visible

    def check(self, sql: str) -> str:
        """The statement that would run: checked, and rewritten under the policy. Raises SqlRefused."""
        return written(self._rewritten(sql), self.dialect)

    def _rewritten(self, sql: str) -> Query | Values:
        statement = parsed(sql, self.dialect)
        with self._lock:
            tables = self._current()
            try:
                tree = tables.rewrite(statement.copy())
            except SqlRefused as refused:
                # the table may be new
                if refused.rule != "tables" or time.monotonic() - self._read_at < 1:
                    raise
                tree = self._current(anew=True).rewrite(statement)
        return tree

    def run(self, sql: str, limits: Limits | None = None) -> Rows:
        """Check, rewrite, run; see `agentkit.databases.Database`."""
        try:
            rows = self._engine.run(self.check(sql), limits or self._limits)
        except BaseException as error:
            self._audit.stopped(self.name, sql, error)
            raise
        rows.on_end = partial(self._audit.ran, self.name, sql)
        return rows

    def explain(self, sql: str) -> str:
        """The engine's plan of the statement that `run` would run; a plan that would show the policy is kept back."""
        started = time.monotonic()
        try:
            tree = self._rewritten(sql)
            plan = self._engine.explain(written(tree, self.dialect), self._limits)
        except BaseException as error:
            self._audit.stopped(self.name, sql, error)
            raise
        self._audit.explained(self.name, sql, time.monotonic() - started)
        # SQLite's plan names tables and indexes only
        return _KEPT_BACK if self.dialect != "sqlite" and tree.meta.get(UNDER_POLICY) else plan

    def check_role(self) -> tuple[list[str], str]:
        """What the database's user can do beyond reading, and the SQL for a right one; ([], '') where that is nothing.

        Engines of files have no users. Raises DatabaseUnavailable.
        """
        check = getattr(self._engine, "check_role", None)
        told: tuple[list[str], str] = check() if check is not None else ([], "")
        return told

    def close(self) -> None:
        """Close the engine; the schema is read again when the database is used again."""
        with self._lock:
            self._tables = None
            self._engine.close()

    def _current(self, *, anew: bool = False) -> Tables:
        if self._tables is None or anew or time.monotonic() - self._read_at > FRESH_SECONDS:
            schema = self._engine.schema()
            self._tables = Tables(schema, Policy(self.name, self._options, schema))
            self._read_at = time.monotonic()
        return self._tables
