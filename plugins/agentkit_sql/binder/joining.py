"""The one way to join a table that a SELECT names but does not read."""

from __future__ import annotations

from sqlglot import exp

from agentkit.sqlguard.schema import TableInfo
from agentkit_sql.binder.names import Names
from agentkit_sql.binder.scopes import Source, View
from agentkit_sql.card.joins import Join, full_name


def joinable(view: View, table: TableInfo, names: Names) -> list[Join] | None:
    """The joins from a table of this SELECT to another, over one bridge table at most; None if not exactly one way."""
    goal = full_name(table)
    present = {full_name(s.table): s for s in view.sources.values() if s.table is not None}
    if goal in present or len(present) != sum(s.table is not None for s in view.sources.values()):
        return None
    paths = [p for start in present if (p := names.graph.path(start, goal)) is not None]
    if not paths:
        return None
    shortest = [p for p in paths if len(p) == min(map(len, paths))]
    # over a bridge that the statement reads already only the last step is new
    shortest = [p[1:] if len(p) > 1 and p[0].right in present else p for p in shortest]
    unique = {tuple(p): p for p in shortest}
    return next(iter(unique.values())) if len(unique) == 1 else _equal_ways(list(unique.values()))


def _equal_ways(ways: list[list[Join]]) -> list[Join] | None:
    """Several direct ways by a column of the same name: they are equal to each other, so the first will do."""
    if any(len(w) != 1 for w in ways):
        return None
    return ways[0] if len({(w[0].columns, w[0].to_columns) for w in ways}) == 1 else None


def add_join(view: View, path: list[Join], names: Names) -> str:
    """Append the joins to the SELECT; gives the alias of the last table."""
    aliases = {full_name(s.table): s.alias for s in view.sources.values() if s.table is not None}
    outer = _keeps_all(view)
    for join in path:
        table = names.by_full_name(join.right)
        alias = _free(table.name, view)
        aliases[join.right] = alias
        conditions = [
            exp.EQ(this=exp.column(a, aliases[join.left]), expression=exp.column(b, alias))
            for a, b in zip(join.columns, join.to_columns, strict=True)
        ]
        node = _table(table, alias)
        new = exp.Join(this=node, on=exp.and_(*conditions), side="LEFT" if outer else None)
        view.select.append("joins", new)
        view.sources[alias.lower()] = Source(alias, node, None, table)
    return aliases[path[-1].right]


def join_over_bridge(view: View, condition: exp.EQ, one: Source, other: Source, names: Names) -> bool:
    """Let the join that has this condition go over the one table that both of its tables are joined with, in place."""
    join = condition.find_ancestor(exp.Join)
    joins = view.select.args.get("joins") or []
    if not isinstance(join, exp.Join) or join not in joins or one.table is None or other.table is None:
        return False
    joined, before = (one, other) if join.this is one.node else (other, one)
    if join.this is not joined.node or joined.table is None or before.table is None:
        return False
    path = names.graph.path(full_name(before.table), full_name(joined.table))
    if path is None or len(path) != 2 or any(len(step.columns) != 1 for step in path):
        return False
    bridge = next((s for s in view.sources.values() if s.table and full_name(s.table) == path[0].right), None)
    alias = bridge.alias if bridge else _free(names.by_full_name(path[0].right).name, view)
    first = exp.EQ(
        this=exp.column(path[0].columns[0], before.alias), expression=exp.column(path[0].to_columns[0], alias)
    )
    at = next(i for i, j in enumerate(joins) if j is join)
    late = next((j for j in joins[at:] if bridge and j.this is bridge.node), None)
    if bridge is None:
        new = exp.Join(this=_table(names.by_full_name(path[0].right), alias), on=first, side=join.args.get("side"))
        view.select.set("joins", [*joins[:at], new, *joins[at:]])
    elif late is not None:
        # the bridge is joined after the table that needs it, by the very condition that this one gets
        if {c.table.lower() for c in late.find_all(exp.Column)} != {alias.lower(), joined.alias.lower()}:
            return False
        late.set("on", first)
        view.select.set("joins", [*joins[:at], late, *(j for j in joins[at:] if j is not late)])
    condition.set("this", exp.column(path[1].columns[0], alias))
    condition.set("expression", exp.column(path[1].to_columns[0], joined.alias))
    return True


def _table(table: TableInfo, alias: str) -> exp.Table:
    db = table.schema if full_name(table) != table.name else None
    node = exp.Table(
        this=exp.to_identifier(table.name, quoted=not table.name.isidentifier()),
        db=exp.to_identifier(db) if db else None,
    )
    if alias != table.name or db:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    return node


def _keeps_all(view: View) -> bool:
    """Whether the SELECT keeps rows without a match, so that a further join must not lose them."""
    joins = view.select.args.get("joins") or ()
    return bool(joins) and all(j.side == "LEFT" for j in joins)


def _free(name: str, view: View) -> str:
    alias, count = name, 1
    while alias.lower() in view.sources:
        count += 1
        alias = f"{name}_{count}"
    return alias
