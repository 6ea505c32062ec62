"""The tables that a statement reads: found by the rules of scope, and replaced by what the policy lets through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from agentkit.errors import SqlRefused, suggest
from agentkit.sqlguard import nodes
from agentkit.sqlguard.policy import Policy, base
from agentkit.sqlguard.reading import AS_IT_CAME
from agentkit.sqlguard.schema import Dialect, Schema, TableInfo

if TYPE_CHECKING:
    from sqlglot.expressions import CTE, Expr, Query, Table, Values

Scope = dict[str, str]
"""The names of a WITH that hold at a place, and what they are called in the statement that runs."""
UNDER_POLICY = "under policy"
"""Of a tree that was rewritten: whether a query stands for a table of it."""
_DEFAULT = {"postgres": "public", "sqlite": "", "duckdb": "main"}


class Tables:
    """The tables of one database, under its policy."""

    def __init__(self, schema: Schema, policy: Policy) -> None:
        self._dialect: Dialect = schema.dialect
        self._policy = policy
        self.visible = policy.visible
        self._hidden = {self._folded(t.name) for t in schema.tables}
        self._full = {(t.schema, t.name): t for t in schema.tables}
        self._types = {c.type.lower().removesuffix("[]") for t in policy.visible.tables for c in t.columns}
        self._visible: dict[str, list[TableInfo]] = {}
        for table in policy.visible.tables:
            self._visible.setdefault(self._folded(table.name), []).append(table)

    def rewrite(self, tree: Query | Values) -> Query | Values:
        """Replace every table in the tree by its full name, or by the query that the policy has for it.

        Raises SqlRefused for a table that is not there or may not be read. A WITH of the name of a table gets another
        name, so that no mistake about scopes could reach the table.
        """
        from sqlglot import exp

        if self._dialect != "postgres":
            _name_projections(tree, self._dialect)
        holder = exp.Paren(this=tree)
        replaced: set[str] = set()
        stack: list[tuple[Expr, Scope]] = [(tree, {})]
        while stack:
            node, scope = stack.pop()
            if isinstance(node, exp.Table):
                self._resolve(node, scope, replaced)
            elif isinstance(node, exp.DataType) and node.args.get("kind") is not None:
                self._check_type(node)
            with_ = node.args.get("with_")
            if with_ is not None:
                scope = self._open(with_, scope, stack)
            stack.extend((child, scope) for child in _children(node) if child is not with_)
        if replaced:
            _unqualify(tree, replaced)
        result: Query | Values = holder.this
        result.meta[UNDER_POLICY] = bool(replaced)
        return result

    def _check_type(self, node: Expr) -> None:
        """Each table is a type, too, and would tell its columns; regclass and its like look into the catalogues.

        With a schema before it only a type that a visible column has is allowed. Raises SqlRefused.
        """
        kind = node.args["kind"]
        path = (kind if isinstance(kind, str) else kind.sql()).replace('"', "").lower()
        schema, _, name = path.rpartition(".")
        hidden = name in {hidden.lower() for hidden in self._hidden} or name.startswith((*nodes.CATALOGUES, "reg"))
        if hidden or (schema and not self._types & {path, name}):
            raise SqlRefused(f"the type {path!r} is not allowed in a statement.", "types")

    def _open(self, with_: Expr, scope: Scope, stack: list[tuple[Expr, Scope]]) -> Scope:
        """The scope of what follows a WITH; its own queries are put on the stack with theirs."""
        ctes: list[CTE] = with_.expressions
        # SQLite lets every query of a WITH see all of its names, RECURSIVE or not
        together = bool(with_.args.get("recursive")) or self._dialect == "sqlite"
        keyed = [(self._key(c.args["alias"].this), c) for c in ctes]
        new = {name: self._renamed(name, cte) for name, cte in keyed}
        seen = scope | {n: v for n, v in new.items() if together and not self._shadows(n, with_)}
        for name, cte in keyed:
            stack.append((cte.this, seen))
            seen = seen | {name: new[name]}
        search = [part for c in ctes for part in _children(c) if part is not c.this and part is not c.args["alias"]]
        stack.extend((part, seen) for part in search)
        return scope | new

    def _shadows(self, name: str, with_: Expr) -> bool:
        """SQLite without RECURSIVE: a name that is also a table's means the table inside of the WITH."""
        return not with_.args.get("recursive") and name in self._visible

    def _renamed(self, name: str, cte: CTE) -> str:
        from sqlglot import exp

        if name.startswith(nodes.CATALOGUES):
            raise SqlRefused(f"a WITH cannot be called {name!r}: catalogues are. Choose another name.", "catalogues")
        own: str = cte.alias
        # the name as the engine compares it: PostgreSQL reads SECRETS as secrets
        if name not in self._hidden:
            return name
        new = f"with_{own}"
        while self._folded(new) in self._hidden:
            new = f"with_{new}"
        cte.args["alias"].set("this", exp.to_identifier(new, quoted=True))
        return new

    def _resolve(self, node: Table, scope: Scope, replaced: set[str]) -> None:
        from sqlglot import exp

        if isinstance(node.this, (exp.Func, exp.Table)) or not node.name:
            return
        if not isinstance(node.this, exp.Identifier):
            raise SqlRefused(f"{node.sql()[:80]!r} is not allowed as a table: name a table.", "tables")
        key = self._key(node.this)
        if not node.args.get("db") and key in scope:
            if scope[key] != key:
                _alias(node, node.this)
                node.set("this", exp.to_identifier(scope[key], quoted=True))
            return
        table = self._found(node, key)
        full = self._full[table.schema, table.name]
        query = self._policy.replacement(full)
        if query is None:
            plain = base(full, self._dialect)
            for part in ("this", "db"):
                node.set(part, plain.args.get(part))
            node.set("catalog", None)
            return
        replaced.add(self._folded(table.name))
        _put(node, query.copy())

    def _found(self, node: Table, key: str) -> TableInfo:
        """The visible table that is meant. Raises SqlRefused."""
        schema = node.args.get("db")
        wanted = self._key(schema) if schema else ""
        shown = f"{schema.name}.{node.name}" if schema else node.name
        if (wanted or key).startswith(nodes.CATALOGUES):
            raise SqlRefused(
                f"{shown!r} belongs to the catalogues, which are closed. Ask describe_database for tables and columns.",
                "catalogues",
            )
        if node.args.get("catalog"):
            raise SqlRefused(f"{shown!r}: leave the name of the database out.", "tables")
        candidates = self._visible.get(key, [])
        if wanted:
            candidates = [
                t for t in candidates if self._folded(t.schema or _DEFAULT[self._dialect] or "main") == wanted
            ]
        if len(candidates) > 1:
            candidates = [t for t in candidates if t.schema == _DEFAULT[self._dialect]] or candidates
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            several = ", ".join(f"{t.schema}.{t.name}" for t in candidates)
            raise SqlRefused(f"{shown!r} can mean several tables: write one of {several}.", "tables")
        known = [t.name for many in self._visible.values() for t in many]
        near = suggest(node.name, known)
        listed = f" Tables: {', '.join(known[:12])}{' ...' if len(known) > 12 else ''}." if not near else ""
        raise SqlRefused(f"there is no table {shown!r} that may be read.{near}{listed}", "tables")

    def _key(self, identifier: Any) -> str:
        """A name as the engine compares it."""
        if self._dialect == "postgres" and identifier.args.get("quoted"):
            return str(identifier.name)
        return str(identifier.name).lower()

    def _folded(self, name: str) -> str:
        return name if self._dialect == "postgres" else name.lower()


