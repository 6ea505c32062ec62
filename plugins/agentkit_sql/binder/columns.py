"""Columns that a statement names wrongly: another alias, a missing table, a slip, an ambiguous name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from agentkit.sqlguard.schema import TableInfo
from agentkit_sql.binder.joining import add_join, join_over_bridge, joinable
from agentkit_sql.binder.names import Names, column_of, nearest, written_otherwise
from agentkit_sql.binder.scopes import Source, View, views
from agentkit_sql.card.joins import full_name, is_own_key
from agentkit_sql.card.words import stem

_PSEUDO = frozenset(("rowid", "ctid", "oid", "_rowid_", "current_date", "current_timestamp", "current_user"))
_MOST_REPAIRS = 40


def repair_columns(tree: exp.Expr, names: Names, repairs: list[str]) -> list[str]:
    """Repair what can be meant in one way only; gives what cannot, in words.

    One repair can make others needless (a join that brings several columns): the statement is read again after each.
    """
    for _ in range(_MOST_REPAIRS):
        problems: list[str] = []
        if not _first_repair(tree, names, repairs, problems):
            break
    return problems


def _first_repair(tree: exp.Expr, names: Names, repairs: list[str], problems: list[str]) -> bool:
    for view in views(tree, names):
        for column in view.own(exp.Column):
            if not isinstance(column, exp.Column) or _fine(column, view):
                continue
            wrong = _Wrong(column, view, names, view.source(column.table) if column.table else None)
            if (told := wrong.repaired()) is not None:
                repairs.append(told)
                return True
            problems.append(wrong.problem())
    return False


def _fine(column: exp.Column, view: View) -> bool:
    if isinstance(column.this, exp.Star) or column.name.lower() in _PSEUDO:
        return not column.table or view.source(column.table) is not None or bool(column.args.get("db"))
    if column.table:
        source = view.source(column.table)
        return source is not None and source.has(column.name) is not False
    if _names_output(column, view):
        return True
    owners = view.owners(column.name)
    if len(owners) == 1:
        return True
    return _merged(column, view) if len(owners) > 1 else view.unsure()


def _names_output(column: exp.Column, view: View) -> bool:
    """Whether this is the name of an output column, where a statement may use one."""
    if column.name.lower() not in view.aliases:
        return False
    node: exp.Expr | None = column.parent
    while node is not None and node is not view.select:
        if isinstance(node, (exp.Order, exp.Group, exp.Having)):
            return True
        node = node.parent
    return False


def _merged(column: exp.Column, view: View) -> bool:
    """Whether `USING` or `NATURAL` makes one column of those of the same name."""
    for join in view.select.args.get("joins") or ():
        using = [u.name.lower() for u in join.args.get("using") or ()]
        if column.name.lower() in using or join.args.get("method") == "NATURAL":
            return True
    return False


@dataclass
class _Wrong:
    """A column that does not stand where the statement looks for it. `source` is what its alias stands for."""

    column: exp.Column
    view: View
    names: Names
    source: Source | None

    def repaired(self) -> str | None:
        """Repair it in place and say how; None if there is no way or more than one."""
        if self.column.table and self.source is None and (meant := self._meant_alias()) is not None:
            return self._take(meant, self.column.name)
        ways = (
            self._quoted_text,
            self._join_condition,
            self._ambiguous,
            self._key,
            self._other_source,
            self._part,
            self._missing_table,
            self._slip,
        )
        return next((told for way in ways if (told := way()) is not None), None)

    def problem(self) -> str:
        name, table = self.column.name, self.column.table
        if self.source is not None:
            where = self.source.table.name if self.source.table else self.source.alias
            return f"there is no column {name} in {where} (it has: {', '.join(_columns(self.source)[:30])})"
        if table:
            return f"{table} in {table}.{name} is no table or alias of this statement"
        return f"there is no column {name} in {', '.join(s.alias for s in self.view.sources.values())}"

    def _meant_alias(self) -> Source | None:
        """The source whose table is named, though it has an alias here: `orders.id` with `FROM orders AS o`."""
        wanted = self.column.table.lower()
        named = [s for s in self._visible() if isinstance(s.node, exp.Table) and s.node.name.lower() == wanted]
        return named[0] if len(named) == 1 and named[0].has(self.column.name) is not False else None

    def _quoted_text(self) -> str | None:
        """`name = "Ada"`: a text in the quotes of names."""
        compared = isinstance(self.column.parent, (exp.EQ, exp.NEQ, exp.Like, exp.ILike, exp.In))
        written = isinstance(self.column.this, exp.Identifier) and self.column.this.quoted
        name = self.column.name
        if self.column.table or not (compared and written) or self.names.with_column(name):
            return None
        self.column.replace(exp.Literal.string(name))
        return f'"{name}" is a text, not a name'

    def _join_condition(self) -> str | None:
        """`a.x = b.y` of two tables that are joined in one known way, whatever x and y were taken to be."""
        condition = self.column.parent
        if not isinstance(condition, exp.EQ) or condition.find_ancestor(exp.Join) is None or self.source is None:
            return None
        other = condition.expression if condition.this is self.column else condition.this
        partner = self.view.source(other.table) if isinstance(other, exp.Column) and other.table else None
        if partner is None or partner.table is None or self.source.table is None:
            return None
        before = condition.sql()
        ways = self.names.graph.between(full_name(self.source.table), full_name(partner.table))
        if not ways and join_over_bridge(self.view, condition, self.source, partner, self.names):
            return f"the join {before} goes over another table: {condition.sql()}"
        if len(ways) != 1 or len(ways[0].columns) != 1:
            return None
        condition.set("this", exp.column(ways[0].columns[0], self.source.alias))
        condition.set("expression", exp.column(ways[0].to_columns[0], partner.alias))
        return f"the join {before} is {condition.sql()}"

    def _ambiguous(self) -> str | None:
        """A name that several tables have: the one it is a key of, or the first of those that are joined."""
        owners = self.view.owners(self.column.name)
        if self.column.table or len(owners) < 2:
            return None
        chosen = next((s for s in owners if s.table and _belongs(self.column.name, s.table)), owners[0])
        told = f"{self.column.name} is ambiguous: {chosen.alias}.{self.column.name} is taken"
        self._qualify(chosen)
        return told

    def _key(self) -> str | None:
        """`restaurant_id` of a table `restaurant` whose key is `id`, and the other way round; names alike."""
        low = self.column.name.lower()
        found: dict[tuple[str, str], Source] = {}
        for each in [self.source] if self.source else list(self.view.sources.values()):
            if each.table is None:
                continue
            own = stem(each.table.name)
            for wrong, right in (
                ((low,) if is_own_key(low, each.table) else (), "id"),
                (("id",), f"{own}_id"), (("id",), f"{own}id"), ((f"{own}_name",), "name"), (("name",), f"{own}_name"),
            ):  # fmt: skip
                known = column_of(each.table, right)
                if known and low in wrong:
                    found[each.alias, known.name] = each
        if len(found) != 1 or (not self.column.table and self.view.owners(low)):
            return None
        (_, name), source = next(iter(found.items()))
        return self._take(source, name)

    def _other_source(self) -> str | None:
        """Another table of the same SELECT, or of one around it, has the column."""
        if not self.column.table:
            return None
        owners = [s for s in self.view.owners(self.column.name) if s is not self.source]
        owners = [s for s in owners if not self._equals(s, self.column.name)]
        if len(owners) > 1:
            named = [s for s in owners if s.table and stem(s.table.name) == stem(self.column.table)]
            owners = named or [s for s in owners if s in self.view.sources.values()][:1]
        return self._take(owners[0], self.column.name) if len(owners) == 1 else None

    def _equals(self, source: Source, name: str) -> bool:
        """Whether the repair would compare a column with itself."""
        condition = self.column.parent
        if not isinstance(condition, exp.EQ):
            return False
        other = condition.expression if condition.this is self.column else condition.this
        same = isinstance(other, exp.Column) and other.name.lower() == name.lower()
        return same and other.table.lower() == source.alias.lower()

    def _missing_table(self) -> str | None:
        """A table that is not in FROM has the column, and there is one way to join it."""
        if self.view.unsure() and not self.column.table:
            return None
        having = self.names.with_column(self.column.name)
        if self.column.table and self.source is None:
            wanted = self.column.table.lower()
            having = [t for t in having if wanted in {t.name.lower(), full_name(t).lower()}] or having
        ways = [(t, path) for t in having if (path := joinable(self.view, t, self.names)) is not None]
        # the nearer one, if there is only one that near
        nearest_ = min((len(path) for _, path in ways), default=0)
        ways = [w for w in ways if len(w[1]) == nearest_]
        if len(ways) != 1:
            return None
        told = f"{_shown(self.column)} stands in {full_name(ways[0][0])}, which was joined"
        self._qualify_with(add_join(self.view, ways[0][1], self.names))
        return told

    def _part(self) -> str | None:
        """A name that is written in another way or in part, of a table that is read anyway."""
        return self._one_of(written_otherwise)

    def _slip(self) -> str | None:
        """A name that is nearly that of one column."""
        return self._one_of(nearest)

    def _one_of(self, likeness: Callable[[str, list[str]], str | None]) -> str | None:
        own = [self.source] if self.source else self._visible()
        for candidates in (own, list(self.view.sources.values())):
            like = [(s, name) for s in candidates if (name := likeness(self.column.name, _columns(s))) is not None]
            found = [(s, name) for s, name in like if not self._equals(s, name)]
            if len(found) == 1:
                return self._take(*found[0])
        return None

    def _visible(self) -> list[Source]:
        return [s for v in self.view.chain() for s in v.sources.values()]

    def _take(self, source: Source, name: str) -> str:
        before = _shown(self.column)
        if name != self.column.name:
            self.column.set("this", exp.to_identifier(name, quoted=not _plain(name)))
        if self.column.table or len(self.view.sources) > 1:
            self._qualify(source)
        return f"{before} is {source.alias}.{name}"

    def _qualify(self, source: Source) -> None:
        self._qualify_with(source.alias)

    def _qualify_with(self, alias: str) -> None:
        self.column.set("table", exp.to_identifier(alias, quoted=not alias.isidentifier()))
        self.column.set("db", None)
        self.column.set("catalog", None)


def _belongs(name: str, table: TableInfo) -> bool:
    return stem(name.lower().partition("_")[0]) == stem(table.name) or table.primary_key == (name.lower(),)


def _columns(source: Source) -> list[str]:
    return [c.name for c in source.table.columns] if source.table else list(source.columns or ())


def _plain(name: str) -> bool:
    return name.isidentifier() and name == name.lower()


def _shown(column: exp.Column) -> str:
    return f"{column.table}.{column.name}" if column.table else column.name
