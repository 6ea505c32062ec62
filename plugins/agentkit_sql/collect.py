"""Rows of a database as a `SqlAnswer`: few of them in the answer, many in a stored table with a preview."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.cells import plain
from agentkit.results import Table
from agentkit.sqlguard.rows import Rows
from agentkit.stored_tables import keep
from agentkit_sql.answer import SqlAnswer, suits

if TYPE_CHECKING:
    from agentkit.databases import Database

INLINE_ROWS = 1_000
"""A result of more rows is stored, and the answer has the first PREVIEW_ROWS."""
PREVIEW_ROWS = 100


def answered(rows: Rows, sql: str, database: str, home: Path, **told: Any) -> SqlAnswer:
    """Fetch all rows and close the statement. `told`: further fields of the answer."""
    names = unique([c.name for c in rows.columns])
    types = [c.type for c in rows.columns]
    handle = None
    with rows:
        source = ([plain(v) for v in row] for row in rows)
        first = list(itertools.islice(source, INLINE_ROWS + 1))
        if len(first) > INLINE_ROWS:
            handle, _ = keep(home, names, itertools.chain(first, source))
            first = first[:PREVIEW_ROWS]
    return SqlAnswer(
        sql=sql, database=database, table=Table(columns=names, rows=first, handle=handle), types=types,
        row_count=rows.count, seconds=round(rows.seconds, 3), truncated=rows.truncated, cut=sorted(rows.cut),
        figure="none" if handle else suits(types, first), **told,
    )  # fmt: skip


def planned(database: Database, sql: str, shown: str) -> SqlAnswer:
    """The answer without rows of a statement that the database checks and plans, and does not run.

    `shown`: the statement as it stands in the answer. Raises what running it would raise.
    """
    database.explain(sql)
    steps = ["the statement was checked and planned, not run"]
    return SqlAnswer(sql=shown, database=database.name, table=Table(columns=[], rows=[]), steps=steps)


def unique(names: list[str]) -> list[str]:
    """Column names without repetition or gaps: 'count', 'count_2', 'column_3'."""
    taken: set[str] = set()
    return [_free(name or f"column_{i}", taken) for i, name in enumerate(names, 1)]


def _free(name: str, taken: set[str]) -> str:
    choices: Iterator[str] = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(2)))
    found = next(c for c in choices if c not in taken)
    taken.add(found)
    return found
