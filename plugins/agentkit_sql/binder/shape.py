"""Grouping, filters on groups and orders as the standard wants them."""

from __future__ import annotations

from sqlglot import exp

from agentkit_sql.binder.names import Names
from agentkit_sql.binder.scopes import View, views


def repair_shape(tree: exp.Expr, names: Names, repairs: list[str]) -> None:
    """Complete GROUP BY, move conditions on aggregates to HAVING, and write out aliases where they cannot stand."""
    for view in views(tree, names):
        _aliases(view, repairs, everywhere=names.schema.dialect == "postgres")
        _aggregates_in_where(view, repairs)
        if names.schema.dialect != "sqlite":
            _needless_order(view, repairs)
            _complete_group(view, repairs)
            _distinct_order(view, repairs)


def _aggregates_in_where(view: View, repairs: list[str]) -> None:
    where = view.select.args.get("where")
    if where is None or not _aggregated(where, view):
        return
    parts = list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
    groups = [p.copy() for p in parts if _aggregated(p, view)]
    rest = [p.copy() for p in parts if not _aggregated(p, view)]
    if not view.select.args.get("group"):
        return
    view.select.set("where", exp.Where(this=exp.and_(*rest)) if rest else None)
    having = view.select.args.get("having")
    view.select.set("having", exp.Having(this=exp.and_(*([having.this.copy()] if having else []), *groups)))
    repairs.append("a condition on an aggregate stands in HAVING")


def _aliases(view: View, repairs: list[str], *, everywhere: bool) -> None:
    """PostgreSQL knows an alias of SELECT only as a whole item of ORDER BY or GROUP BY.

    Others know one everywhere, but not that of an aggregate in WHERE.
    """
    aliases = view.aliases
    for clause in ("where", "having", "group", "order"):
        node = view.select.args.get(clause)
        for column in list(node.find_all(exp.Column)) if node is not None else []:
            if column.table or column.parent_select is not view.select or column.name.lower() not in aliases:
                continue
            whole = isinstance(column.parent, (exp.Ordered, exp.Group)) and clause in {"order", "group"}
            meant = aliases[column.name.lower()]
            # a column of a table goes before an alias in a condition
            ungrouped = clause == "where" and _aggregated(meant, view) and view.select.args.get("group") is None
            known = not everywhere and not (clause == "where" and _aggregated(meant, view))
            if whole or known or view.owners(column.name) or ungrouped or meant.find(exp.Window):
                continue
            column.replace(exp.paren(meant.copy()) if isinstance(meant, exp.Binary) else meant.copy())
            repairs.append(f"{column.name} is written out in {clause.upper()}")


def _needless_order(view: View, repairs: list[str]) -> None:
    """One row has no order: an aggregate over all rows cannot be ordered by a column."""
    select, order = view.select, view.select.args.get("order")
    if order is None or select.args.get("group") is not None or select.is_star:
        return
    one_row = all(_aggregated(e, view) and not _plain_columns(e, view) for e in select.expressions)
    if one_row and any(_plain_columns(o.this, view) for o in order.expressions):
        select.set("order", None)
        repairs.append("a single row is not ordered")


def _complete_group(view: View, repairs: list[str]) -> None:
    """Group by every column that SELECT, HAVING or ORDER BY uses outside of an aggregate."""
    select = view.select
    group = select.args.get("group")
    aggregated = any(_aggregated(e, view) for e in select.expressions)
    if group is None and not (aggregated and any(_plain_columns(e, view) for e in select.expressions)):
        return
    if group is not None and (group.args.get("all") or group.find(exp.Rollup, exp.Cube, exp.GroupingSets)):
        return
    grouped = _grouped(view, group)
    keys = _keys_covered(view, grouped)
    missing: list[exp.Expr] = []
    for item in _ungrouped_items(view):
        inner = item.this if isinstance(item, exp.Alias) else item
        if inner.sql() in grouped:
            continue
        for column in _plain_columns(inner, view):
            covered = (
                column.sql().lower() in grouped or _unqualified(column) in grouped or _source_of(column, view) in keys
            )
            if not covered and not _inside(column, grouped, inner) and column not in missing:
                missing.append(column)
    if not missing:
        return
    names_ = ", ".join(c.sql() for c in missing)
    if group is None:
        select.set("group", exp.Group(expressions=[c.copy() for c in missing]))
    else:
        group.set("expressions", [*group.expressions, *(c.copy() for c in missing)])
    repairs.append(f"GROUP BY needs {names_}")


def _ungrouped_items(view: View) -> list[exp.Expr]:
    items: list[exp.Expr] = [e for e in view.select.expressions if not isinstance(e, exp.Star)]
    having, order = view.select.args.get("having"), view.select.args.get("order")
    if having is not None:
        items.append(having.this)
    for ordered in order.expressions if order is not None else ():
        column = ordered.this
        if not (isinstance(column, exp.Column) and not column.table and column.name.lower() in view.aliases):
            items.append(column)
    return items


