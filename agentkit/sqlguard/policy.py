"""What of a database may be read: tables and columns that are allowed, rows that are filtered, masked values."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from agentkit.errors import SettingsError, suggest
from agentkit.sqlguard.schema import Column, Dialect, Schema, TableInfo

if TYPE_CHECKING:
    from sqlglot.expressions import Expr, Query

    from agentkit.settings import DatabaseSettings

Mask = Literal["null", "hash", "partial"]
MASKED = "(masked)"
_SECRET = secrets.token_bytes(16)
"""Of this process: equal values have equal hashes in one session, and nobody can look a hash up in a list."""


class Policy:
    """The policy of one database, with its schema."""

    def __init__(self, name: str, options: DatabaseSettings, schema: Schema) -> None:
        self._name = name
        self._options = options
        self._dialect: Dialect = schema.dialect
        self._allow = None if options.allow is None else _patterns(options.allow)
        self._deny = _patterns(options.deny)
        self._masks = [(p, mask) for pattern, mask in options.masks.items() for p in _patterns([pattern])]
        self._filters = [(p, sql) for pattern, sql in options.filters.items() for p in _patterns([pattern])]
        self._check_names(schema)
        self._salt = hashlib.blake2b(name.encode(), key=_SECRET, digest_size=8).hexdigest()
        self._replaced: dict[tuple[str, str], Query] = {}
        self.visible = self._visible(schema)

    def replacement(self, table: TableInfo) -> Query | None:
        """The query that stands for a table, None if all of it may be read as it is.

        Whatever a statement says of the table, it can only mean this query's columns and rows.
        """
        key = (table.schema, table.name)
        if not self._touches(table):
            return None
        if key not in self._replaced:
            self._replaced[key] = self._made(table)
        return self._replaced[key]

    def _touches(self, table: TableInfo) -> bool:
        rules = [*self._deny, *(p for p, _ in self._masks), *(p for p, _ in self._filters)]
        if self._allow is not None and not any(p.fullmatch(n) for p in self._allow for n in _names(table)):
            return True
        named = _names(table)
        columns = [n for c in table.columns for n in _names(table, c.name)]
        return any(p.fullmatch(n) for p in rules for n in (*named, *columns)) or any(
            _may_mean_a_column_of(p, table) for p in (*self._deny, *(p for p, _ in self._masks))
        )

    def _visible(self, schema: Schema) -> Schema:
        tables = [self._seen(t) for t in schema.tables]
        kept = [t for t in tables if t.columns]
        names = {t.name for t in kept}
        linked = [replace(t, foreign_keys=tuple(k for k in t.foreign_keys if k.table in names)) for t in kept]
        return Schema(schema.dialect, tuple(linked))

    def _seen(self, table: TableInfo) -> TableInfo:
        """The table with the columns that may be read."""
        columns = tuple(self._told(table, c) for c in table.columns if self._readable(table, c.name))
        names = {c.name for c in columns}
        return replace(
            table,
            columns=columns,
            primary_key=table.primary_key if set(table.primary_key) <= names else (),
            foreign_keys=tuple(k for k in table.foreign_keys if set(k.columns) <= names),
            rows=None if self._filter(table) else table.rows,
        )

    def _told(self, table: TableInfo, column: Column) -> Column:
        if self._mask(table, column.name) is None:
            return column
        return replace(column, nullable=True, comment=f"{column.comment} {MASKED}".strip())

    def _readable(self, table: TableInfo, column: str) -> bool:
        names = (*_names(table), *_names(table, column))
        if any(p.fullmatch(n) for p in self._deny for n in names):
            return False
        return self._allow is None or any(p.fullmatch(n) for p in self._allow for n in names)

    def _mask(self, table: TableInfo, column: str) -> Mask | None:
        return next((m for p, m in self._masks for n in _names(table, column) if p.fullmatch(n)), None)

    def _filter(self, table: TableInfo) -> str | None:
        """All conditions that hold for a table, joined by AND."""
        found = [sql for p, sql in self._filters if any(p.fullmatch(n) for n in _names(table))]
        return " AND ".join(f"({sql})" for sql in found) or None

    def _made(self, table: TableInfo) -> Query:
        from sqlglot import exp

        shown = [c for c in table.columns if self._readable(table, c.name)]
        query = exp.select(*[self._projected(table, c) for c in shown]).from_(base(table, self._dialect))
        if condition := self._filter(table):
            query = query.where(self._condition(table, condition))
            # a fence: without it a condition of the statement may be tried on rows that the filter keeps away, and
            # tell their values by its errors
            if self._dialect == "sqlite":
                return query.limit(-1)
            return query.offset(0)
        return query

    def _projected(self, table: TableInfo, column: Column) -> Expr:
        from sqlglot import exp

        name = exp.column(exp.to_identifier(column.name, quoted=True))
        mask = self._mask(table, column.name)
        return (
            name
            if mask is None
            else exp.alias_(_masked(name, mask, column.type, self._dialect, self._salt), column.name, quoted=True)
        )

    def _condition(self, table: TableInfo, sql: str) -> Expr:
        from sqlglot.errors import SqlglotError

        from agentkit.sqlguard.statement import condition

        try:
            return condition(sql, self._dialect)
        except SqlglotError:
            raise SettingsError(
                f"[databases.{self._name}] filters: {sql!r} of table {table.name!r} is not a condition such as "
                "\"region = 'EU'\"."
            ) from None

    def _check_names(self, schema: Schema) -> None:
        """A name that is written out must be there: a misspelt `deny` would protect nothing."""
        tables = {n for t in schema.tables for n in _names(t)}
        columns = {n for t in schema.tables for c in t.columns for n in _names(t, c.name)}
        for key, names, known, what in (
            ("allow", self._options.allow or (), tables | columns, "table or column"),
            ("deny", self._options.deny, tables | columns, "table or column"),
            ("filters", self._options.filters, tables, "table"),
            ("masks", self._options.masks, columns, "column (TABLE.COLUMN)"),
        ):
            for name in names:
                if "*" not in name and name.lower() not in known:
                    raise SettingsError(
                        f"[databases.{self._name}] {key}: there is no {what} {name!r} in the database."
                        f"{suggest(name, known)}"
                    )
        if self._dialect == "sqlite" and "hash" in self._options.masks.values():
            raise SettingsError(f'[databases.{self._name}] masks: SQLite cannot hash; use "null" or "partial".')


def base(table: TableInfo, dialect: Dialect) -> Expr:
    """The table itself, by its full quoted name."""
    from sqlglot import exp

    schema = table.schema or ("main" if dialect == "sqlite" else "")
    return exp.table_(table.name, db=schema or None, quoted=True)


def _masked(column: Expr, mask: Mask, kind: str, dialect: Dialect, salt: str) -> Expr:
    import sqlglot
    from sqlglot import exp

    if mask == "null":
        return exp.Null() if dialect == "sqlite" else exp.cast(exp.Null(), kind, dialect=dialect)
    text = column.sql(dialect=dialect)
    if mask == "partial":
        shown = f"substr(CAST({text} AS TEXT), 1, 1) || '***'"
    elif dialect == "postgres":
        shown = f"left(encode(sha256(convert_to('{salt}' || CAST({text} AS TEXT), 'UTF8')), 'hex'), 12)"
    else:
        shown = f"substr(sha256('{salt}' || CAST({text} AS TEXT)), 1, 12)"
    return sqlglot.parse_one(shown, dialect=dialect)


def _names(table: TableInfo, column: str | None = None) -> tuple[str, ...]:
    """How a table or its column can be written in a policy, in small letters."""
    names = (table.name, f"{table.schema}.{table.name}") if table.schema else (table.name,)
    return tuple((n if column is None else f"{n}.{column}").lower() for n in names)


def _patterns(texts: Iterable[str]) -> list[re.Pattern[str]]:
    """`*` stands for any part of a name, without dots."""
    return [re.compile(r"[^.]*".join(re.escape(part) for part in text.lower().split("*"))) for text in texts]


def _may_mean_a_column_of(pattern: re.Pattern[str], table: TableInfo) -> bool:
    """True if a column that the table may yet get could match: then its columns are always named one by one."""
    head, dot, _ = pattern.pattern.rpartition(r"\.")
    if not dot:
        return False
    return any(re.fullmatch(head, n) for n in _names(table))
