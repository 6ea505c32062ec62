"""Functions that make long values out of short ones, kept within bounds where the engine has none.

SQLite has a limit on the length of a value, but its printf looks at it too late. PostgreSQL allows a gigabyte, and
DuckDB makes such values outside of the memory that it counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentkit.errors import SqlRefused
from agentkit.sqlguard.schema import Dialect

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

LONGEST = 1_000_000
"""Characters of a text that repeat, lpad, rpad, space and format may make."""
_WIDE = re.compile(r"[0-9]{5,}|[*]")
_SERIES = ("generate_series", "range")
_MAKERS = ("repeat", "lpad", "rpad")


def bound(node: Expr, dialect: Dialect) -> None:
    """Put an upper bound on the length that a call makes. Raises SqlRefused where that cannot be told."""
    from sqlglot import exp

    if not isinstance(node, exp.Anonymous):
        return
    name, arguments = node.name.lower(), node.expressions
    if name in ("format", "printf"):
        pattern = next(iter(arguments), None)
        if not (isinstance(pattern, exp.Literal) and pattern.is_string) or _WIDE.search(pattern.name):
            raise SqlRefused("the first argument of format must be a text without widths above 9999.", "size")
    elif dialect == "sqlite":
        return
    elif name in _SERIES and dialect == "duckdb" and not isinstance(node.parent, exp.Table):
        _bound_series(arguments)
    elif len(arguments) < 2:
        return
    elif name == "repeat":
        if any(_calls(inner) in _MAKERS for a in arguments for inner in a.find_all(exp.Anonymous)):
            raise SqlRefused("repeat or pad within repeat is not allowed: the text would be too long.", "size")
        length = _call("length" if dialect == "postgres" else "len", arguments[0].copy())
        divided = {"this": exp.Literal.number(LONGEST), "expression": _call("greatest", length, exp.Literal.number(1))}
        share = exp.IntDiv(**divided) if dialect == "duckdb" else exp.Div(**divided, typed=True)
        arguments[1].replace(_least(arguments[1], share))
    elif name in _MAKERS:
        arguments[1].replace(_least(arguments[1], exp.Literal.number(LONGEST)))


def _bound_series(arguments: list[Expr]) -> None:
    """As a table a series is streamed; as a list DuckDB makes it at once, outside of the memory that it counts."""
    from sqlglot import exp

    if len(arguments) < 2:
        for end in arguments:
            end.replace(_least(end, exp.Literal.number(LONGEST)))
        return
    start, end = arguments[0], arguments[1]
    step = arguments[2] if len(arguments) > 2 else exp.Literal.number(1)
    far = exp.Add(
        this=exp.Paren(this=start.copy()),
        expression=exp.Mul(this=exp.Paren(this=step.copy()), expression=exp.Literal.number(LONGEST)),
    )
    end.replace(_call("greatest" if isinstance(step, exp.Neg) else "least", end.copy(), far))


def _calls(node: Expr) -> str:
    return str(node.name).lower()


def _least(value: Expr, most: Expr) -> Expr:
    return _call("least", value.copy(), most)


def _call(name: str, *arguments: Expr) -> Expr:
    """A call as it stands: sqlglot's own classes get their dialect's ways with missing values."""
    from sqlglot import exp

    return exp.Anonymous(this=name, expressions=list(arguments))
