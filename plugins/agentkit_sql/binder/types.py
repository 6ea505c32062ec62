"""What kind of value an expression has, as far as repairs need it: integer, number, text, boolean, date, time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sqlglot import exp

if TYPE_CHECKING:
    from agentkit_sql.binder.scopes import View

Kind = Literal["integer", "number", "float", "text", "boolean", "date", "timestamp", "interval", ""]

_TYPES: tuple[tuple[tuple[str, ...], Kind], ...] = (
    (("[]", "array", "list", "struct", "map", "json", "bytea", "blob", "range"), ""),
    (("interval",), "interval"),
    (("timestamp", "datetime"), "timestamp"),
    (("date",), "date"),
    (("bool",), "boolean"),
    (("double", "float", "real"), "float"),
    (("int", "serial"), "integer"),
    (("num", "dec", "money"), "number"),
    (("char", "text", "string", "uuid", "enum", "clob"), "text"),
)
_SAME = (exp.Max, exp.Min, exp.Paren, exp.Abs, exp.Neg, exp.Nullif, exp.Distinct, exp.Filter, exp.Window, exp.Alias)
_TRUTHS = (exp.Predicate, exp.Not, exp.And, exp.Or, exp.Boolean)
_TEXTS = (exp.Concat, exp.DPipe, exp.Upper, exp.Lower, exp.Substring, exp.Trim, exp.TimeToStr, exp.GroupConcat)
_NUMBERS = ("integer", "number", "float")


def kind_of_type(name: str) -> Kind:
    """The kind of a type as an engine writes it: `timestamp without time zone` -> timestamp."""
    low = name.lower()
    return next((kind for parts, kind in _TYPES if any(p in low for p in parts)), "")


def kind_of(node: exp.Expr, view: View) -> Kind:
    """The kind of an expression, '' where it is not certain."""
    if isinstance(node, exp.Column):
        return view.kind(node)  # type: ignore[return-value]
    if isinstance(node, exp.Literal):
        return "text" if node.is_string else ("integer" if node.this.isdigit() else "number")
    if isinstance(node, exp.Cast):
        return kind_of_type(node.to.sql())
    if isinstance(node, _TRUTHS):
        return "boolean"
    if isinstance(node, (exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Length)):
        return "integer"
    if isinstance(node, _TEXTS):
        return "text"
    if isinstance(node, (exp.Coalesce, *_SAME)):
        return kind_of(node.expressions[0] if isinstance(node, exp.Distinct) else node.this, view)
    return _composed(node, view)


def _composed(node: exp.Expr, view: View) -> Kind:
    if isinstance(node, exp.Case):
        kinds = [kind_of(i.args["true"], view) for i in node.args["ifs"]]
        kinds += [kind_of(node.args["default"], view)] if node.args.get("default") is not None else []
        return _common([k for k in kinds if k])
    if isinstance(node, exp.Sum):
        return kind_of(node.this, view)
    if isinstance(node, exp.Avg):
        return "float" if kind_of(node.this, view) == "float" else "number"
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)):
        return _arithmetic(node, kind_of(node.this, view), kind_of(node.expression, view))
    if isinstance(node, exp.Extract):
        return "number"
    if isinstance(node, (exp.TimestampTrunc, exp.CurrentTimestamp)):
        return "timestamp"
    if isinstance(node, (exp.CurrentDate, exp.Date)):
        return "date"
    if isinstance(node, exp.Interval):
        return "interval"
    if isinstance(node, exp.Subquery) and (inner := view.within(node.this)) and len(inner.select.expressions) == 1:
        return kind_of(inner.select.expressions[0], inner)
    return ""


def _arithmetic(node: exp.Expr, left: Kind, right: Kind) -> Kind:
    if left in _NUMBERS and right in _NUMBERS:
        return _common([left, right])
    if isinstance(node, exp.Sub) and left == right == "date":
        return "integer"
    if isinstance(node, exp.Sub) and left in {"date", "timestamp"} and right in {"date", "timestamp"}:
        return "interval"
    if left == "date" and right == "integer":
        return "date"
    if left in {"date", "timestamp"} and right == "interval":
        return "timestamp"
    return ""


def _common(kinds: list[Kind]) -> Kind:
    for kind in ("float", "number", "integer"):
        if kind in kinds and all(k in _NUMBERS for k in kinds):
            return kind
    return kinds[0] if len(set(kinds)) == 1 else ""
