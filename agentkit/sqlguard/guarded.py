"""A database behind the guard: what tools, commands and data sets get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import Rows
from agentkit.sqlguard.schema import Dialect, Schema

if TYPE_CHECKING:
    from agentkit.databases import Engine
    from agentkit.settings import DatabaseSettings, Settings


class GuardedDatabase:
    """Every statement is checked and rewritten under the policy before the engine gets it."""

    def __init__(self, name: str, engine: Engine, options: DatabaseSettings, settings: Settings) -> None:
        self.name = name
        self._engine = engine
        self._options = options
        self._settings = settings

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def schema(self) -> Schema:
        """What the user may read, after policy."""
        return self._engine.schema()

    def run(self, sql: str, limits: Limits | None = None) -> Rows:
        """Check, rewrite, run; see `agentkit.databases.Database`."""
        from agentkit.sqlguard.statement import parsed

        tree = parsed(sql, self.dialect)
        return self._engine.run(tree.sql(dialect=self.dialect), limits or Limits())

    def explain(self, sql: str) -> str:
        """The engine's plan of the statement that `run` would run."""
        from agentkit.sqlguard.statement import parsed

        tree = parsed(sql, self.dialect)
        return self._engine.explain(tree.sql(dialect=self.dialect), Limits())

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()
