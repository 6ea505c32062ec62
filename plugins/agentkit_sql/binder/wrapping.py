"""What SQL computes in two steps and a draft writes in one: a condition on a rank, an aggregate of aggregates."""

from __future__ import annotations

from sqlglot import exp

from agentkit_sql.binder.names import Names
from agentkit_sql.binder.scopes import View, views


def wrap_steps(tree: exp.Expr, names: Names, repairs: list[str]) -> None:
    """Put the first step into a subquery, in place. Outermost SELECTs and those of CTEs and subqueries alike."""
    for view in views(tree, names):
        if not _condition_on_window(view, repairs):
            _aggregate_of_aggregates(view, repairs)


def _condition_on_window(view: View, repairs: list[str]) -> bool:
    """`SELECT ..., RANK() OVER (...) AS r ... WHERE r <= 3` filters on r around the SELECT."""
    select, where = view.select, view.select.args.get("where")
    ranked = {name for name, meant in view.aliases.items() if meant.find(exp.Window) is not None}
    if where is None or not ranked or select.is_star:
        return False
    parts = list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
    outer = [p for p in parts if any(not c.table and c.name.lower() in ranked for c in p.find_all(exp.Column))]
    names = [e.alias_or_name for e in select.expressions]
    if not outer or not all(names) or any(not _of_output(p, names) for p in outer):
        return False
    rest = [p.copy() for p in parts if p not in outer]
    inner = select.copy()
    inner.set("where", exp.Where(this=exp.and_(*rest)) if rest else None)
    order, limit = inner.args.get("order"), inner.args.get("limit")
    moved = order is None or _of_output(order, names)
    if moved:
        inner.set("order", None)
        inner.set("limit", None)
    with_ = inner.args.get("with_")
    inner.set("with_", None)
    _become(select, [exp.column(n) for n in names], inner, "ranked", with_)
    select.set("where", exp.Where(this=exp.and_(*(p.copy() for p in outer))))
    if moved:
        select.set("order", order)
        select.set("limit", limit)
    repairs.append(f"the condition on {', '.join(sorted(ranked))} stands around the SELECT that computes it")
    return True


def _aggregate_of_aggregates(view: View, repairs: list[str]) -> None:
    """`SELECT AVG(COUNT(*)) ... GROUP BY x` aggregates the groups' figures."""
    select = view.select
    if select.args.get("group") is None or len(select.expressions) != 1:
        return
    item = select.expressions[0]
    around = item.unalias()
    figure = around.this if isinstance(around, exp.AggFunc) else None
    if not isinstance(figure, exp.AggFunc) or isinstance(around.parent, exp.Window):
        return
    inner = select.copy()
    with_ = inner.args.get("with_")
    for key in ("with_", "order", "limit"):
        inner.set(key, None)
    inner.set("expressions", [exp.alias_(figure.copy(), "figure")])
    outer = item.copy()
    outer.unalias().set("this", exp.column("figure"))
    _become(select, [outer], inner, "groups", with_)
    repairs.append(f"{around.sql()} is computed from the groups' figures")


def _become(select: exp.Select, shown: list[exp.Expr], inner: exp.Select, name: str, with_: exp.Expr | None) -> None:
    """Turn a SELECT, in place, into one that reads the inner one."""
    for key in list(select.args):
        select.set(key, None)
    select.set("with_", with_)
    select.set("expressions", shown)
    select.set("from_", exp.From(this=exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(name)))))


def _of_output(node: exp.Expr, names: list[str]) -> bool:
    """Whether all columns of an expression are output columns by their plain names."""
    low = {n.lower() for n in names}
    return all(not c.table and c.name.lower() in low for c in node.find_all(exp.Column))
