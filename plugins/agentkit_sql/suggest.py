"""Questions that a database can answer, made from its schema without a model; each was asked, and had an answer."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.cells import plain
from agentkit.errors import SqlFailed, SqlRefused, SqlTimeout
from agentkit.sqlguard.limits import Limits
from agentkit_sql.card.joins import full_name
from agentkit_sql.card.words import words
from agentkit_sql.engines.quoting import quoted, quoted_name
from agentkit_sql.insights import kind_of

if TYPE_CHECKING:
    from agentkit.databases import Database
    from agentkit.sqlguard.schema import Column, Dialect, ForeignKey, Schema, TableInfo

MOST = 10
SECONDS = 20.0
_A_STATEMENT = 5.0
_MOST_GROUPS = 30
_TOP = 5
_ADDED_UP = frozenset(
    "amount total revenue sale turnover quantity qty unit cost payment paid spent fee tax profit volume".split()  # noqa: SIM905
)
_NAMES = frozenset("name title label fullname username email".split())  # noqa: SIM905
_CODES = frozenset(
    "id code key uuid guid hash zip postcode phone year month day hour version lat lon latitude longitude index rank "  # noqa: SIM905
    "url address comment note".split()
)


@dataclass(frozen=True)
class Suggestion:
    """A question, the statement that answers it, and the first rows of the answer."""

    question: str
    sql: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class _Draft:
    question: str
    sql: str
    kinds: tuple[TableInfo, Column] | None = None
    months: bool = False


def suggestions(database: Database, most: int = MOST, seconds: float = SECONDS) -> list[Suggestion]:
    """Up to `most` questions of different kinds about different tables; fewer when `seconds` are over.

    A grouping with one group, or so many that nobody reads them, is no question. Raises DatabaseUnavailable.
    """
    end = time.monotonic() + seconds
    found: list[Suggestion] = []
    groups: dict[tuple[str, str, str], bool] = {}
    for draft in _drafts(database.schema()):
        if len(found) == most or time.monotonic() > end:
            break
        if draft.kinds is not None:
            table, column = draft.kinds
            key = (table.schema, table.name, column.name)
            if key not in groups:
                groups[key] = _has_groups(_fetched(database, _counted(table, column)) or [])
            if not groups[key]:
                continue
        asked = _asked(database, draft)
        if asked is not None:
            found.append(asked)
    return found


def _asked(database: Database, draft: _Draft) -> Suggestion | None:
    """The draft with its answer, None if it has none that tells something."""
    try:
        with database.run(draft.sql, Limits(rows=_MOST_GROUPS + 1, seconds=_A_STATEMENT)) as rows:
            columns = tuple(c.name for c in rows.columns)
            fetched = [tuple(plain(v) for v in row) for row in rows]
    except (SqlFailed, SqlRefused, SqlTimeout):
        return None
    telling = [row for row in fetched if all(v is not None for v in row)]
    if not telling or (draft.months and len(telling) < 2):
        return None
    return Suggestion(draft.question, draft.sql, columns, tuple(fetched[:_TOP]))


def _fetched(database: Database, sql: str) -> list[tuple[Any, ...]] | None:
    try:
        return database.run(sql, Limits(rows=_MOST_GROUPS + 1, seconds=_A_STATEMENT)).all()
    except (SqlFailed, SqlRefused, SqlTimeout):
        return None


def _has_groups(counted: Sequence[tuple[Any, ...]]) -> bool:
    """Whether a column's values are few, and one of them stands in more than one row: a kind, not a name."""
    named = [row for row in counted if row[0] is not None]
    return 2 <= len(named) <= _MOST_GROUPS and max(int(row[1]) for row in named) > 1


def _counted(table: TableInfo, column: Column) -> str:
    return (
        f"SELECT {quoted(column.name)}, count(*) AS {quoted('count')} FROM {quoted_name(table)} "  # noqa: S608
        f"GROUP BY {quoted(column.name)} ORDER BY count(*) DESC"
    )


def _drafts(schema: Schema) -> Iterator[_Draft]:
    """Kind by kind through the tables, those that others belong to or that belong to others first."""
    linked = {t.name: len(t.foreign_keys) for t in schema.tables}
    for table in schema.tables:
        for key in table.foreign_keys:
            linked[key.table] = linked.get(key.table, 0) + 1
    tables = sorted(schema.tables, key=lambda t: (-linked[t.name], -(t.rows or 0), t.name))
    made = [list(_of_table(t, schema)) for t in tables]
    # the first question of each table, then the second of each
    for turn in itertools.zip_longest(*made):
        yield from (draft for draft in turn if draft is not None)
    for table in tables:
        count = f"SELECT count(*) AS {quoted('count')} FROM {quoted_name(table)}"  # noqa: S608
        yield _Draft(f"How many {_plural(table)} are there?", count)


def _of_table(table: TableInfo, schema: Schema) -> Iterator[_Draft]:
    measures = [c for c in table.columns if _is_measure(c, table)]
    kinds = [c for c in table.columns if kind_of(c) in ("text", "truth") and not _is_code(c) and not _is_name(c)]
    dates = [c for c in table.columns if kind_of(c) == "time" and not c.type.lower().startswith("time without")]
    parts = [
        _by_kind(table, kinds),
        _by_month(table, measures, dates, schema.dialect),
        _of_parents(table, schema),
        _measured_by_kind(table, measures, kinds),
        _largest(table, measures),
    ]
    for turn in itertools.zip_longest(*parts):
        yield from (draft for draft in turn if draft is not None)


