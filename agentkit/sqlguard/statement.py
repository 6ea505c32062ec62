"""One statement: parsed, and checked against what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit.errors import SqlRefused
from agentkit.sqlguard.schema import Dialect

if TYPE_CHECKING:
    from sqlglot.expressions import Query


def parsed(sql: str, dialect: Dialect) -> Query:
    """The tree of one SELECT, set operation or VALUES. Raises SqlRefused."""
    import sqlglot
    from sqlglot import exp

    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=dialect) if tree is not None]
    except sqlglot.errors.SqlglotError as error:
        raise SqlRefused(f"the statement cannot be read: {error}", "syntax") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise SqlRefused("only one SELECT, set operation or VALUES is allowed. Nothing was run.", "one statement")
    return trees[0]
