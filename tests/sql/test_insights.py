"""Figures of columns and suggested questions, on each engine: odd types, odd names, samples, policies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from agentkit_sql import insights as module
from agentkit_sql.export import export, export_limits
from agentkit_sql.insights import ColumnInsight, TableInsights, insights
from agentkit_sql.listing import find_table
from agentkit_sql.suggest import suggestions

from agentkit.databases import Database
from agentkit.errors import BadInput
from agentkit.settings import Settings
from tests.sql.conftest import LIMITS, Shop, opened

Made = Callable[..., Database]


def by_column(found: TableInsights) -> dict[str, ColumnInsight]:
    return {c.column: c for c in found.columns}


@pytest.fixture
def pg_with(server: str, settings: Settings) -> Iterator[Made]:
    """The tests' Postgres with a schema of its own for this test, filled by the statements that are given."""

    def make(*statements: str, **policy: Any) -> Database:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute("DROP SCHEMA IF EXISTS odd CASCADE")
            admin.execute("CREATE SCHEMA odd")
            for statement in statements:
                admin.execute(statement)  # type: ignore[call-overload]
        return opened(server, settings, **policy).guarded

    yield make
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("DROP SCHEMA IF EXISTS odd CASCADE")


class TestInsights:
    @pytest.mark.parametrize("shop", ["postgres", "sqlite", "duckdb"], indirect=True)
    def test_the_same_figures_on_each_engine(self, shop: Shop) -> None:
        found = insights(shop.guarded, find_table(shop.guarded, "orders"), LIMITS)
        assert (found.looked_at, found.sampled) == (5, "")
        columns = by_column(found)
        assert (columns["customer_id"].distinct, columns["customer_id"].mean) == (3, 1.8)
        assert columns["customer_id"].frequent == (("1", 2), ("2", 2))
        assert (columns["amount"].min, columns["amount"].max) == (1, 99.99)
        assert (columns["day"].min, columns["day"].max, columns["day"].mean) == ("2024-01-05", "2024-03-02", None)
        names = by_column(insights(shop.guarded, find_table(shop.guarded, "customers"), LIMITS))
        assert (names["email"].missing, names["email"].distinct, names["name"].min) == (1, 2, "Ada")

    @pytest.mark.parametrize("shop", ["postgres", "sqlite", "duckdb"], indirect=True)
    def test_what_may_not_be_read_is_not_looked_at(self, shop: Shop) -> None:
        with pytest.raises(BadInput, match="there is no table 'secrets'"):
            find_table(shop.guarded, "secrets")

    def test_every_type_of_postgres_can_be_looked_at(self, pg_with: Made) -> None:
        database = pg_with(
            "CREATE TYPE odd.mood AS ENUM ('good', 'bad')",
            'CREATE TABLE odd."Wide Things" (j json, b jsonb, u uuid, a int[], x xml, m odd.mood, f double precision, '
            'i interval, t timestamptz, y bytea, p point, o boolean, "from" text, n inet, c money)',
            """INSERT INTO odd."Wide Things" VALUES ('{"a": 1}', '{"a": 1}', gen_random_uuid(), '{1,2}', NULL, 'good',
               'NaN', '1 month', '2024-03-01 12:00+00', 'x', '(1,2)', true, 'x', '10.0.0.1', 5)""",
            'INSERT INTO odd."Wide Things" (i) VALUES (NULL), (NULL)',
            """INSERT INTO odd."Wide Things" (m, o, f) VALUES ('good', true, 1), ('bad', false, 2)""",
        )
        columns = by_column(insights(database, find_table(database, "odd.wide things"), LIMITS))
        assert len(columns) == 15
        assert columns["m"].frequent == (("good", 2),)
        assert columns["o"].frequent == (("true", 2),)
        assert (columns["j"].missing, columns["j"].distinct, columns["j"].min) == (4, 1, None)
        assert columns["f"].mean is None
        assert columns["t"].min == "2024-03-01T12:00:00+00:00"

    def test_a_table_without_rows_and_one_of_missing_values(self, pg_with: Made) -> None:
        database = pg_with(
            "CREATE TABLE odd.bare (a int, b text)",
            "CREATE TABLE odd.gaps (a int, b text)",
            "INSERT INTO odd.gaps VALUES (NULL, NULL), (NULL, NULL)",
        )
        bare = insights(database, find_table(database, "bare"), LIMITS)
        assert bare.looked_at == 0
        gaps = by_column(insights(database, find_table(database, "gaps"), LIMITS))
        assert (gaps["a"].missing, gaps["a"].distinct, gaps["a"].min, gaps["b"].frequent) == (2, 0, None, ())

    def test_300_columns(self, pg_with: Made) -> None:
        columns = ", ".join(f"c{i} int" for i in range(300))
        database = pg_with(f"CREATE TABLE odd.broad ({columns})", "INSERT INTO odd.broad (c7) VALUES (7), (8)")
        found = by_column(insights(database, find_table(database, "broad"), dataclasses.replace(LIMITS, seconds=20)))
        assert len(found) == 300
        assert (found["c7"].min, found["c7"].max, found["c299"].missing) == (7, 8, 2)

    @pytest.mark.parametrize("filters", [{}, {"odd.big": "x < 10000"}])
    def test_a_huge_table_of_postgres_is_sampled_within_its_policy(
        self, pg_with: Made, monkeypatch: pytest.MonkeyPatch, filters: dict[str, str]
    ) -> None:
        monkeypatch.setattr(module, "WHOLE_CELLS", 5_000)
        monkeypatch.setattr(module, "SAMPLE_ROWS", 4_000)
        made = "CREATE TABLE odd.big AS SELECT g AS x FROM generate_series(0, 19999) AS g"
        database = pg_with(made, "ANALYZE odd.big", filters=filters)
        found = insights(database, dataclasses.replace(find_table(database, "big"), rows=20_000), LIMITS)
        assert found.sampled == "a random sample of its pages"
        assert 100 < found.looked_at < 12_000
        assert (by_column(found)["x"].max < 10_000) == bool(filters)

    def test_a_huge_table_of_duckdb_is_sampled(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "WHOLE_CELLS", 5_000)
        monkeypatch.setattr(module, "SAMPLE_ROWS", 1_000)
        with duckdb.connect(str(settings.folder / "big.duckdb")) as connection:
            connection.execute(
                "CREATE OR REPLACE TABLE big AS SELECT x, [x] AS l, {'a': x} AS s FROM range(20000) t(x)"
            )
        database = opened("duckdb:///big.duckdb", settings).guarded
        found = insights(database, find_table(database, "big"), LIMITS)
        assert (found.looked_at, found.sampled) == (1_000, "a random sample")
        mean = by_column(found)["x"].mean
        assert mean is not None
        assert 8_000 < mean < 12_000

    def test_a_view_that_takes_too_long_is_looked_at_in_part(
        self, pg_with: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "SAMPLE_ROWS", 500)
        slow = "SELECT g AS x, CAST(pg_sleep(0.0001) AS text) AS s FROM generate_series(1, 3000000) AS g"
        database = pg_with(f"CREATE VIEW odd.slow AS {slow}")
        found = insights(database, find_table(database, "slow"), dataclasses.replace(LIMITS, seconds=2))
        assert (found.looked_at, found.sampled) == (500, "the first 500")


