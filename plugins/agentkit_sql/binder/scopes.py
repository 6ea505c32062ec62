"""Which tables and columns each SELECT of a statement can name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from agentkit.sqlguard.schema import TableInfo
from agentkit_sql.binder.names import Names
from agentkit_sql.binder.types import kind_of_type

Columns = dict[str, str]
"""Column names, lower case, with the kind of value that they hold ('' if unknown)."""


@dataclass
class Source:
    """What a name in FROM stands for. `columns` is None where they cannot be told."""

    alias: str
    node: exp.Expr
    columns: Columns | None
    table: TableInfo | None = None

    def has(self, column: str) -> bool | None:
        """Whether it has a column of this name; None if that cannot be told."""
        if self.columns is None:
            return None
        return column.lower() in self.columns


@dataclass
class View:
    """One SELECT: its sources, by lower-case alias in the order of FROM, and the SELECT around it if it sees that."""

    select: exp.Select
    sources: dict[str, Source] = field(default_factory=dict)
    outer: View | None = None
    every: list[View] = field(default_factory=list, repr=False)
    """All SELECTs of the statement."""

    def chain(self) -> Iterator[View]:
        """This SELECT, then those around it whose columns it may name."""
        view: View | None = self
        while view is not None:
            yield view
            view = view.outer

    def source(self, alias: str) -> Source | None:
        return next((v.sources[alias.lower()] for v in self.chain() if alias.lower() in v.sources), None)

    def owners(self, column: str) -> list[Source]:
        """The sources that surely have this column, of the nearest SELECT that has any."""
        for view in self.chain():
            found = [s for s in view.sources.values() if s.has(column)]
            if found:
                return found
        return []

    def unsure(self) -> bool:
        """Whether the columns of some source cannot be told."""
        return any(s.columns is None for v in self.chain() for s in v.sources.values())

    def kind(self, column: exp.Column) -> str:
        """The kind of value of a column, '' if unknown."""
        if column.table:
            source = self.source(column.table)
        else:
            owners = self.owners(column.name)
            source = owners[0] if len(owners) == 1 else None
        return (source.columns or {}).get(column.name.lower(), "") if source else ""

    def within(self, select: exp.Expr) -> View | None:
        """The view of a SELECT of the same statement."""
        return next((v for v in self.every if v.select is select), None)

    @property
    def aliases(self) -> dict[str, exp.Expr]:
        """What SELECT names: lower-case alias -> expression."""
        return {e.alias.lower(): e.this for e in self.select.expressions if isinstance(e, exp.Alias)}

    def own(self, kind: type[exp.Expr]) -> list[exp.Expr]:
        """The expressions of this kind that belong to this SELECT and not to one inside it."""
        return [n for n in self.select.find_all(kind) if n.parent_select is self.select]


def views(tree: exp.Expr, names: Names) -> list[View]:
    """Every SELECT of a statement, inner ones after the ones around them."""
    found: list[View] = []
    _query(tree, {}, None, names, found)
    return found


def _query(
    query: exp.Expr, ctes: Mapping[str, Columns | None], outer: View | None, names: Names, found: list[View]
) -> Columns | None:
    """Walk one query; its output columns, None if they cannot be told."""
    known = dict(ctes)
    with_ = query.args.get("with_")
    for cte in with_.expressions if with_ else ():
        alias = cte.alias.lower()
        if with_ is not None and with_.args.get("recursive"):
            known[alias] = None
        known[alias] = _renamed(_query(cte.this, known, None, names, found), cte)
    if isinstance(query, exp.Subquery):
        return _query(query.this, known, outer, names, found)
    if isinstance(query, exp.SetOperation):
        left = _query(query.this, known, outer, names, found)
        _query(query.expression, known, outer, names, found)
        return left
    if not isinstance(query, exp.Select):
        return None
    view = View(query, outer=outer, every=found)
    found.append(view)
    inner: set[int] = set()
    for node in from_items(query):
        source = _source(node, known, view, names, found, inner)
        if source is not None:
            view.sources.setdefault(source.alias.lower(), source)
    for sub in query.find_all(exp.Query):
        if sub is not query and sub.parent_select is query and id(sub) not in inner and _outermost(sub, query):
            _query(sub, known, view, names, found)
    return _output(view)


def from_items(select: exp.Select) -> Iterator[exp.Expr]:
    """What stands in FROM and in its joins and laterals, in order."""
    from_ = select.args.get("from_")
    if from_ is not None:
        yield from_.this
        yield from (j.this for j in from_.this.args.get("joins") or ())
    for join in select.args.get("joins") or ():
        yield join.this
        yield from (j.this for j in join.this.args.get("joins") or ())
    yield from select.args.get("laterals") or ()


def _source(
    node: exp.Expr,
    ctes: Mapping[str, Columns | None],
    view: View,
    names: Names,
    found: list[View],
    inner: set[int],
) -> Source | None:
    if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        alias = node.alias or node.name
        if not node.db and node.name.lower() in ctes:
            return Source(alias, node, ctes[node.name.lower()])
        table = names.table(node.name, node.db)
        if table is None:
            return Source(alias, node, None)
        return Source(alias, node, {c.name.lower(): kind_of_type(c.type) for c in table.columns}, table)
    if isinstance(node, (exp.Subquery, exp.Lateral)):
        lateral = isinstance(node, exp.Lateral)
        query = node.this.unnest() if isinstance(node.this, exp.Subquery) else node.this
        if isinstance(query, (exp.Select, exp.SetOperation)):
            inner.update(id(q) for q in node.find_all(exp.Query))
            columns = _query(query, ctes, view if lateral else view.outer, names, found)
            return Source(node.alias, node, _renamed(columns, node))
    return Source(node.alias, node, None) if node.alias else Source(f"?{id(node)}", node, None)


def _outermost(sub: exp.Expr, query: exp.Select) -> bool:
    """Whether no other query stands between this one and the SELECT around it."""
    parent = sub.parent
    while parent is not None and parent is not query:
        if isinstance(parent, exp.Query):
            return False
        parent = parent.parent
    return not isinstance(sub.parent, exp.CTE)


def _renamed(columns: Columns | None, node: exp.Expr) -> Columns | None:
    """The columns under the names of `AS t(a, b)`."""
    alias = node.args.get("alias")
    given = [c.name.lower() for c in alias.args.get("columns") or ()] if isinstance(alias, exp.TableAlias) else []
    if not given or columns is None:
        return columns
    return dict(zip(given, columns.values(), strict=False)) if len(given) == len(columns) else None


def _output(view: View) -> Columns | None:
    from agentkit_sql.binder.types import kind_of

    columns: Columns = {}
    for item in view.select.expressions:
        if isinstance(item, exp.Star):
            sources = list(view.sources.values())
        elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            source = view.source(item.table)
            sources = [source] if source else []
        else:
            columns[item.alias_or_name.lower()] = kind_of(item, view)
            continue
        for source in sources:
            if source.columns is None:
                return None
            columns |= source.columns
    return columns
