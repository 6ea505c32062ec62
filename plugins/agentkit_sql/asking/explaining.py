"""A statement in words, and questions that go on from it, both read off its tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from agentkit_sql.binder.scopes import from_items
from agentkit_sql.card.card import Card
from agentkit_sql.card.values import is_date, is_text
from agentkit_sql.card.words import telling

if TYPE_CHECKING:
    from agentkit.sqlguard.schema import TableInfo

_LONGEST = 320
_FIGURES = {exp.Count: "number of", exp.Sum: "sum of", exp.Avg: "average", exp.Min: "smallest", exp.Max: "largest"}
_FEW_VALUES = 8
_NO_KINDS = frozenset(
    ("name", "title", "description", "email", "phone", "url", "address", "label", "comment", "street")
)


def explanation(tree: exp.Expr) -> str:
    """What the statement computes in one or two sentences, for people who read no SQL."""
    select = tree
    while isinstance(select, exp.SetOperation):
        select = select.this
    if not isinstance(select, exp.Select):
        return ""
    parts = [_shown(select)]
    tables = [n.name for n in from_items(select) if isinstance(n, exp.Table)]
    if tables:
        parts.append(f"from {_listed(tables)}")
    where = select.args.get("where")
    if where is not None and where.find(exp.Query) is None:
        parts.append(f"where {_condition(where.this)}")
    group = select.args.get("group")
    if group is not None and group.expressions:
        parts.append(f"for each {_listed([_words(_resolved(g, select)) for g in group.expressions])}")
    having = select.args.get("having")
    if having is not None and having.find(exp.Query) is None:
        parts.append(f"if {_condition(having.this)}")
    parts += _ordered(select)
    text = " ".join(parts)
    text = text[0].upper() + text[1:]
    return (text if len(text) <= _LONGEST else text[: _LONGEST - 3].rsplit(" ", 1)[0] + "...") + "."


def further(tree: exp.Expr, card: Card) -> list[str]:
    """Up to three questions that go on from a statement: by month, by a kind, for one of them."""
    tables = [t for node in tree.find_all(exp.Table) for t in card.schema.tables if t.name == node.name]
    aggregated = tree.find(exp.AggFunc) is not None
    grouped = tree.find(exp.Group) is not None
    found: list[str] = []
    for table in tables[:3]:
        if aggregated and not grouped:
            found += [f"And by month of {c.name}?" for c in table.columns if is_date(c)][:1]
            found += [f"And by {c.name}?" for c in _kinds(table, card)][:1]
        elif not aggregated:
            found += [f"How many of them by {c.name}?" for c in _kinds(table, card)][:1]
        else:
            found += [f"Only for {c.name} {card.frequent(table, c)[0]!r}?" for c in _kinds(table, card)][:1]
    return list(dict.fromkeys(found))[:3]


def _kinds(table: TableInfo, card: Card) -> list:  # type: ignore[type-arg]
    """The text columns whose frequent values are few and short: what one groups by."""
    kinds = [c for c in table.columns if is_text(c) and 1 < len(card.frequent(table, c)) <= _FEW_VALUES]
    return [c for c in kinds if not telling(c.name) & _NO_KINDS]


def _shown(select: exp.Select) -> str:
    return ("different " if select.args.get("distinct") else "") + _listed([_words(e) for e in select.expressions])


def _words(node: exp.Expr) -> str:
    if isinstance(node, exp.Alias):
        inner = node.this
        simple = isinstance(inner, (exp.Column, *_FIGURES))
        return _words(inner) if simple else node.alias.replace("_", " ")
    if node.is_star:
        return "all columns"
    if isinstance(node, exp.Column):
        return node.name
    for kind, words in _FIGURES.items():
        if isinstance(node, kind):
            return f"{words} {_of(node)}"
    return _composed(node)


def _composed(node: exp.Expr) -> str:
    if isinstance(node, exp.TimestampTrunc):
        return f"{node.text('unit').lower()} of {_words(node.this)}"
    if isinstance(node, exp.Extract):
        return f"{node.name.lower()} of {_words(node.expression)}"
    if isinstance(node, (exp.Cast, exp.Paren, exp.Round, exp.Coalesce, exp.Nullif)):
        return _words(node.this)
    if isinstance(node, exp.Div):
        return f"{_words(node.this)} divided by {_words(node.expression)}"
    return node.sql()


def _of(node: exp.Expr) -> str:
    inner = node.this
    if inner is None or isinstance(inner, (exp.Star, exp.Literal)):
        return "rows"
    if isinstance(inner, exp.Distinct):
        return "different " + _listed([_words(e) for e in inner.expressions])
    return _words(inner)


def _condition(node: exp.Expr) -> str:
    if isinstance(node, exp.And):
        return f"{_condition(node.this)} and {_condition(node.expression)}"
    if isinstance(node, exp.Or):
        return f"{_condition(node.this)} or {_condition(node.expression)}"
    if isinstance(node, (exp.Like, exp.ILike)) and node.expression.is_string:
        return f"{_words(node.this)} contains {node.expression.name.strip('%')!r}"
    operators = {exp.EQ: "is", exp.NEQ: "is not", exp.GT: ">", exp.GTE: "at least", exp.LT: "<", exp.LTE: "at most"}
    for kind, words in operators.items():
        if isinstance(node, kind):
            return f"{_words(node.this)} {words} {_words(node.expression)}"
    return node.sql()


def _ordered(select: exp.Select) -> list[str]:
    order, limit = select.args.get("order"), select.args.get("limit")
    parts = []
    if order is not None:
        first = order.expressions[0]
        direction = "largest first" if first.args.get("desc") else "smallest first"
        parts.append(f"by {_words(_resolved(first.this, select))}, {direction}")
    if isinstance(limit, exp.Limit) and isinstance(limit.expression, exp.Literal):
        parts.append("(the first one)" if limit.expression.this == "1" else f"(the first {limit.expression.this})")
    return parts


def _resolved(node: exp.Expr, select: exp.Select) -> exp.Expr:
    """What a position or an alias in GROUP BY and ORDER BY stands for."""
    if isinstance(node, exp.Literal) and node.this.isdigit() and 0 < int(node.this) <= len(select.expressions):
        chosen: exp.Expr = select.expressions[int(node.this) - 1]
        return chosen
    if isinstance(node, exp.Column) and not node.table:
        return next((e for e in select.expressions if e.alias.lower() == node.name.lower()), node)
    return node


def _listed(names: list[str]) -> str:
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} and {unique[-1]}"
