"""The engines: what they hold, what they say when something is wrong, and what they leave behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from agentkit.context import cancellation
from agentkit.errors import BadInput, Cancelled, DatabaseUnavailable, SqlFailed, SqlRefused, SqlTimeout
from agentkit.settings import Settings
from agentkit.sqlguard.limits import Limits
from tests.sql.conftest import LIMITS, Shop, opened

ENGINES = ("postgres", "sqlite", "duckdb")
ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
MANY = (
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
    "SELECT i, 'xxxxxxxxxx' AS x FROM n"
)


@pytest.fixture
def changed(server: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of a superuser that can make what a test needs."""
    with psycopg.connect(server, autocommit=True) as admin:
        yield admin


@pytest.mark.parametrize("shop", ENGINES, indirect=True)
class TestAll:
    def test_columns_have_names_and_types(self, shop: Shop) -> None:
        rows = shop.guarded.run("SELECT id, name AS who FROM customers ORDER BY id")
        assert [c.name for c in rows.columns] == ["id", "who"]
        assert rows.columns[0].type.startswith("int")
        assert rows.all()[0] == (1, "Ada")
        assert rows.exhausted
        assert 0 < rows.seconds < 30

    def test_rows_are_streamed_and_cut(self, shop: Shop) -> None:
        rows = shop.guarded.run(MANY, Limits(rows=1_000))
        assert len(rows.all()) == rows.count == 1_000
        assert (rows.truncated, rows.cut) == (True, {"rows"})

    def test_as_many_rows_as_are_allowed_are_not_cut(self, shop: Shop) -> None:
        rows = shop.guarded.run("SELECT id FROM customers", Limits(rows=3))
        assert (len(rows.all()), rows.truncated) == (3, False)

    def test_bytes_are_bounded(self, shop: Shop) -> None:
        rows = shop.guarded.run(MANY, Limits(bytes=26_000))
        assert 800 <= len(rows.all()) <= 1_100
        assert rows.cut == {"bytes"}

    def test_long_values_are_cut(self, shop: Shop) -> None:
        rows = shop.guarded.run("SELECT replace('aaaaaaaaaaaaaaaaaaaa', 'a', 'bcdefghijk') AS x", Limits(cell=50))
        assert (rows.all(), rows.cut) == ([("bcdefghijk" * 5,)], {"cell"})

    def test_what_takes_too_long_is_stopped(self, shop: Shop) -> None:
        start = time.monotonic()
        with pytest.raises(SqlTimeout, match=r"0\.5 s"):
            shop.guarded.run(ENDLESS, Limits(seconds=0.5)).all()
        assert time.monotonic() - start < 5

    def test_a_run_that_is_stopped_stops_the_statement(self, shop: Shop) -> None:
        stop = threading.Event()
        before = cancellation.set(stop)
        threading.Timer(0.3, stop.set).start()
        try:
            with pytest.raises(Cancelled):
                shop.guarded.run(ENDLESS, Limits(seconds=20)).all()
        finally:
            cancellation.reset(before)

    def test_the_engine_says_what_is_wrong(self, shop: Shop) -> None:
        with pytest.raises(SqlFailed, match="nope"):
            shop.guarded.run("SELECT nope FROM customers")
        with pytest.raises(SqlFailed, match="nope"):
            shop.guarded.explain("SELECT nope FROM customers")

    def test_explain_shows_a_plan(self, shop: Shop) -> None:
        assert "customers" in shop.guarded.explain("SELECT * FROM customers WHERE id = 2").lower()

    def test_the_schema_is_read(self, shop: Shop) -> None:
        schema = shop.guarded.schema()
        tables = {t.name: t for t in schema.tables}
        assert tables["customers"].primary_key == ("id",)
        key = tables["orders"].foreign_keys[0]
        assert (key.columns, key.table, key.to_columns) == (("customer_id",), "customers", ("id",))
        assert len(schema.fingerprint) == 64

    def test_an_empty_result_has_its_columns(self, shop: Shop) -> None:
        rows = shop.guarded.run("SELECT id, name FROM customers WHERE 1 = 0")
        assert ([c.name for c in rows.columns], rows.all(), rows.truncated) == (["id", "name"], [], False)

    def test_a_column_of_missing_values(self, shop: Shop) -> None:
        assert shop.guarded.run("SELECT NULL AS a FROM customers").all() == [(None,)] * 3

    def test_an_overflow_is_told(self, shop: Shop) -> None:
        with pytest.raises(SqlFailed, match=r"(?i)overflow|range"):
            shop.guarded.run(
                "SELECT sum(9223372036854775807) FROM customers WHERE 9223372036854775807 * (id + 5) > 0"
            ).all()
            shop.guarded.run("SELECT abs(-9223372036854775808)").all()

    def test_rows_that_are_closed_early_stop_the_statement(self, shop: Shop) -> None:
        rows = shop.guarded.run(MANY)
        assert next(iter(rows)) == (1, "xxxxxxxxxx")
        rows.close()
        assert not rows.exhausted

    def test_many_threads_share_a_database(self, shop: Shop) -> None:
        found: list[Any] = []
        threads = [threading.Thread(target=lambda: found.append(shop.guarded.run(MANY).all()[-1])) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [(5_000, "xxxxxxxxxx")] * 12


class TestPostgres:
    def test_nothing_is_left_on_the_server(self, postgres: Shop, changed: psycopg.Connection[Any]) -> None:
        with contextlib.suppress(SqlTimeout):
            postgres.engine.run("SELECT set_config('statement_timeout', '0', false), pg_sleep(60)::text", LIMITS).all()
        with contextlib.suppress(SqlTimeout):
            postgres.engine.run(ENDLESS, LIMITS).all()
        ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'agentkit' AND datname = 'shop'"
        deadline = time.monotonic() + 10
        while changed.execute(ours).fetchone() != (0,) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert changed.execute(ours).fetchone() == (0,)

    def test_a_server_that_goes_away_between_rows(self, postgres: Shop, changed: psycopg.Connection[Any]) -> None:
        rows = iter(postgres.guarded.run("SELECT i FROM generate_series(1, 100000) i"))
        next(rows)
        ours = "FROM pg_stat_activity WHERE application_name = 'agentkit' AND datname = 'shop'"
        changed.execute(f"SELECT pg_terminate_backend(pid) {ours}")
        with pytest.raises(DatabaseUnavailable, match="shop"):
            list(rows)

    def test_a_server_that_goes_away_within_a_statement(self, postgres: Shop, changed: psycopg.Connection[Any]) -> None:
        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DECLARE%' AND datname = 'shop'"
        fetch = kill.replace("DECLARE", "FETCH")
        timer = threading.Timer(0.5, lambda: (changed.execute(kill), changed.execute(fetch)))
        timer.start()
        with pytest.raises(DatabaseUnavailable):
            postgres.guarded.run(ENDLESS, Limits(seconds=20)).all()
        timer.join()
        assert postgres.guarded.run("SELECT 1").all() == [(1,)]

    def test_no_server(self, settings: Settings) -> None:
        url = "postgresql://me:s3cr3tword@127.0.0.1:1/shop"
        with pytest.raises(DatabaseUnavailable, match="cannot be reached") as told:
            opened(url, settings).guarded.run("SELECT 1")
        assert "s3cr3tword" not in str(told.value)

    def test_a_server_without_a_free_connection(
        self, postgres: Shop, changed: psycopg.Connection[Any], settings: Settings
    ) -> None:
        changed.execute("DROP ROLE IF EXISTS single")
        changed.execute("CREATE ROLE single LOGIN CONNECTION LIMIT 1")
        url = postgres.url.replace(f"//{changed.info.user}@", "//single@")
        try:
            with psycopg.connect(url), pytest.raises(DatabaseUnavailable, match="too many connections"):
                opened(url, settings).guarded.run("SELECT 1")
            deadline = time.monotonic() + 10
            used = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'single'"
            while changed.execute(used).fetchone() != (0,) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert opened(url, settings).guarded.run("SELECT 1").all() == [(1,)]
        finally:
            changed.execute("DROP ROLE single")

    def test_a_url_that_is_wrong_shows_no_password(self, settings: Settings) -> None:
        with pytest.raises(BadInput) as told:
            opened("postgresql://me:s3cr%zzword@host:port/x", settings)
        assert "word" not in str(told.value).replace("PASSWORD", "").replace("password", "")

    def test_values_that_python_cannot_hold_are_texts(self, postgres: Shop) -> None:
        told = postgres.guarded.run(
            "SELECT timestamp 'infinity', date '10000-01-01', interval '1 month', time '24:00', 1e400::numeric"
        ).all()[0]
        assert told[:4] == ("infinity", "10000-01-01", "1 mon", "24:00:00")

    def test_time_zones(self, postgres: Shop) -> None:
        told = postgres.guarded.run("SELECT timestamptz '2024-07-01 12:00+02' AT TIME ZONE 'Europe/Berlin'").all()
        assert str(told[0][0]) == "2024-07-01 12:00:00"

    def test_odd_names_and_many_columns(self, postgres: Shop, changed: psycopg.Connection[Any]) -> None:
        columns = ", ".join(f"c{i} int" for i in range(300))
        changed.execute('DROP TABLE IF EXISTS "Odd Täble", wide')
        changed.execute('CREATE TABLE "Odd Täble" ("select" int, "Größe" int, "a b" int, "MiXed" int, "q""uote" int)')
        changed.execute(f"CREATE TABLE wide ({columns})")
        database = opened(postgres.url, Settings(folder=Path(), home=Path(".h"))).guarded
        assert database.run('SELECT "select", "Größe", "a b", "MiXed", "q""uote" FROM "Odd Täble"').all() == []
        assert len(database.run("SELECT * FROM wide").columns) == 300
        # nothing holds the table: rows that are not wanted any more let go of it
        policy = opened(postgres.url, Settings(folder=Path(), home=Path(".h")), deny=("*.MiXed",)).guarded
        assert [c.name for c in policy.run('SELECT * FROM "Odd Täble"').columns] == ["select", "Größe", "a b", 'q"uote']
        changed.execute('DROP TABLE "Odd Täble", wide')

    def test_a_table_that_is_new_is_found(self, postgres: Shop, changed: psycopg.Connection[Any]) -> None:
        database = opened(postgres.url, Settings(folder=Path(), home=Path(".h"))).guarded
        assert "fresh" not in {t.name for t in database.schema().tables}
        time.sleep(1.1)
        changed.execute("CREATE TABLE fresh (id int)")
        try:
            assert database.run("SELECT * FROM fresh").all() == []
        finally:
            changed.execute("DROP TABLE fresh")

    def test_the_role_is_checked(self, postgres: Shop, reader: str, settings: Settings) -> None:
        told, right = postgres.guarded.check_role()
        assert "superuser" in told[0]
        assert "GRANT SELECT ON ALL TABLES IN SCHEMA" in right
        told, _ = opened(reader, settings).guarded.check_role()
        assert told == ["the role 'reader' may call functions that run with their owner's rights: public.bad."]

    def test_the_sql_for_a_right_role_makes_one(
        self, postgres: Shop, changed: psycopg.Connection[Any], settings: Settings
    ) -> None:
        _, right = postgres.guarded.check_role()
        try:
            changed.execute(right.encode())
            url = postgres.url.replace(f"//{changed.info.user}@", "//agentkit_reader@")
            told, _ = opened(url, settings).guarded.check_role()
            assert [t for t in told if "owner's rights" not in t] == []
        finally:
            changed.execute("DROP OWNED BY agentkit_reader; DROP ROLE agentkit_reader")

    def test_ctrl_c_stops_a_statement(self, postgres: Shop) -> None:
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            postgres.guarded.run(ENDLESS, Limits(seconds=30)).all()
        assert time.monotonic() - start < 10


class TestFiles:
    def test_a_file_that_is_not_there(self, settings: Settings) -> None:
        for url in ("sqlite:///shopp.db", "duckdb:///nowhere.duckdb"):
            with pytest.raises(DatabaseUnavailable, match="no file"):
                opened(url, settings).guarded.run("SELECT 1")

    def test_a_file_that_is_no_database(self, settings: Settings) -> None:
        (settings.folder / "text.db").write_text("hello " * 1_000)
        for url in ("sqlite:///text.db", "duckdb:///text.db"):
            with pytest.raises(DatabaseUnavailable, match=r"text\.db"):
                opened(url, settings).guarded.run("SELECT 1")

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "duckdb:"])
    def test_a_url_without_a_file(self, settings: Settings, url: str) -> None:
        with pytest.raises(BadInput, match="names no file"):
            opened(url, settings)

    def test_a_duckdb_file_that_is_being_written(self, settings: Settings) -> None:
        path = settings.folder / "busy.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE t (a int)")
            with pytest.raises(DatabaseUnavailable, match="write"):
                opened("duckdb:///busy.duckdb", settings).guarded.run("SELECT 1")

    def test_sqlite_in_wal_mode_is_read_while_it_is_written(self, settings: Settings) -> None:
        with sqlite3.connect(settings.folder / "wal.db", isolation_level=None) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("CREATE TABLE t (a int)")
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("INSERT INTO t VALUES (1)")
            assert opened("sqlite:///wal.db", settings).guarded.run("SELECT * FROM t").all() == []
            writer.execute("COMMIT")
        writer.close()

    def test_duckdb_gives_instants_without_another_package(self, duckdb: Shop) -> None:
        told = duckdb.guarded.run("SELECT timestamptz '2024-01-01 12:00:00+00' AS t, 1 AS n ORDER BY n").all()
        assert told[0][0].startswith("2024-01-01 12:00:00")


