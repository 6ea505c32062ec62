"""A database that checks and plans the statement of an answer, and does not run it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import ResultColumn, Rows

if TYPE_CHECKING:
    from agentkit.databases import Database
    from agentkit.sqlguard.schema import Dialect, Schema
    from agentkit_sql.answer import SqlAnswer

_NOT_RUN = "not run"


class DryRun:
    """A `Database`. A statement that comes with `limits`, this very object, is planned only.

    The short statements with which values are looked up come with limits of their own, and run.
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self.limits = replace(limits)

    @property
    def name(self) -> str:
        return self._database.name

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    def schema(self) -> Schema:
        return self._database.schema()

    def run(self, sql: str, limits: Limits | None = None) -> Rows:
        """One row that says `not run`, if the statement could run."""
        if limits is not self.limits:
            return self._database.run(sql, limits)
        self._database.explain(sql)
        return Rows((ResultColumn(_NOT_RUN, "text"),), iter([(_NOT_RUN,)]), limits)

    def explain(self, sql: str) -> str:
        return self._database.explain(sql)

    def check_role(self) -> tuple[list[str], str]:
        return self._database.check_role()

    def close(self) -> None:
        self._database.close()


def without_rows(answer: SqlAnswer) -> SqlAnswer:
    """The answer of a statement that was not run."""
    from agentkit.results import Table

    told = [step for step in answer.steps if not (step.startswith("draft") and " gave " in step)]
    return answer.model_copy(
        update={
            "table": Table(columns=[], rows=[]),
            "types": [],
            "row_count": 0,
            "seconds": 0.0,
            "steps": [*told, "the statement was checked and planned, not run"],
            "suggestions": [],
        }
    )
