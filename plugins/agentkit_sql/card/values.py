"""A few frequent values of text columns, and the range of dates: how a database writes what people ask for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from agentkit.errors import AgentkitError
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.schema import Column, TableInfo
from agentkit_sql.engines.quoting import literal, quoted, quoted_name

if TYPE_CHECKING:
    from agentkit.databases import Database

FREQUENT = 4
EXAMPLES = 2
"""Values that are shown of a column without frequent ones."""
_SAMPLE_ROWS = 10_000
_LIMITS = Limits(rows=2_000, seconds=2.0)
_LONGEST = 40
_MOST_COLUMNS = 60
_SECRET = re.compile(r"passw|secret|token|api_?key|hash|salt|credential|ssn", re.IGNORECASE)
_OPAQUE = re.compile(r"https?://|[0-9a-f]{8}-[0-9a-f]{4}-|[\w.+-]+@[\w-]+\.|[0-9a-f]{24}", re.IGNORECASE)
_TEXT = ("char", "text", "string", "enum", "clob")
_DATES = ("date", "timestamp")

Values = dict[str, dict[str, list[str]]]
"""Table -> column -> its most frequent values, as they are written in a statement without quotes."""


def is_text(column: Column) -> bool:
    """Whether a column holds text. A column without a type (SQLite) does as well."""
    low = column.type.lower()
    return not low or (any(t in low for t in _TEXT) and "[]" not in low)


def is_date(column: Column) -> bool:
    return any(column.type.lower().startswith(t) for t in _DATES)


def frequent_values(database: Database, tables: Iterable[TableInfo], seconds: float) -> Values:
    """The most frequent values of the tables' text columns, from their first 10,000 rows.

    What is not read within `seconds`, or may not be read, is left out.
    """
    end = time.monotonic() + seconds
    found: Values = {}
    for table in tables:
        if time.monotonic() > end:
            break
        found[table_key(table)] = _of_table(database, table)
    return found


def table_key(table: TableInfo) -> str:
    return f"{table.schema}.{table.name}"


def _of_table(database: Database, table: TableInfo) -> dict[str, list[str]]:
    columns = [c for c in table.columns if is_text(c) or is_date(c)]
    columns = [c for c in columns if not _SECRET.search(c.name)][:_MOST_COLUMNS]
    found: dict[str, list[str]] = {}
    repeated: set[str] = set()
    if not columns:
        return found
    try:
        for name, value, times in _rows(database, _statement(table, columns)):
            if times > 1:
                repeated.add(name)
            if len(value) <= _LONGEST and not _OPAQUE.search(value):
                found.setdefault(name, []).append(value)
    except AgentkitError:
        return {}
    # where every row has its own value, two show how they are written; a date has its first and last
    return {
        name: values if name in repeated or len(values) < FREQUENT else values[:EXAMPLES]
        for name, values in found.items()
    }


def _rows(database: Database, statement: str) -> Iterator[tuple[str, str, int]]:
    for name, value, times in database.run(statement, _LIMITS):
        if value is not None and str(value).strip():
            yield str(name), str(value), int(times)


def _statement(table: TableInfo, columns: list[Column]) -> str:
    source = quoted_name(table)
    parts = []
    for column in columns:
        name, label = quoted(column.name), literal(column.name)
        if is_text(column):
            parts.append(
                f"SELECT {label} AS c, CAST({name} AS VARCHAR) AS v, count(*) AS n FROM sample "  # noqa: S608
                f"GROUP BY {name}"
            )
        else:
            parts += [
                f"SELECT {label} AS c, CAST({edge}({name}) AS VARCHAR) AS v, 1 AS n FROM sample"  # noqa: S608
                for edge in ("min", "max")
            ]
    every = " UNION ALL ".join(parts)
    return (
        f"WITH sample AS (SELECT * FROM {source} LIMIT {_SAMPLE_ROWS}), counted AS ({every}), "  # noqa: S608
        f"ranked AS (SELECT c, v, n, row_number() OVER (PARTITION BY c ORDER BY n DESC, v) AS r FROM counted) "
        f"SELECT c, v, n FROM ranked WHERE r <= {FREQUENT} ORDER BY c, r"
    )