def _by_kind(table: TableInfo, kinds: Sequence[Column]) -> Iterator[_Draft]:
    for column in kinds[:4]:
        question = f"How many {_plural(table)} are there by {_words(column.name)}?"
        yield _Draft(question, _counted(table, column), kinds=(table, column))


def _by_month(
    table: TableInfo, measures: Sequence[Column], dates: Sequence[Column], dialect: Dialect
) -> Iterator[_Draft]:
    for column in dates[:2]:
        month = _month(column, dialect)
        what, figure = f"How many {_plural(table)} are there", "count(*)"
        if measures:
            what, figure = f"What is the {_figure_words(measures[0])} of {_plural(table)}", _figure(measures[0])
        yield _Draft(
            f"{what} by month of {_words(column.name)}?",
            f"SELECT {month} AS {quoted('month')}, {figure} FROM {quoted_name(table)} "  # noqa: S608
            f"WHERE {quoted(column.name)} IS NOT NULL GROUP BY {month} ORDER BY {month} DESC LIMIT 12",
            months=True,
        )


def _measured_by_kind(table: TableInfo, measures: Sequence[Column], kinds: Sequence[Column]) -> Iterator[_Draft]:
    for measure, kind in itertools.product(measures[:2], kinds[:2]):
        yield _Draft(
            f"What is the {_figure_words(measure)} of {_plural(table)} by {_words(kind.name)}?",
            f"SELECT {quoted(kind.name)}, {_figure(measure)} FROM {quoted_name(table)} "  # noqa: S608
            f"WHERE {quoted(measure.name)} IS NOT NULL GROUP BY {quoted(kind.name)} ORDER BY {_figure(measure)} DESC",
            kinds=(table, kind),
        )


def _largest(table: TableInfo, measures: Sequence[Column]) -> Iterator[_Draft]:
    label = _label(table)
    if label is not None and measures:
        measure = measures[0]
        yield _Draft(
            f"Which {_TOP} {_plural(table)} have the highest {_words(measure.name)}?",
            f"SELECT {quoted(label.name)}, {quoted(measure.name)} FROM {quoted_name(table)} "  # noqa: S608
            f"WHERE {quoted(measure.name)} IS NOT NULL ORDER BY {quoted(measure.name)} DESC LIMIT {_TOP}",
        )


def _of_parents(table: TableInfo, schema: Schema) -> Iterator[_Draft]:
    """Which customers have the most orders, and which have none."""
    for key in table.foreign_keys:
        parent = next((t for t in schema.tables if t.name == key.table and t.name != table.name), None)
        label = _label(parent) if parent is not None else None
        if parent is None or label is None:
            continue
        names = f"p.{quoted(label.name)}"
        yield _Draft(
            f"Which {_TOP} {_plural(parent)} have the most {_plural(table)}?",
            f"SELECT {names}, count(*) AS {quoted('count')} FROM {quoted_name(table)} AS c "  # noqa: S608
            f"JOIN {quoted_name(parent)} AS p ON {_on(key, parent)} "
            f"GROUP BY {names} ORDER BY count(*) DESC LIMIT {_TOP}",
        )
        yield _Draft(
            f"Which {_plural(parent)} have no {_plural(table)}?",
            f"SELECT {names} FROM {quoted_name(parent)} AS p WHERE NOT EXISTS "  # noqa: S608
            f"(SELECT 1 FROM {quoted_name(table)} AS c WHERE {_on(key, parent)}) ORDER BY {names} LIMIT {_TOP}",
        )


def _on(key: ForeignKey, parent: TableInfo) -> str:
    theirs = [t or p for t, p in itertools.zip_longest(key.to_columns, parent.primary_key)][: len(key.columns)]
    return " AND ".join(
        f"c.{quoted(own)} = p.{quoted(str(their))}" for own, their in zip(key.columns, theirs, strict=True)
    )


def _label(table: TableInfo) -> Column | None:
    """The column that names a row, None if none is called 'name' or the like."""
    return next((c for c in table.columns if kind_of(c) == "text" and _is_name(c)), None)


def _is_name(column: Column) -> bool:
    return words(column.name)[-1:] != [] and words(column.name)[-1] in _NAMES


def _is_measure(column: Column, table: TableInfo) -> bool:
    keys = {*table.primary_key, *(c for k in table.foreign_keys for c in k.columns)}
    return kind_of(column) == "number" and column.name not in keys and not _is_code(column)


def _is_code(column: Column) -> bool:
    return bool(set(words(column.name)) & _CODES) or column.type.lower() in ("uuid", "json")


def _figure_words(column: Column) -> str:
    return f"{'total' if _adds_up(column) else 'average'} {_words(column.name)}".replace("total total", "total")


def _figure(column: Column) -> str:
    return f"{'sum' if _adds_up(column) else 'avg'}({quoted(column.name)})"


def _adds_up(column: Column) -> bool:
    return bool(set(words(column.name)) & _ADDED_UP)


def _month(column: Column, dialect: Dialect) -> str:
    name = quoted(column.name)
    if dialect == "sqlite":
        return f"strftime('%Y-%m', {name})"
    return f"CAST(date_trunc('month', {name}) AS DATE)"


def _plural(table: TableInfo) -> str:
    name = _words(full_name(table).rpartition(".")[2])
    return name if name.endswith("s") else f"rows of {name}"


def _words(name: str) -> str:
    return name.replace("_", " ")
