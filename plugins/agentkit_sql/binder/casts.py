"""Comparisons and functions between kinds of values that PostgreSQL and DuckDB do not mix by themselves."""

from __future__ import annotations

import re

from sqlglot import exp

from agentkit_sql.binder.names import Names
from agentkit_sql.binder.scopes import View, views
from agentkit_sql.binder.types import kind_of

_TIMES = frozenset(("date", "timestamp"))
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


def repair_casts(tree: exp.Expr, names: Names, repairs: list[str]) -> None:
    """Cast where the database would refuse an operator or a function for the kinds of its operands."""
    if names.schema.dialect == "sqlite":
        return
    for view in views(tree, names):
        for node in view.own(exp.Expr):
            if isinstance(node, _COMPARISONS):
                _comparison(node, view, repairs)
            elif isinstance(node, (exp.Like, exp.ILike)):
                _pattern(node, view, repairs)
            elif isinstance(node, exp.Round):
                _rounding(node, view, repairs, names)
            elif isinstance(node, (exp.Sum, exp.Avg)):
                _addends(node, view, repairs)
            elif isinstance(node, (exp.Where, exp.And, exp.Or, exp.Not, exp.If)):
                _condition(node, view, repairs)
            elif isinstance(node, (exp.Extract, exp.TimestampTrunc)):
                _moment(node, view, repairs)


def _comparison(node: exp.Binary, view: View, repairs: list[str]) -> None:
    for mine, other in (("this", "expression"), ("expression", "this")):
        left, right = node.args[mine], node.args[other]
        kind = kind_of(left, view)
        if kind == "text" and isinstance(left, exp.Column):
            _text(node, mine, other, view, repairs)
        elif kind == "boolean" and _number(right) and right.this in _TRUTH:
            node.set(other, exp.Boolean(this=_TRUTH[right.this]))
            repairs.append(f"{left.sql()} is true or false, not {right.this}")
        elif kind == "integer" and isinstance(right, exp.Boolean):
            node.set(other, exp.Literal.number(1 if right.this else 0))
            repairs.append(f"{left.sql()} is 1 or 0, not true or false")
        elif kind in _TIMES and mine == "this" and _part_of_date(node, left, right):
            repairs.append(f"{left.sql()} is compared by its {'month' if '-' in right.name else 'year'}")
        elif kind == "interval" and _number(right):
            node.set(other, exp.Interval(this=exp.Literal.string(f"{right.this} days")))
            repairs.append(f"{left.sql()} is a length of time: {right.this} days")


_TRUTH = {"1": True, "0": False}


def _text(node: exp.Binary, mine: str, other: str, view: View, repairs: list[str]) -> None:
    """A text column against a number, a date, or a column of numbers."""
    left, right = node.args[mine], node.args[other]
    if _number(right) and isinstance(node, (exp.EQ, exp.NEQ)):
        node.set(other, exp.Literal.string(right.this))
        repairs.append(f"{left.sql()} holds text: {right.this} is written in quotes")
    elif _number(right):
        node.set(mine, exp.cast(left.copy(), "DECIMAL"))
        repairs.append(f"{left.sql()} holds numbers as text")
    elif kind_of(right, view) in _TIMES:
        node.set(mine, exp.cast(left.copy(), "DATE"))
        repairs.append(f"{left.sql()} holds dates as text")
    elif isinstance(right, exp.Column) and kind_of(right, view) == "integer":
        node.set(other, exp.cast(right.copy(), "TEXT"))
        repairs.append(f"{right.sql()} is compared as text")


def _part_of_date(node: exp.Binary, left: exp.Expr, right: exp.Expr) -> bool:
    """`day = '2024-03'` and `day >= '2024'`: the month or the year of the day, in the place of the day."""
    if not right.is_string or not re.fullmatch(r"\d{4}(-\d{2})?", right.name):
        return False
    form = "YYYY-MM" if "-" in right.name else "YYYY"
    node.set("this", exp.func("TO_CHAR", left.copy(), exp.Literal.string(form), dialect="postgres"))
    return True


def _number(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string


def _pattern(node: exp.Binary, view: View, repairs: list[str]) -> None:
    kind = kind_of(node.this, view)
    if kind and kind != "text":
        repairs.append(f"{node.this.sql()} is compared as text")
        node.set("this", exp.cast(node.this.copy(), "TEXT"))


def _rounding(node: exp.Round, view: View, repairs: list[str], names: Names) -> None:
    """PostgreSQL rounds to digits only what is numeric."""
    if names.schema.dialect != "postgres" or node.args.get("decimals") is None:
        return
    if kind_of(node.this, view) == "float" or _divides_floats(node.this, view):
        node.set("this", exp.cast(node.this.copy(), "DECIMAL"))
        repairs.append("ROUND needs a numeric")


def _divides_floats(node: exp.Expr, view: View) -> bool:
    return any(kind_of(c, view) == "float" for c in node.find_all(exp.Cast)) and kind_of(node, view) in {"", "float"}


def _condition(node: exp.Expr, view: View, repairs: list[str]) -> None:
    """A whole number that stands as a condition."""
    for key in ("this", "expression") if isinstance(node, exp.Binary) else ("this",):
        part = node.args.get(key)
        if isinstance(part, exp.Column) and kind_of(part, view) == "integer":
            node.set(key, exp.NEQ(this=part.copy(), expression=exp.Literal.number(0)))
            repairs.append(f"{part.sql()} is a number: it is true if it is not 0")


def _addends(node: exp.AggFunc, view: View, repairs: list[str]) -> None:
    """Truths and numbers that are stored as text, so that they can be added up."""
    inner = node.this
    if kind_of(inner, view) == "text" and isinstance(inner, exp.Column):
        repairs.append(f"{inner.sql()} holds numbers as text")
        node.set("this", exp.cast(inner.copy(), "DECIMAL"))
    elif kind_of(inner, view) == "boolean" and not isinstance(inner, exp.Distinct):
        repairs.append(f"{inner.sql()} is counted as 1 where it is true")
        case = exp.Case(ifs=[exp.If(this=inner.copy(), true=exp.Literal.number(1))], default=exp.Literal.number(0))
        node.set("this", case if isinstance(node, exp.Sum) else exp.cast(case, "DECIMAL"))


def _moment(node: exp.Expr, view: View, repairs: list[str]) -> None:
    """A part of a date that is a column of its own, of a date that is stored as text, or of a number of days."""
    key, part = (
        ("expression", node.name.lower()) if isinstance(node, exp.Extract) else ("this", node.text("unit").lower())
    )
    inner = node.args[key]
    kind = kind_of(inner, view)
    named = isinstance(inner, exp.Column) and part in inner.name.lower()
    if named and kind in {"integer", "text"}:
        # a column `year` that is no date is the year
        repairs.append(f"{inner.sql()} is the {part} already")
        node.replace(inner.copy())
    elif kind == "text" and not (isinstance(inner, exp.Literal) and isinstance(node, exp.Extract)):
        node.set(key, exp.cast(inner.copy(), "TIMESTAMP"))
        repairs.append(f"{inner.sql()} is read as a date")
    elif kind == "integer" and re.fullmatch("days?", part) and isinstance(inner.unnest(), exp.Sub):
        # a difference of dates is a number of days already
        repairs.append(f"{inner.sql()} is a number of days")
        node.replace(inner.copy())
    elif kind == "integer" and part == "epoch" and isinstance(inner.unnest(), exp.Sub):
        repairs.append(f"{inner.sql()} is a number of days, of 86400 seconds each")
        node.replace(exp.Mul(this=exp.paren(inner.unnest().copy()), expression=exp.Literal.number(86_400)))
