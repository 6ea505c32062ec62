"""PostgreSQL's functions that make long values out of short ones: it would allow a gigabyte for each.

SQLite and DuckDB run in a process whose memory is bounded, whatever a statement calls.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentkit.errors import SqlRefused

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

LONGEST = 1_000_000
"""Characters of a text that repeat, lpad, rpad and format may make."""
_WIDE = re.compile(r"[0-9]{5,}|[*]")
_MAKERS = ("repeat", "lpad", "rpad")


def bound(node: Expr) -> None:
    """Put an upper bound on the length that a call makes. Raises SqlRefused where that cannot be told."""
    from sqlglot import exp

    if not isinstance(node, exp.Anonymous):
        return
    name, arguments = node.name.lower(), node.expressions
    if name == "format":
        pattern = next(iter(arguments), None)
        if not (isinstance(pattern, exp.Literal) and pattern.is_string) or _WIDE.search(pattern.name):
            raise SqlRefused("the first argument of format must be a text without widths above 9999.", "size")
    elif len(arguments) < 2:
        return
    elif name == "repeat":
        if any(inner.name.lower() in _MAKERS for a in arguments for inner in a.find_all(exp.Anonymous)):
            raise SqlRefused("repeat or pad within repeat is not allowed: the text would be too long.", "size")
        length = _call("greatest", _call("length", arguments[0].copy()), exp.Literal.number(1))
        share = exp.Div(this=exp.Literal.number(LONGEST), expression=length, typed=True)
        arguments[1].replace(_least(arguments[1], share))
    elif name in _MAKERS:
        arguments[1].replace(_least(arguments[1], exp.Literal.number(LONGEST)))


def _least(value: Expr, most: Expr) -> Expr:
    return _call("least", value.copy(), most)


def _call(name: str, *arguments: Expr) -> Expr:
    """A call as it stands: sqlglot's own classes get their dialect's ways with missing values."""
    from sqlglot import exp

    return exp.Anonymous(this=name, expressions=list(arguments))
