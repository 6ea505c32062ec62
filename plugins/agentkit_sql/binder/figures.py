"""What runs and gives a wrong figure: whole-number division, and a today that is another day's."""

from __future__ import annotations

from datetime import date

from sqlglot import exp

from agentkit_sql.binder.names import Names
from agentkit_sql.binder.scopes import View, views
from agentkit_sql.binder.types import kind_of


def safe_division(tree: exp.Expr, names: Names, repairs: list[str]) -> None:
    """Divide whole numbers as numbers with decimals where a ratio is meant: where an aggregate is divided.

    A column divided by a constant (`year / 10`) may be meant as it is written. DuckDB's `/` has decimals already.
    """
    if names.schema.dialect == "duckdb":
        return
    for view in views(tree, names):
        for node in view.own(exp.Div):
            if isinstance(node, exp.Div) and _is_ratio(node, view):
                left = node.this.unnest()
                kind = "DOUBLE PRECISION" if names.schema.dialect == "postgres" else "REAL"
                node.set("this", exp.cast(left.copy(), kind))
                repairs.append("whole numbers are divided with decimals")


def _is_ratio(node: exp.Div, view: View) -> bool:
    left, right = node.this, node.expression
    if kind_of(left, view) != "integer" or kind_of(right, view) != "integer":
        return False
    if _is_constant(right):
        # an average over a fixed number of things is a ratio, a bucket of a column is not
        return left.find(exp.AggFunc) is not None
    return left.find(exp.AggFunc, exp.Case, exp.Column) is not None or right.find(exp.AggFunc) is not None


def _is_constant(node: exp.Expr) -> bool:
    return node.find(exp.Column, exp.Star, exp.Query) is None


def guard_zero(tree: exp.Expr) -> int:
    """Make divisors NULL instead of 0, so that such rows have no ratio; how many were changed."""
    changed = 0
    for node in list(tree.find_all(exp.Div)):
        divisor = node.expression
        if not isinstance(divisor.unnest(), (exp.Literal, exp.Nullif)):
            node.set("expression", exp.Nullif(this=divisor.copy(), expression=exp.Literal.number(0)))
            changed += 1
    return changed


def fix_today(tree: exp.Expr, today: date, repairs: list[str]) -> None:
    """Write the stated day in the place of the current date and time."""
    literal = exp.cast(exp.Literal.string(today.isoformat()), "DATE")
    moment = exp.cast(exp.Literal.string(f"{today.isoformat()} 00:00:00"), "TIMESTAMP")
    found = False
    for node in list(tree.find_all(exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentDatetime)):
        node.replace((literal if isinstance(node, exp.CurrentDate) else moment).copy())
        found = True
    for text in list(tree.find_all(exp.Literal)):
        if text.is_string and text.this.lower() == "now" and isinstance(text.parent, exp.Func):
            text.replace(exp.Literal.string(today.isoformat()))
            found = True
    if found:
        repairs.append(f"today is {today.isoformat()}")


def uses_today(tree: exp.Expr) -> bool:
    """Whether the result depends on the day on which the statement runs."""
    if tree.find(exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentDatetime):
        return True
    return any(n.is_string and n.this.lower() == "now" for n in tree.find_all(exp.Literal))
