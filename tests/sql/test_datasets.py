"""`sql:` data sets pass the guard, and every tool that takes a data set takes them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from agentkit_sql.answer import SqlAnswer

from agentkit.calls import CallContext, Services, call_directly
from agentkit.errors import BadInput, DatasetError, HandleError, SqlRefused
from agentkit.settings import load_settings


@pytest.fixture
def services(workspace: Path) -> Services:
    with sqlite3.connect(workspace / "shop.db") as connection:
        connection.execute("CREATE TABLE sales (region text, amount real, note text)")
        rows = [("EU" if i % 2 else "US", i / 2, None if i % 3 else f"n{i}") for i in range(2_500)]
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?)", rows)
    connection.close()
    (workspace / "agentkit.toml").write_text('[databases]\nshop = "sqlite:///shop.db"\n')
    return Services(load_settings())


def test_a_query_is_a_data_set(services: Services) -> None:
    data = CallContext(services).dataset("sql:SELECT region, amount FROM sales WHERE amount > 1000")
    assert data.columns == ["region", "amount"]
    assert data.rows() == 499
    assert data.frame()["amount"].min() > 1000
    assert (
        data.digest
        == CallContext(services).dataset("sql@shop:SELECT region, amount FROM sales WHERE amount > 1000").digest
    )


def test_a_tool_takes_it(services: Services) -> None:
    told = call_directly("profile_data", {"dataset": "sql:SELECT * FROM sales"}, services)
    assert "2500 rows, 3 columns" in told.message()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("sql:DELETE FROM sales", SqlRefused),
        ("sql:SELECT * FROM sales; DROP TABLE sales", SqlRefused),
        ("sql:SELECT * FROM sqlite_master", SqlRefused),
        ("sql:SELECT * FROM sales WHERE 1 = 0", DatasetError),
        ("sql:SELECT amount, amount FROM sales", DatasetError),
        ("sql@nowhere:SELECT 1", BadInput),
        ("table:zzzz", HandleError),
    ],
)
def test_what_is_no_data_set_is_told(services: Services, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        CallContext(services, by_model=True).dataset(name)
    with sqlite3.connect("shop.db") as connection:
        assert connection.execute("SELECT count(*) FROM sales").fetchone() == (2_500,)
    connection.close()


def test_a_big_result_is_a_handle_that_tools_take(services: Services) -> None:
    answer = call_directly("run_sql", {"sql": "SELECT * FROM sales"}, services)
    assert isinstance(answer, SqlAnswer)
    assert (answer.row_count, len(answer.table.rows), answer.truncated) == (2_500, 100, False)
    assert len(answer.message()) <= 1_200
    assert f"All rows: {answer.table.handle}" in answer.message()
    assert CallContext(services).dataset(str(answer.table.handle)).rows() == 2_500


def test_a_configured_limit_holds_for_data_sets(services: Services, workspace: Path) -> None:
    (workspace / "agentkit.toml").write_text('[databases.shop]\nurl = "sqlite:///shop.db"\nrows = 100\n')
    limited = Services(load_settings())
    assert CallContext(limited, by_model=True).dataset("sql:SELECT * FROM sales").rows() == 100
    assert CallContext(limited, by_model=True).dataset("sql@shop:SELECT region FROM sales").rows() == 100


@pytest.mark.parametrize(("written", "rows"), [("", 12_500), ("rows = 10000", 10_000)])
def test_a_limit_that_is_the_default_holds_where_it_is_written(
    services: Services, workspace: Path, written: str, rows: int
) -> None:
    (workspace / "agentkit.toml").write_text(f'[databases.shop]\nurl = "sqlite:///shop.db"\n{written}\n')
    sql = "sql:SELECT s.amount, n.value FROM sales s, json_each('[1, 2, 3, 4, 5]') n"
    assert CallContext(Services(load_settings()), by_model=True).dataset(sql).rows() == rows
