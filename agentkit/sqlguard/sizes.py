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
_FORMATS = ("format", "printf")


def bound(node: Expr, dialect: Dialect) -> None:
    """Put an upper bound on the length that a call makes. Raises SqlRefused where that cannot be told."""
    from sqlglot import exp

    if isinstance(node, exp.Format) or (isinstance(node, exp.Anonymous) and node.name.lower() in _FORMATS):
        pattern = node.this if isinstance(node, exp.Format) else next(iter(node.expressions), None)
        if not (isinstance(pattern, exp.Literal) and pattern.is_string) or _WIDE.search(pattern.name):
            raise SqlRefused("the first argument of format must be a text without widths above 9999.", "size")
    elif dialect == "sqlite":
        return
    elif isinstance(node, exp.Repeat):
        if node.this.find(exp.Repeat, exp.Pad) or (node.args["times"].find(exp.Repeat)):
            raise SqlRefused("repeat or pad within repeat is not allowed: the text would be too long.", "size")
        length = _call("length" if dialect == "postgres" else "len", node.this.copy())
        divided = {"this": exp.Literal.number(LONGEST), "expression": _call("greatest", length, exp.Literal.number(1))}
        share = exp.IntDiv(**divided) if dialect == "duckdb" else exp.Div(**divided, typed=True)
        node.set("times", _least(node.args["times"], share))
    elif isinstance(node, exp.Pad):
        node.set("expression", _least(node.expression, exp.Literal.number(LONGEST)))
    elif isinstance(node, exp.Space):
        node.set("this", _least(node.this, exp.Literal.number(LONGEST)))
    elif isinstance(node, exp.GenerateSeries) and dialect == "duckdb" and not isinstance(node.parent, exp.Table):
        # as a table it is streamed; as a list it is made at once, outside of the memory that DuckDB counts
        step = node.args.get("step") or exp.Literal.number(1)
        far = exp.Add(
            this=exp.Paren(this=node.args["start"].copy()),
            expression=exp.Mul(this=exp.Paren(this=step.copy()), expression=exp.Literal.number(LONGEST)),
        )
        down = isinstance(step, exp.Neg)
        node.set("end", _call("greatest" if down else "least", node.args["end"].copy(), far))


def _least(value: Expr, most: Expr) -> Expr:
    return _call("least", value.copy(), most)


def _call(name: str, *arguments: Expr) -> Expr:
    """A call as it stands: sqlglot's own classes get their dialect's ways with missing values."""
    from sqlglot import exp

    return exp.Anonymous(this=name, expressions=list(arguments))
