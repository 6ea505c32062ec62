"""What is harmless passes, and gives what the database gives without the guard."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from typing import Any

import duckdb
import psycopg
import pytest
from agentkit_sql.engines.postgres_values import widened

from agentkit.settings import Settings
from tests.sql.conftest import LIMITS, Shop, opened
from tests.sql.corpora import read

ENGINES = ("postgres", "sqlite", "duckdb")
CASES = [(e, e, s.sql) for e in ENGINES for s in read(f"harmless-{e}")]
_POLICY: dict[str, Any] = {"deny": ("secrets",), "filters": {"customers": "id > 0", "orders": "id > 0"}}
"""A policy that replaces every table by a query and takes nothing away."""


def directly(name: str, url: str, settings: Settings, sql: str) -> list[Any]:
    """The rows without agentkit."""
    if name == "postgres":
        with psycopg.connect(url) as connection:
            widened(connection)
            return connection.execute(sql.encode()).fetchall()
    if name == "sqlite":
        connection = sqlite3.connect(settings.folder / "shop.db")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
    with duckdb.connect(str(settings.folder / "lake.duckdb"), read_only=True) as lake:
        return lake.execute(sql).fetchall()


def told(rows: list[Any]) -> list[str]:
    """Rows as texts, without regard to how a type is shown, in an order of their own."""
    return sorted(repr([_plain(v) for v in row]) for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, (float, Decimal)):
        return f"{float(value):.9g}"
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if (isinstance(value, str) and value[:1] in ("{", "[")) or isinstance(value, dict):
        return json.dumps(json.loads(value) if isinstance(value, str) and '"' in value else value)
    return value if value is None or isinstance(value, (int, str, bytes)) else str(value)


def test_there_are_enough_statements() -> None:
    assert len({(e, sql) for e, _, sql in CASES}) >= 300


@pytest.mark.parametrize(("shop", "name", "sql"), CASES, indirect=["shop"])
def test_a_harmless_statement_passes(shop: Shop, name: str, sql: str, settings: Settings) -> None:
    with shop.guarded.run(sql, LIMITS) as rows:
        found = rows.all()
    assert not rows.truncated
    try:
        want = directly(name, shop.url, settings, sql)
    except (psycopg.Error, duckdb.Error):
        # values that Python cannot hold without agentkit's readers, and a deprecated way to write lambdas
        return
    assert len(found) == len(want)
    if not any("mon" in str(v) or "year" in str(v) or "+00" in str(v) for row in found for v in row):
        assert told(found) == told(want)


@pytest.mark.parametrize("name", ENGINES)
def test_a_policy_that_takes_nothing_away_changes_nothing(
    name: str, settings: Settings, server: str, request: pytest.FixtureRequest
) -> None:
    """Each table is then a query; only what needs the table itself (its key in GROUP BY, its row numbers) differs."""
    plain: Shop = request.getfixturevalue(name)
    under = opened(plain.url, settings, **_POLICY).guarded
    lost = []
    for statement in read(f"harmless-{name}"):
        if any(part in statement.sql for part in ("GROUP BY c.id", "rowid")):
            continue
        try:
            found = under.run(statement.sql, LIMITS).all()
        except Exception as error:  # noqa: BLE001 - told below
            lost.append((statement.sql, str(error)))
            continue
        want = plain.guarded.run(statement.sql, LIMITS).all()
        assert told(found) == told(want), statement.sql
    assert lost == []
