"""Tables that a statement names wrongly: another schema, a slip, or the one table that has the columns it wants."""

from __future__ import annotations

from sqlglot import exp

from agentkit.sqlguard.schema import TableInfo
from agentkit_sql.binder.names import Names, column_of, written_otherwise
from agentkit_sql.binder.scopes import Source, View, views
from agentkit_sql.card.joins import full_name, is_own_key


def repair_tables(tree: exp.Expr, names: Names, repairs: list[str]) -> None:
    """Give every table that does not exist its right name, where there is exactly one."""
    ctes = {c.alias.lower() for c in tree.find_all(exp.CTE)}
    for node in list(tree.find_all(exp.Table)):
        if not isinstance(node.this, exp.Identifier) or (not node.db and node.name.lower() in ctes):
            continue
        if names.table(node.name, node.db) is not None:
            continue
        found = names.elsewhere(node.name) or names.near_table(node.name)
        if found is not None:
            repairs.append(f"table {_shown(node)} is {full_name(found)}")
            _rename(tree, node, found)


def full_names(tree: exp.Expr, names: Names, repairs: list[str]) -> None:
    """Give tables of other schemas than the default one their schema, which a connection may have left out."""
    ctes = {c.alias.lower() for c in tree.find_all(exp.CTE)}
    for node in list(tree.find_all(exp.Table)):
        named = isinstance(node.this, exp.Identifier) and not node.db and node.name.lower() not in ctes
        found = names.elsewhere(node.name) if named and names.table(node.name) is None else None
        if found is not None:
            repairs.append(f"table {node.name} is {full_name(found)}")
            _rename(tree, node, found)


def swap_tables(tree: exp.Expr, names: Names, repairs: list[str]) -> None:
    """Put another table in the place of one that has none of the columns it is asked for, if exactly one has them all.

    Columns that another table of the same SELECT has are not counted: there the alias is wrong, not the table.
    """
    for view in views(tree, names):
        for source in list(view.sources.values()):
            if source.table is None:
                continue
            asked = _asked(view, source)
            known = [c.name for c in source.table.columns]
            if not asked or any(is_own_key(c, source.table) or source.has(c) or view.owners(c) for c in asked):
                continue
            if any(written_otherwise(c, known) for c in asked):
                continue
            able = [t for t in names.schema.tables if all(column_of(t, c) for c in asked)]
            if len(able) == 1:
                repairs.append(f"{', '.join(sorted(asked))} stand in {full_name(able[0])}, not {source.table.name}")
                _rename(view.select, source.node, able[0])


def drop_unknown(tree: exp.Expr, names: Names, repairs: list[str]) -> None:
    """Leave out the join of a table that does not exist and that nothing but its own condition names."""
    for view in views(tree, names):
        for join in list(view.select.args.get("joins") or ()):
            node = join.this
            source = view.sources.get((node.alias or node.name).lower()) if isinstance(node, exp.Table) else None
            if source is None or source.columns is not None or not isinstance(node.this, exp.Identifier):
                continue
            own = {id(c) for c in join.find_all(exp.Column)}
            used = [c for c in view.select.find_all(exp.Column) if id(c) not in own]
            if any(c.table.lower() == source.alias.lower() or not (c.table or view.owners(c.name)) for c in used):
                continue
            if not view.select.is_star:
                repairs.append(f"there is no table {node.name}, and nothing is read of it")
                view.select.set("joins", [j for j in view.select.args["joins"] if j is not join])


def _asked(view: View, source: Source) -> set[str]:
    """The columns that are asked of a source, by its alias; with one source alone also those without an alias."""
    alone = len(view.sources) == 1
    own = {a.lower() for a in view.aliases}
    found = set()
    for column in view.own(exp.Column):
        if isinstance(column.this, exp.Star) or not isinstance(column, exp.Column):
            continue
        if column.table.lower() == source.alias.lower() or (
            alone and not column.table and column.name.lower() not in own
        ):
            found.add(column.name.lower())
    return found


def _rename(scope: exp.Expr, node: exp.Expr, table: TableInfo) -> None:
    """Let a table node name another table; what was qualified with its old name follows."""
    before = node.name
    node.set("this", exp.to_identifier(table.name, quoted=_quoted(table.name)))
    plain = full_name(table) == table.name
    node.set("db", None if plain else exp.to_identifier(table.schema, quoted=_quoted(table.schema)))
    if not node.alias:
        for column in scope.find_all(exp.Column):
            if column.table.lower() == before.lower():
                column.set("table", exp.to_identifier(table.name, quoted=_quoted(table.name)))
                column.set("db", None)


def _quoted(name: str) -> bool:
    return not (name.isidentifier() and name == name.lower())


def _shown(node: exp.Table) -> str:
    return f"{node.db}.{node.name}" if node.db else node.name