class TestSuggestions:
    @pytest.mark.parametrize("shop", ["postgres", "sqlite", "duckdb"], indirect=True)
    def test_questions_of_each_engine_have_rows(self, shop: Shop) -> None:
        found = suggestions(shop.guarded, 30)
        questions = [s.question for s in found]
        assert "Which 5 customers have the most orders?" in questions
        assert "What is the total amount of orders by month of day?" in questions
        assert all(s.rows for s in found)
        assert not [s for s in found if "secret" in s.question or "secret" in s.sql]

    def test_a_policy_holds(self, server: str, settings: Settings) -> None:
        database = opened(server, settings, filters={"orders": "id = 1"}, deny=("secrets", "hidden.vault")).guarded
        counted = next(s for s in suggestions(database, 50) if s.question == "How many orders are there?")
        assert counted.rows == ((1,),)


class TestExport:
    def test_types_of_postgres_stay_in_parquet(self, server: str, settings: Settings, tmp_path: Path) -> None:
        import pyarrow.parquet as pq

        database = opened(server, settings).guarded
        sql = (
            "SELECT 1 AS i, 1.50::numeric AS d, date '2024-01-02' AS day, timestamptz '2024-01-02 03:00+01' AS t, "
            "true AS b, ARRAY[1, 2] AS a, NULL::text AS n, 'x' AS s UNION ALL "
            "SELECT 2, 22222.123, NULL, NULL, NULL, NULL, NULL, NULL"
        )
        done = export(database.run(sql, export_limits(LIMITS)), tmp_path / "x.parquet")
        assert (done.rows, done.columns, done.cut) == (2, 8, ())
        first, second = pq.read_table(tmp_path / "x.parquet").to_pylist()
        assert first == {
            "i": 1, "d": Decimal("1.500"), "day": date(2024, 1, 2), "t": datetime(2024, 1, 2, 2, tzinfo=UTC), "b": True,
            "a": "[1, 2]", "n": None, "s": "x",
        }  # fmt: skip
        assert second["d"] == Decimal("22222.123")

    def test_later_rows_may_need_a_wider_type(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import pyarrow.parquet as pq
        from agentkit_sql.parquet import ParquetFile

        path = tmp_path / "x.parquet"
        with ParquetFile(path, ["number", "late", "mixed", "huge", "dec"]) as file:
            file.write([(1, None, 1, 2**70, Decimal("1.5"))])
            file.write([(2.5, "x", "two", 1, Decimal("1234567.25"))])
            file.write([(3, None, None, None, None)])
        table = pq.read_table(path)
        assert table.column("number").to_pylist() == [1.0, 2.5, 3.0]
        assert table.column("late").to_pylist() == [None, "x", None]
        assert table.column("mixed").to_pylist() == ["1", "two", None]
        assert table.column("huge").to_pylist() == [str(2**70), "1", None]
        assert table.column("dec").to_pylist() == [Decimal("1.50"), Decimal("1234567.25"), None]
        assert [p.name for p in tmp_path.iterdir()] == ["x.parquet"]

    def test_csv_cells(self, server: str, settings: Settings, tmp_path: Path) -> None:
        database = opened(server, settings).guarded
        sql = """SELECT true AS b, '\\xff'::bytea AS y, ARRAY[1, 2] AS a, date '2024-01-02' AS d, 1.10::numeric AS n,
                 'a,"b' AS q, NULL AS m"""
        export(database.run(sql, export_limits(LIMITS)), tmp_path / "x.csv")
        assert (tmp_path / "x.csv").read_text() == ('b,y,a,d,n,q,m\ntrue,ff,"[1, 2]",2024-01-02,1.10,"a,""b",\n')
