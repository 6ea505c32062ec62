"""One statement from draft to rows: bound, completed, checked by the database, run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from agentkit.errors import AgentkitError, Cancelled, DatabaseUnavailable, SqlFailed
from agentkit_sql.asking.settings import Steps
from agentkit_sql.binder import bind

if TYPE_CHECKING:
    from sqlglot import exp

    from agentkit.databases import Database
    from agentkit.sqlguard.limits import Limits
    from agentkit_sql.answer import SqlAnswer
    from agentkit_sql.card.card import Card

_SHORT = 300


@dataclass
class Candidate:
    """A statement and what came of it: an answer, or the cause why there is none."""

    draft: str
    sql: str
    repairs: list[str] = field(default_factory=list)
    completions: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    answer: SqlAnswer | None = None
    cause: str = ""
    dry: bool = False

    @property
    def rows(self) -> bool:
        """Whether it gave something: rows that do not consist of missing values alone. Not run, it is believed."""
        return self.answer is not None and (
            self.dry or any(v is not None for row in self.answer.table.rows for v in row)
        )

    @property
    def good(self) -> bool:
        """Whether it gave something and nothing about it is odd."""
        return self.rows and not self.doubts

    @property
    def key(self) -> tuple[object, ...] | None:
        """The same for candidates with the same result, whatever the names and the order of its columns and rows."""
        if self.answer is None:
            return None
        rows = sorted(tuple(sorted(_same(v) for v in row)) for row in self.answer.table.rows)
        return (self.answer.row_count, *rows)


@dataclass
class Trial:
    """What candidates of one question are tried with."""

    database: Database
    card: Card
    question: str
    home: Path
    limits: Limits | None = None
    today: date | None = None
    steps: Steps = field(default_factory=Steps)
    dry: bool = False

    def run(self, draft: str) -> Candidate:
        """Bind, complete and run a draft. Raises Cancelled and DatabaseUnavailable; other trouble is its `cause`."""
        candidate = Candidate(draft, draft.strip().rstrip(";").rstrip(), dry=self.dry)
        if not draft:
            candidate.cause = "there was no statement."
            return candidate
        if self.steps.binder:
            self._bind(candidate)
        if self.steps.completion or self.steps.literals:
            self._complete(candidate)
        self._fetch(candidate)
        self._doubt(candidate)
        return candidate

    def _doubt(self, candidate: Candidate) -> None:
        from agentkit_sql.asking.doubts import doubts, weak

        tree = self._tree(candidate)
        if tree is not None:
            odd = doubts(tree, self.question, candidate.answer)
            candidate.doubts = [*candidate.unknown, *weak(candidate.repairs), *odd]

    def _bind(self, candidate: Candidate) -> None:
        # what the database accepts is not repaired, but for what gives wrong figures
        accepted = self._refusal(candidate.sql) is None
        bound = bind(candidate.sql, self.card.schema, graph=self.card.graph, today=self.today, light=accepted)
        candidate.sql, candidate.problems = bound.sql, list(bound.problems)
        candidate.repairs = list(bound.repairs)

    def _complete(self, candidate: Candidate) -> None:
        """Values as the database has them, and further columns; each left out if the database would then refuse."""
        from agentkit_sql.asking.completing import complete
        from agentkit_sql.asking.literals import repair_literals
        from agentkit_sql.binder.names import Names

        tree = self._tree(candidate)
        if self.steps.literals and tree is not None:
            names = Names(self.card.schema, self.card.graph)
            found, candidate.unknown = repair_literals(tree, names, self.database, self.card)
            if self._takes(candidate, tree, found):
                candidate.repairs += found
        tree = self._tree(candidate)
        if self.steps.completion and tree is not None:
            grouped = not any(r.startswith("GROUP BY") for r in candidate.repairs)
            done = complete(tree, self.question, self.card.schema.dialect, groups=grouped)
            if self._takes(candidate, tree, done):
                candidate.completions = done

    def _tree(self, candidate: Candidate) -> exp.Expr | None:
        from agentkit_sql.binder.parsing import parsed

        return parsed(candidate.sql, self.card.schema.dialect)[0]

    def _takes(self, candidate: Candidate, tree: exp.Expr, done: list[str]) -> bool:
        """Let a changed tree be the candidate's statement, if anything was done and the database would run it."""
        sql = tree.sql(dialect=self.card.schema.dialect)
        if not done or self._refusal(sql) is not None:
            return False
        candidate.sql = sql
        return True

    def _refusal(self, sql: str) -> str | None:
        """Why the database or its guard would not run a statement, None if it would."""
        try:
            self.database.explain(sql)
        except (Cancelled, DatabaseUnavailable):
            raise
        except AgentkitError as error:
            return str(error)[:_SHORT]
        return None

    def _fetch(self, candidate: Candidate, *, again: bool = False) -> None:
        from agentkit_sql.collect import answered, planned

        shown = pretty(candidate.sql, self.card.schema.dialect)
        try:
            if self.dry:
                candidate.answer = planned(self.database, candidate.sql, shown)
            else:
                candidate.answer = answered(
                    self.database.run(candidate.sql, self.limits), shown, self.database.name, self.home
                )
        except (Cancelled, DatabaseUnavailable):
            raise
        except AgentkitError as error:
            candidate.cause = str(error)[:_SHORT]
            zero = isinstance(error, SqlFailed) and "division by zero" in str(error).lower()
            if zero and self.steps.binder and not again and self._without_zero(candidate):
                candidate.cause = ""
                self._fetch(candidate, again=True)

    def _without_zero(self, candidate: Candidate) -> bool:
        from agentkit_sql.binder.figures import guard_zero

        tree = self._tree(candidate)
        if tree is None or not guard_zero(tree):
            return False
        candidate.sql = tree.sql(dialect=self.card.schema.dialect)
        candidate.repairs.append("a ratio to zero is missing, not an error")
        return True


def pretty(sql: str, dialect: str) -> str:
    """The statement with one clause a line; as it is if it cannot be read."""
    from sqlglot import parse_one
    from sqlglot.errors import SqlglotError

    try:
        return parse_one(sql, read=dialect).sql(dialect=dialect, pretty=True)
    except SqlglotError:
        return sql


def _same(value: object) -> str:
    """A value as text, numbers to nine digits."""
    if isinstance(value, bool) or value is None:
        return str(value)
    return f"{float(value):.9g}" if isinstance(value, (int, float)) else str(value)


class Clock:
    """How much time there is for further statements."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> bool:
        return time.monotonic() < self._end