def _name_projections(tree: Query | Values, dialect: Dialect) -> None:
    """Name results without a name by their text as it came: these engines would name them by the text that runs.

    That one shows what the policy puts in place of a table: its filter, its masks and their salt. DuckDB has ways of
    its own to name what is no subquery; SQLite takes the text.
    """
    from sqlglot import exp

    named = (exp.Alias, exp.Aliases, exp.Star)
    unnamed = [
        (shown, shown.meta[AS_IT_CAME])
        for select in tree.find_all(exp.Select)
        for shown in select.expressions
        if AS_IT_CAME in shown.meta and not isinstance(shown, named)
        if shown.find(exp.Table) or (dialect == "sqlite" and not isinstance(shown.unnest(), exp.Column))
    ]
    for shown, text in reversed(unnamed):  # the inner ones first: the outer ones are copied with them
        shown.replace(exp.alias_(shown.copy(), text, quoted=True))


def _put(node: Table, query: Query) -> None:
    """Let a query stand where a table stood, under the name by which columns are addressed."""
    from sqlglot import exp

    if sample := node.args.get("sample"):
        query.find(exp.Table).set("sample", sample)  # type: ignore[union-attr]
    alias = node.args.get("alias")
    if alias is None:
        alias = exp.TableAlias(this=node.this)
    elif alias.args.get("this") is None:
        alias.set("this", node.this)
    subquery = exp.Subquery(this=query, alias=alias)
    for part in ("joins", "laterals"):
        subquery.set(part, node.args.get(part))
    node.replace(subquery)


def _alias(node: Table, identifier: Expr) -> None:
    """Keep the name by which columns are addressed, where the table gets another one."""
    from sqlglot import exp

    alias = node.args.get("alias")
    if alias is None:
        node.set("alias", exp.TableAlias(this=identifier.copy()))
    elif alias.args.get("this") is None:
        alias.set("this", identifier.copy())


def _unqualify(tree: Query | Values, replaced: set[str]) -> None:
    """Take the schema from columns of tables that a query stands for: `public.t.id` becomes `t.id`."""
    from sqlglot import exp

    folded = {name.lower() for name in replaced}
    for column in tree.find_all(exp.Column):
        if column.args.get("db") and column.table.lower() in folded:
            column.set("db", None)
            column.set("catalog", None)


def _children(node: Expr) -> Iterator[Expr]:
    from sqlglot.expressions import Expr as Node

    for value in node.args.values():
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, Node):
                yield child
