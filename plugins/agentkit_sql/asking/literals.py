"""Values as the database writes them: 'new york' in a question is 'New York' in a column."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlglot import exp

from agentkit.errors import AgentkitError
from agentkit.sqlguard.limits import Limits
from agentkit_sql.binder.names import Names
from agentkit_sql.binder.scopes import Source, views
from agentkit_sql.engines.quoting import quoted, quoted_name

if TYPE_CHECKING:
    from agentkit.databases import Database
    from agentkit_sql.card.card import Card

_SECONDS = 2.0
_MOST = 6
_FEW = 5


def repair_literals(tree: exp.Expr, names: Names, database: Database, card: Card) -> tuple[list[str], list[str]]:
    """Write texts that a text column is compared with as the column has them.

    Gives what was repaired, and the texts that no row has. A text that stands in the column stays. One that does in
    other case, or within exactly one longer value, is replaced by that; within several, the comparison becomes ILIKE.
    A text that only one other column of the same SELECT has among its frequent values is compared with that column.
    Reads the database for at most 2 s.
    """
    end = time.monotonic() + _SECONDS
    repairs: list[str] = []
    unknown: list[str] = []
    for node, column, literal, source in list(_compared(tree, names))[:_MOST]:
        if time.monotonic() > end:
            break
        text = literal.name
        found = _like(database, source, column, text)
        if found is None or text in found:
            continue
        same = [v for v in found if v.lower() == text.lower()]
        chosen = same if len(same) == 1 else found if len(found) == 1 else []
        if chosen:
            literal.set("this", chosen[0])
            repairs.append(f"{text!r} stands as {chosen[0]!r} in {column.name}")
        elif found and isinstance(node, exp.EQ):
            node.replace(exp.ILike(this=column.copy(), expression=exp.Literal.string(f"%{text}%")))
            repairs.append(f"{column.name} contains {text!r} (for example {found[0]!r})")
        elif not found and (other := _elsewhere(text, column, node, names, card)) is not None:
            repairs.append(f"no {column.name} is {text!r}, but a {other[1]} is {other[2]!r}")
            literal.set("this", other[2])
            node.set("this", exp.column(other[1], other[0].alias))
        elif not found:
            unknown.append(f"no {column.name} is or contains {text!r}")
    return repairs, unknown


def _compared(tree: exp.Expr, names: Names) -> Iterator[tuple[exp.Expr, exp.Column, exp.Literal, Source]]:
    """Text columns of tables that are compared with a literal: by `=`, `<>` or IN."""
    for view in views(tree, names):
        for node in view.own(exp.Expr):
            if not isinstance(node, (exp.EQ, exp.NEQ, exp.In)) or not isinstance(node.this, exp.Column):
                continue
            others = node.expressions if isinstance(node, exp.In) else [node.expression]
            literals = [o for o in others or () if isinstance(o, exp.Literal) and o.is_string and o.name.strip()]
            column = node.this
            owners = [s] if (s := view.source(column.table)) and column.table else view.owners(column.name)
            if len(owners) == 1 and owners[0].table is not None and view.kind(column) == "text":
                yield from ((node, column, literal, owners[0]) for literal in literals)


def _elsewhere(
    text: str, column: exp.Column, node: exp.Expr, names: Names, card: Card
) -> tuple[Source, str, str] | None:
    """The one other column of the SELECT's tables that has this text among its frequent values."""
    view = next((v for v in views(node.root(), names) if v.select is node.parent_select), None)
    if view is None or (isinstance(node, exp.In) and len(node.expressions) > 1):
        return None
    found = [
        (source, other.name, value)
        for source in view.sources.values()
        if source.table is not None
        for other in source.table.columns
        for value in card.frequent(source.table, other)
        if value.lower() == text.lower() and other.name.lower() != column.name.lower()
    ]
    return found[0] if len(found) == 1 else None


def _like(database: Database, source: Source, column: exp.Column, text: str) -> list[str] | None:
    """Up to five values of the column that are or contain the text, in any case; None if they cannot be read."""
    assert source.table is not None
    table = source.table
    place = quoted_name(table)
    name = next((c.name for c in table.columns if c.name.lower() == column.name.lower()), column.name)
    value = f"LOWER(CAST({quoted(name)} AS VARCHAR))"
    plain = text.lower().replace("'", "''")
    pattern = plain.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    statement = (
        f"SELECT v FROM (SELECT CAST({quoted(name)} AS VARCHAR) AS v, "  # noqa: S608 - names are quoted, the text escaped
        f"MIN(CASE WHEN {value} = '{plain}' THEN 0 ELSE 1 END) AS r FROM {place} "
        f"WHERE {value} LIKE '%{pattern}%' ESCAPE '!' GROUP BY 1) AS found ORDER BY r, v LIMIT {_FEW}"
    )
    try:
        return [str(row[0]) for row in database.run(statement, Limits(rows=_FEW, seconds=1.0))]
    except AgentkitError:
        return None
