"""What a SQLite file holds."""

from __future__ import annotations

import sqlite3
import time
from typing import Literal

from agentkit.sqlguard.schema import Column, ForeignKey, Schema, TableInfo
from agentkit_sql.engines.quoting import quoted

_COUNTING_SECONDS = 1.0
"""For counting the rows of all tables; those of the rest stay unknown."""
_STEP = 2_000


def read_schema(connection: sqlite3.Connection) -> Schema:
    """Tables and views, without SQLite's own and without the shadow tables of virtual ones."""
    found = connection.execute("PRAGMA main.table_list").fetchall()
    until = time.monotonic() + _COUNTING_SECONDS
    tables = [
        _table(connection, name, "view" if kind == "view" else "table", until)
        for schema, name, kind, *_ in found
        if schema == "main" and kind in ("table", "view", "virtual") and not name.lower().startswith("sqlite_")
    ]
    return Schema("sqlite", tuple(sorted(tables, key=lambda t: t.name)))


def _table(connection: sqlite3.Connection, name: str, kind: Literal["table", "view"], until: float) -> TableInfo:
    try:
        described = connection.execute(f"PRAGMA main.table_xinfo({quoted(name)})").fetchall()
    except sqlite3.Error:
        # a view over a table that is gone
        described = []
    columns = tuple(
        Column(column, (type_ or "").lower() or "any", not required and not key)
        for _, column, type_, required, _default, key, hidden in described
        if hidden != 1
    )
    key = tuple(r[1] for r in sorted((r for r in described if r[5]), key=lambda r: r[5]))
    return TableInfo(
        name, columns, "", key, _foreign_keys(connection, name), "",
        None if kind == "view" else _count(connection, name, until), kind,
    )  # fmt: skip


def _foreign_keys(connection: sqlite3.Connection, name: str) -> tuple[ForeignKey, ...]:
    keys: dict[int, list[tuple[str, str, str | None]]] = {}
    for number, _, table, own, theirs, *_ in connection.execute(f"PRAGMA main.foreign_key_list({quoted(name)})"):
        keys.setdefault(number, []).append((table, own, theirs))
    return tuple(
        ForeignKey(tuple(p[1] for p in parts), parts[0][0], tuple(p[2] or "" for p in parts))
        for _, parts in sorted(keys.items())
    )


def _count(connection: sqlite3.Connection, name: str, until: float) -> int | None:
    """The number of rows, None if counting would take longer than there is time."""
    if time.monotonic() > until:
        return None
    connection.set_progress_handler(lambda: 1 if time.monotonic() > until else 0, _STEP)
    try:
        return int(connection.execute(f"SELECT count(*) FROM main.{quoted(name)}").fetchone()[0])  # noqa: S608
    except sqlite3.Error:
        return None
    finally:
        connection.set_progress_handler(None, 0)
