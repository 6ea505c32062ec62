"""What is right stays as it is, to the letter; and every statement of the corpus does run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

import psycopg
import pytest
from agentkit_sql.binder import bind

from agentkit.settings import load_settings
from agentkit.sqlguard.schema import Dialect
from agentkit.storage import Storage
from tests.sql.right_statements import DUCKDB, PLAIN, POSTGRES, SQLITE, lines
from tests.sql.shop import ROWS, TABLES, shop

RIGHT: dict[Dialect, list[str]] = {
    "postgres": lines(PLAIN, POSTGRES),
    "sqlite": lines(PLAIN, SQLITE),
    "duckdb": lines(PLAIN, DUCKDB),
}
Run = Callable[[str], object]


@pytest.fixture(scope="module")
def engines(home: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Dialect, Run]]:
    import duckdb

    folder = tmp_path_factory.mktemp("shop")
    with Storage(load_settings(folder, home=str(home))) as storage:
        postgres = psycopg.connect(storage.url)
        postgres.execute("CREATE SCHEMA shop_right; SET search_path TO shop_right;" + TABLES + ROWS)
        lite, duck = sqlite3.connect(":memory:"), duckdb.connect(":memory:")
        for script in (TABLES, ROWS):
            lite.executescript(script)
            duck.execute(script)
        yield {
            "postgres": lambda sql: postgres.execute(sql).fetchall(),
            "sqlite": lambda sql: lite.execute(sql).fetchall(),
            "duckdb": lambda sql: duck.execute(sql).fetchall(),
        }
        postgres.rollback()
        postgres.close()
        lite.close()
        duck.close()


@pytest.mark.parametrize(("dialect", "sql"), [(d, s) for d, found in RIGHT.items() for s in found])
def test_a_right_statement_is_not_changed(dialect: Dialect, sql: str, engines: dict[Dialect, Run]) -> None:
    engines[dialect](sql)
    bound = bind(sql, shop(dialect))
    assert bound.repairs == ()
    assert bound.sql == sql
    assert bound.problems == ()


def test_the_corpus_is_worth_its_name() -> None:
    assert len(RIGHT["postgres"]) >= 100
    assert all(len(set(found)) == len(found) for found in RIGHT.values())