def test_a_catalogue_says_where_to_look_instead(postgres: Shop) -> None:
    with pytest.raises(SqlRefused, match="describe_database"):
        postgres.guarded.run("SELECT * FROM pg_catalog.pg_class")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST('12' AS NUMERIC) / 5",
        "SELECT CAST(7 AS DECIMAL(10,2)) / 2",
        "SELECT typeof(CAST('10' AS NUMERIC))",
        "SELECT CAST('2024-01-05' AS DATE)",
        "SELECT CAST('2024' AS TIMESTAMP)",
        "SELECT CAST('12:30' AS TIME)",
        "SELECT CAST(1.5 AS BOOLEAN)",
        "SELECT typeof(CAST('5' AS BLOB)), CAST(1.7 AS INTEGER), CAST(5 AS VARCHAR(3)), CAST('2' AS REAL)",
    ],
)
def test_sqlite_converts_as_it_does_alone(sqlite: Shop, settings: Settings, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(settings.folder / "shop.db")) as connection:
        want = connection.execute(sql).fetchall()
    assert repr(sqlite.guarded.run(sql, LIMITS).all()) == repr(want)


@pytest.mark.parametrize("kind", ["STRING", "varbinary"])
def test_types_that_sqlite_reads_in_another_way_are_refused(sqlite: Shop, kind: str) -> None:
    with pytest.raises(SqlRefused, match="write TEXT"):
        sqlite.guarded.run(f"SELECT CAST('5' AS {kind})", LIMITS)


def test_blanks_at_the_end_of_a_character_stay(postgres: Shop) -> None:
    assert postgres.guarded.run("SELECT 'ab'::char(5)", LIMITS).all() == [("ab   ",)]
    long = postgres.guarded.run("SELECT CAST(repeat('x', 90000) AS char(90000))", LIMITS)
    assert len(long.all()[0][0]) == LIMITS.cell
    assert long.cut == {"cell"}
    with pytest.raises(SqlRefused, match="VARBIT"):
        postgres.guarded.run("SELECT '101'::bit varying", LIMITS)


def test_a_with_of_the_name_of_a_hidden_table_gets_another(postgres: Shop) -> None:
    sql = "WITH SECRETS AS (SELECT 1 AS x) SELECT secrets.x FROM Secrets"
    assert "with_" in postgres.guarded.check(sql).lower()  # type: ignore[attr-defined]
    assert postgres.guarded.run(sql, LIMITS).all() == [(1,)]
    assert postgres.guarded.run("WITH Foo AS (SELECT 1 AS x) SELECT foo.x FROM foo", LIMITS).all() == [(1,)]
