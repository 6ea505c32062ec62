"""What the columns of a table hold: how many values, which, between what; by a few statements through the guard."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from agentkit.cells import plain
from agentkit.errors import SqlFailed, SqlRefused, SqlTimeout
from agentkit_sql.card.joins import full_name
from agentkit_sql.engines.quoting import quoted, quoted_name

if TYPE_CHECKING:
    from agentkit.databases import Database
    from agentkit.sqlguard.limits import Limits
    from agentkit.sqlguard.schema import Column, Dialect, TableInfo

Kind = Literal["number", "text", "time", "truth", "other"]
SAMPLE_ROWS = 200_000
"""So many rows are looked at, where a table has more than WHOLE_CELLS values or all of them take too long."""
WHOLE_CELLS = 20_000_000
FREQUENT = 3
_COLUMNS_AT_ONCE = 25
_LONGEST = 60
_NUMBERS = (
    "int", "bigint", "smallint", "tinyint", "hugeint", "uint", "ubigint", "usmallint", "utinyint", "uhugeint",
    "real", "numeric", "decimal", "double", "float",
)  # fmt: skip
_TEXTS = ("char", "varchar", "text", "string", "clob", "nchar", "nvarchar", "bpchar", "citext")
_TIMES = ("date", "time", "timestamp")


@dataclass(frozen=True)
class ColumnInsight:
    """One column. `missing`, `distinct` count rows and values of those looked at; `mean` is None for what is no number.

    `frequent`: the most frequent values with their counts, long values cut, none for a column without repetition.
    """

    column: str
    type: str
    missing: int
    distinct: int
    min: Any
    max: Any
    mean: float | None
    frequent: tuple[tuple[Any, int], ...]


@dataclass(frozen=True)
class TableInsights:
    """`looked_at`: the rows that the columns' figures are of; `sampled`: '' for all rows, else which they are."""

    table: str
    looked_at: int
    sampled: str
    columns: tuple[ColumnInsight, ...]


def insights(database: Database, table: TableInfo, limits: Limits) -> TableInsights:
    """Look at every column of a table.

    More than WHOLE_CELLS values, or rows that take longer than `limits.seconds`, are sampled: SAMPLE_ROWS spread over
    the table where the database can pick them, else the first ones. Raises what running raises.
    """
    whole = [(quoted_name(table), "")] if (table.rows or 0) * len(table.columns) <= WHOLE_CELLS else []
    *better, last = [*whole, *_samples(table, database.dialect)]
    for source, told in better:
        try:
            return _looked(database, table, source, told, limits)
        except (SqlTimeout, SqlRefused, SqlFailed):
            # a view cannot be sampled, nor a table that the policy stands before: the first rows can be had of all
            continue
    return _looked(database, table, *last, limits)


def _samples(table: TableInfo, dialect: Dialect) -> list[tuple[str, str]]:
    """What stands in FROM for a sample, best first, and what is said about it."""
    name = quoted_name(table)
    found = []
    if dialect == "postgres" and table.rows and table.kind == "table":
        share = min(100.0, 100 * SAMPLE_ROWS / table.rows)
        picked = f"(SELECT * FROM {name} TABLESAMPLE SYSTEM ({share:.4f}) REPEATABLE (1))"  # noqa: S608
        found.append((picked, "a random sample of its pages"))
    if dialect == "duckdb":
        picked = f"(SELECT * FROM {name} USING SAMPLE {SAMPLE_ROWS} ROWS (reservoir, 1))"  # noqa: S608
        found.append((picked, "a random sample"))
    return [*found, (f"(SELECT * FROM {name} LIMIT {SAMPLE_ROWS})", f"the first {SAMPLE_ROWS:,}")]  # noqa: S608


def _looked(database: Database, table: TableInfo, source: str, told: str, limits: Limits) -> TableInsights:
    few = replace(limits, rows=10_000)
    rows, found = 0, []
    for start in range(0, len(table.columns), _COLUMNS_AT_ONCE):
        columns = table.columns[start : start + _COLUMNS_AT_ONCE]
        (figures,) = database.run(_figures_of(columns, source, database.dialect), few).all()
        rows, *rest = figures
        frequent = _frequent(database, columns, source, few)
        for i, column in enumerate(columns):
            present, distinct, low, high, mean = rest[5 * i : 5 * i + 5]
            found.append(
                ColumnInsight(
                    column.name,
                    column.type,
                    int(rows) - int(present),
                    int(distinct),
                    _short(low),
                    _short(high),
                    _number(mean),
                    frequent.get(column.name, ()),
                )
            )
    return TableInsights(full_name(table), int(rows), told, tuple(found))


def _figures_of(columns: Sequence[Column], source: str, dialect: Dialect) -> str:
    parts = ["count(*)"]
    for column in columns:
        parts += _five(column, dialect)
    return f"SELECT {', '.join(parts)} FROM {source} AS looked"  # noqa: S608


def _five(column: Column, dialect: Dialect) -> Iterator[str]:
    """Present, distinct, min, max and mean of a column, NULL where its type has none."""
    name, kind = quoted(column.name), kind_of(column)
    plain_name = name if kind != "other" else f"CAST({name} AS VARCHAR)"
    ordered = kind in ("number", "text", "time")
    yield f"count({name})"
    yield f"count(DISTINCT {plain_name})"
    yield f"min({name})" if ordered else "NULL"
    yield f"max({name})" if ordered else "NULL"
    if dialect == "sqlite":
        # a column may hold values of any type, whatever it was declared as
        yield f"avg(CASE WHEN typeof({name}) IN ('integer', 'real') THEN {name} END)" if kind != "text" else "NULL"
    else:
        yield f"avg({name})" if kind == "number" else "NULL"


def _frequent(
    database: Database, columns: Sequence[Column], source: str, limits: Limits
) -> dict[str, tuple[tuple[Any, int], ...]]:
    """The values that stand in more than one row, most frequent first."""
    parts = []
    for i, column in enumerate(columns):
        name, shown = quoted(column.name), f"CAST({quoted(column.name)} AS VARCHAR)"
        grouped = shown if kind_of(column) == "other" else name
        parts.append(
            f"SELECT * FROM (SELECT {i} AS c, {shown} AS v, count(*) AS n FROM {source} AS looked "  # noqa: S608
            f"WHERE {name} IS NOT NULL GROUP BY {grouped} HAVING count(*) > 1 ORDER BY n DESC, v LIMIT {FREQUENT}) "
            f"AS t{i}"
        )
    found: dict[str, tuple[tuple[Any, int], ...]] = {}
    for i, value, count in database.run(" UNION ALL ".join(parts), limits):
        name = columns[int(i)].name
        found[name] = (*found.get(name, ()), (_short(value), int(count)))
    return found


def kind_of(column: Column) -> Kind:
    """What can be told of a column by its declared type."""
    low = column.type.lower()
    if low.endswith("]") or low.startswith(("struct", "map", "union", "interval")):
        return "other"
    if low.startswith("bool"):
        return "truth"
    if low.startswith(_NUMBERS) or "unsigned" in low:
        return "number"
    if low.startswith(_TIMES):
        return "time"
    if low.startswith((*_TEXTS, "any")) or not low:
        return "text" if low not in ("any", "") else "number"
    return "other"


def _short(value: Any) -> Any:
    found = plain(value)
    return found[: _LONGEST - 3] + "..." if isinstance(found, str) and len(found) > _LONGEST else found


def _number(value: Any) -> float | None:
    if value is None:
        return None
    mean = float(value)
    return mean if math.isfinite(mean) else None
