"""No attack has an effect: not through the guard, and not on the engine alone, wherever an engine can stop it."""

from __future__ import annotations

import resource
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from agentkit.databases import Database, Engine
from agentkit.errors import AgentkitError, SqlRefused
from agentkit.settings import Settings
from tests.sql.conftest import CANARY, LIMITS, Shop, opened
from tests.sql.corpora import Statement, read

ENGINES = ("postgres", "sqlite", "duckdb")
LEAKS = (CANARY, "root:x:", "/bin/bash")
SLACK = 8.0
"""Seconds beyond the limit in which a statement must have ended."""
FILES = ("/tmp/agentkit_attack", "/tmp/agentkit_attack.csv", "/tmp/agentkit_attack.db", "/tmp/agentkit_attack.parquet")


def state(name: str, shop: Shop, settings: Settings) -> Any:
    """Everything that an attack could have changed."""
    files = [f for f in FILES if Path(f).exists()]
    if name == "postgres":
        with psycopg.connect(shop.url, autocommit=True) as connection:
            return files, [connection.execute(q).fetchall() for q in _POSTGRES_STATE]
    if name == "sqlite":
        path = settings.folder / "shop.db"
        with sqlite3.connect(path) as connection:
            dump = list(connection.iterdump())
        connection.close()
        return files, path.read_bytes(), dump, sorted(p.name for p in settings.folder.glob("shop.db*"))
    with duckdb.connect(str(settings.folder / "lake.duckdb"), read_only=True) as connection:
        return files, [connection.execute(q).fetchall() for q in _DUCKDB_STATE]


_POSTGRES_STATE = (
    "SELECT * FROM orders ORDER BY id",
    "SELECT * FROM customers ORDER BY id",
    "SELECT count(*) FROM secrets",
    "SELECT relname, relkind, relnatts FROM pg_class WHERE relname NOT LIKE 'pg_%' ORDER BY oid",
    "SELECT proname FROM pg_proc WHERE oid > 16384 ORDER BY oid",
    "SELECT rolname, rolsuper FROM pg_roles ORDER BY oid",
    "SELECT extname FROM pg_extension ORDER BY oid",
    "SELECT last_value, is_called FROM counter",
    "SELECT count(*) FROM pg_largeobject_metadata",
    "SELECT * FROM pg_db_role_setting",
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
    "SELECT obj_description('orders'::regclass, 'pg_class')",
    "SELECT pg_get_viewdef(oid) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace",
)
_DUCKDB_STATE = (
    "SELECT * FROM orders ORDER BY id",
    "SELECT * FROM customers ORDER BY id",
    "SELECT schema_name, table_name, column_count, comment FROM duckdb_tables() ORDER BY ALL",
    "SELECT view_name FROM duckdb_views() ORDER BY ALL",
    "SELECT last_value FROM duckdb_sequences()",
    "SELECT function_name FROM duckdb_functions() WHERE NOT internal ORDER BY ALL",
)


def tried(run: Callable[[str], Any], sql: str) -> tuple[str, BaseException | None]:
    """What came back as text, and the error."""
    try:
        return repr(run(sql)), None
    except AgentkitError as error:
        return str(error), error


def cases(name: str) -> list[tuple[str, str]]:
    return [(name, c) for c in dict.fromkeys(s.category for s in read(f"attacks-{name}"))]


def of(name: str, category: str) -> list[Statement]:
    return [s for s in read(f"attacks-{name}") if s.category == category]


@pytest.mark.parametrize("name", ENGINES)
def test_there_are_enough_attacks(name: str) -> None:
    statements = [s.sql for s in read(f"attacks-{name}")]
    assert len(statements) == len(set(statements)) >= 120


@pytest.mark.parametrize(
    ("shop", "name", "category"), [(n, n, c) for e in ENGINES for n, c in cases(e)], indirect=["shop"]
)
def test_no_attack_has_an_effect(shop: Shop, name: str, category: str, settings: Settings) -> None:
    """Through the guard, for PostgreSQL as superuser."""
    before, memory = state(name, shop, settings), peak()
    database: Database = shop.guarded
    for statement in of(name, category):
        for run in (lambda sql: database.run(sql, LIMITS).all(), database.explain):
            start = time.monotonic()
            text, error = tried(run, statement.sql)
            assert time.monotonic() - start < LIMITS.seconds + SLACK, statement.sql
            assert not [leak for leak in LEAKS if leak in text and leak not in statement.sql], (statement.sql, text)
            if category != "bombs":
                assert error is not None, (statement.sql, text)
    assert state(name, shop, settings) == before
    assert peak() - memory < 1 << 30


@pytest.mark.parametrize(
    ("shop", "name", "category"), [(n, n, c) for e in ENGINES for n, c in cases(e)], indirect=["shop"]
)
def test_the_engine_alone_stops_what_it_can(
    shop: Shop, name: str, category: str, settings: Settings, reader: str
) -> None:
    """With the tree check off; PostgreSQL with a role that may only SELECT, as `check_role` advises."""
    before = state(name, shop, settings)
    engine: Engine = opened(reader, settings).engine if name == "postgres" else shop.engine
    for statement in of(name, category):
        if statement.guard_only:
            continue
        start = time.monotonic()
        text, error = tried(lambda sql: engine.run(sql, LIMITS).all(), statement.sql)
        assert time.monotonic() - start < LIMITS.seconds + SLACK, statement.sql
        assert not [leak for leak in LEAKS if leak in text and leak not in statement.sql], (statement.sql, text)
        if category != "bombs":
            assert error is not None, (statement.sql, text)
    assert state(name, shop, settings) == before


@pytest.mark.parametrize(("shop", "name"), [(n, n) for n in ENGINES], indirect=["shop"])
def test_a_refusal_names_the_rule_and_what_is_allowed(shop: Shop, name: str) -> None:
    for statement in read(f"attacks-{name}"):
        try:
            shop.guarded.run(statement.sql, LIMITS).close()
        except SqlRefused as refused:
            assert refused.rule, statement.sql
            assert len(str(refused)) < 700
        except AgentkitError:
            pass


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
