"""Names in the letters and quotes that PostgreSQL wants: it reads `Id` as `id`, and `"Name"` as nothing else."""

from __future__ import annotations

from sqlglot import exp

from agentkit_sql.binder.names import Names, column_of
from agentkit_sql.binder.scopes import Source, View, views
from agentkit_sql.card.card import written_name


def quote_names(tree: exp.Expr, names: Names, repairs: list[str]) -> None:
    """Write the names of tables and columns as the schema has them, where case or quotes are wrong."""
    if names.schema.dialect != "postgres":
        return
    for view in views(tree, names):
        for source in view.sources.values():
            if source.table is not None and isinstance(source.node, exp.Table):
                _spelt(source.node, source.table.name, repairs)
        for column in view.own(exp.Column):
            if isinstance(column, exp.Column) and not isinstance(column.this, exp.Star):
                _column(column, view, repairs)


def _column(column: exp.Column, view: View, repairs: list[str]) -> None:
    source = _source(column, view)
    if source is None or source.table is None:
        return
    known = column_of(source.table, column.name)
    if known is not None:
        _spelt(column, known.name, repairs)
    qualifier = column.args.get("table")
    if qualifier is not None and not source.node.alias and _wrong(qualifier, source.table.name):
        column.set("table", _identifier(source.table.name))


def _source(column: exp.Column, view: View) -> Source | None:
    if column.table:
        return view.source(column.table)
    owners = view.owners(column.name)
    return owners[0] if len(owners) == 1 else None


def _spelt(node: exp.Expr, name: str, repairs: list[str]) -> None:
    if _wrong(node.this, name):
        node.set("this", _identifier(name))
        repairs.append(f"{name} is written so")


def _wrong(written: exp.Expr, name: str) -> bool:
    """Whether PostgreSQL would look for another name than this one."""
    if not isinstance(written, exp.Identifier):
        return False
    return (written.name if written.quoted else written.name.lower()) != name


def _identifier(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=written_name(name, "postgres") != name)