def _grouped(view: View, group: exp.Expr | None) -> set[str]:
    """What is grouped by, as text: columns with and without their table, aliases and positions resolved."""
    found: set[str] = set()
    for item in group.expressions if group is not None else ():
        meant = item
        if isinstance(item, exp.Literal) and not item.is_string and item.this.isdigit():
            at = int(item.this) - 1
            if 0 <= at < len(view.select.expressions):
                chosen = view.select.expressions[at]
                meant = chosen.this if isinstance(chosen, exp.Alias) else chosen
        elif isinstance(item, exp.Column) and not item.table and item.name.lower() in view.aliases:
            found.add(item.sql().lower())
            meant = view.aliases[item.name.lower()]
        for each in meant.expressions if isinstance(meant, exp.Tuple) else [meant]:
            text = each.unnest().sql()
            found |= {text, text.lower()}
            if isinstance(each.unnest(), exp.Column):
                found.add(_unqualified(each.unnest()))
    return found


def _keys_covered(view: View, grouped: set[str]) -> set[str]:
    """The aliases of tables whose primary key is grouped by: their other columns follow from it."""
    found = set()
    for source in view.sources.values():
        key = source.table.primary_key if source.table else ()
        if key and all(
            f"{source.alias}.{k}".lower() in grouped or (len(view.sources) == 1 and k.lower() in grouped) for k in key
        ):
            found.add(source.alias.lower())
    return found


def _source_of(column: exp.Column, view: View) -> str:
    if column.table:
        return column.table.lower()
    owners = view.owners(column.name)
    return owners[0].alias.lower() if len(owners) == 1 else ""


def _plain_columns(node: exp.Expr, view: View) -> list[exp.Column]:
    """The columns of this SELECT in an expression that no aggregate holds."""
    found = []
    for column in node.find_all(exp.Column):
        if column.parent_select is not view.select or isinstance(column.this, exp.Star):
            continue
        if not column.table and column.name.lower() in view.aliases and not view.owners(column.name):
            continue
        own = not column.table or column.table.lower() in view.sources
        if own and not _in_aggregate(column, node):
            found.append(column)
    return found


def _in_aggregate(column: exp.Expr, top: exp.Expr) -> bool:
    node: exp.Expr | None = column
    while node is not None:
        window = isinstance(node.parent, exp.Window) and node.parent.this is node
        if isinstance(node, (exp.AggFunc, exp.Filter, exp.WithinGroup)) and not window:
            return True
        if node is top:
            return False
        node = node.parent
    return False


def _inside(column: exp.Column, grouped: set[str], top: exp.Expr) -> bool:
    """Whether an expression around the column is grouped by as a whole."""
    node: exp.Expr | None = column.parent
    while node is not None:
        if node.sql() in grouped:
            return True
        if node is top:
            return False
        node = node.parent
    return False


def _aggregated(node: exp.Expr, view: View) -> bool:
    return any(
        a.parent_select is view.select and not _windowed(a) and not isinstance(a, exp.WindowSpec)
        for a in node.find_all(exp.AggFunc)
    )


def _windowed(node: exp.Expr) -> bool:
    parent = node.parent.parent if isinstance(node.parent, exp.Filter) else node.parent
    return isinstance(parent, (exp.Window, exp.IgnoreNulls))


def _unqualified(column: exp.Expr) -> str:
    return column.name.lower()


def _distinct_order(view: View, repairs: list[str]) -> None:
    """SELECT DISTINCT may be ordered by its own columns only: the others are no longer there."""
    distinct, order = view.select.args.get("distinct"), view.select.args.get("order")
    if distinct is None or distinct.args.get("on") is not None or order is None:
        return
    shown = {e.sql().lower() for e in view.select.expressions} | set(view.aliases)
    shown |= {e.this.sql().lower() for e in view.select.expressions if isinstance(e, exp.Alias)}
    shown |= {e.name.lower() for e in view.select.expressions if isinstance(e, exp.Column)}
    if any(e.is_star for e in view.select.expressions):
        return
    for ordered in order.expressions:
        text = ordered.this.sql().lower()
        plain = ordered.this.name.lower() if isinstance(ordered.this, exp.Column) else text
        if text in shown or plain in shown or isinstance(ordered.this, exp.Literal):
            continue
        columns = [e.unalias() for e in view.select.expressions]
        if view.select.args.get("group") is None and not any(_aggregated(e, view) for e in columns):
            view.select.set("group", exp.Group(expressions=[c.copy() for c in columns]))
            if not _aggregated(ordered.this, view):
                edge = exp.Max if ordered.args.get("desc") else exp.Min
                ordered.set("this", edge(this=ordered.this.copy()))
        view.select.set("distinct", None)
        repairs.append("rows that are distinct are grouped, so that they can be ordered")
        return
