"""`agentkit db`: list, schema, insights, suggest, export, keep, check; on SQLite, files and Postgres."""

from __future__ import annotations

import csv
import inspect
import json
import re
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click
import psycopg
import pyarrow.parquet as pq
import pytest

from tests.conftest import Outcome
from tests.sql.shop import shop_file

Cli = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _shop(workspace: Path) -> None:
    shop_file(workspace)


@pytest.fixture
def postgres_named(workspace: Path, server: str) -> None:
    """The tests' server as the database `pg`, beside `shop`."""
    (workspace / "agentkit.toml").write_text(f'[databases]\nshop = "sqlite:///shop.db"\npg = "{server}"\n')


class TestList:
    def test_every_database_with_its_state_and_no_password(self, cli: Cli, workspace: Path) -> None:
        (workspace / "agentkit.toml").write_text(
            '[databases]\nshop = "sqlite:///shop.db"\ngone = "sqlite:///gone.db"\n'
            'far = "postgresql://me:pass-word-9@127.0.0.1:1/x"\n'
        )
        listed = {d["name"]: d for d in json.loads(cli("db", "list", "--json").out)}
        assert (listed["shop"]["kind"], listed["shop"]["tables"], listed["shop"]["problem"]) == ("sqlite", 7, "")
        assert "there is no file 'gone.db'" in listed["gone"]["problem"]
        assert "cannot be reached" in listed["far"]["problem"]
        assert listed["files"]["kind"] == "files"
        plain = cli("db", "list")
        assert plain.code == 0
        assert "pass-word-9" not in plain.out + plain.err + json.dumps(listed)


class TestSchema:
    def test_all_tables_with_joins_or_one_in_detail(self, cli: Cli) -> None:
        whole = cli("db", "schema", "--db", "shop")
        assert "order_items" in whole.out
        assert "join: orders.customer_id = customers.id" in whole.out
        one = cli("db", "schema", "--table", "orders")
        assert "seller_id    integer         employees.employee_id" in one.out
        assert "paid, open, refunded" in one.out
        assert "credit" not in one.out
        assert set(json.loads(cli("db", "schema", "--json").out)["tables"]) >= {"orders", "Odd Names"}

    def test_a_misspelt_table_gets_the_nearest_name(self, cli: Cli) -> None:
        done = cli("db", "schema", "--table", "ordrs")
        assert done.code == 2
        assert "The nearest name is 'orders'" in done.err


class TestInsights:
    def test_columns_are_counted(self, cli: Cli) -> None:
        (table,) = json.loads(cli("db", "insights", "customers", "--json").out)
        columns = {c["column"]: c for c in table["columns"]}
        assert (table["looked_at"], table["sampled"]) == (4, "")
        assert columns["city"]["frequent"] == [["Bern", 2]]
        assert (columns["credit"]["missing"], columns["credit"]["mean"]) == (1, 5)
        assert (columns["joined"]["min"], columns["joined"]["max"]) == ("2023-01-05", "2024-03-09")
        assert columns["country"]["distinct"] == 3

    def test_without_a_table_all_are_looked_at(self, cli: Cli) -> None:
        done = cli("db", "insights")
        assert done.out.count("most frequent") == 7
        assert "customers: 4 rows" in done.out

    def test_of_many_tables_one_that_does_not_work_is_left_out(self, cli: Cli, workspace: Path) -> None:
        with sqlite3.connect(workspace / "shop.db") as connection:
            connection.execute("CREATE VIEW broken AS SELECT abs(-9223372036854775807 - id) AS x FROM customers")
        connection.close()
        done = cli("db", "insights")
        assert done.code == 0
        assert done.out.count("most frequent") == 7
        assert "broken is left out: integer overflow" in done.err
        assert cli("db", "insights", "broken").code == 2

    def test_an_unknown_table_or_database(self, cli: Cli) -> None:
        assert "The nearest name is 'customers'" in cli("db", "insights", "custmers").err
        done = cli("db", "insights", "--db", "shoop")
        assert done.code == 2
        assert "The nearest name is 'shop'" in done.err


class TestSuggest:
    def test_each_suggestion_is_a_statement_that_gives_these_rows(self, cli: Cli, workspace: Path) -> None:
        found = json.loads(cli("db", "suggest", "--json", "--most", "20").out)
        assert len(found) == 20
        with sqlite3.connect(workspace / "shop.db") as connection:
            for suggestion in found:
                rows = [list(r) for r in connection.execute(suggestion["sql"]).fetchall()]
                assert rows[: len(suggestion["rows"])] == suggestion["rows"]
                assert rows
        connection.close()
        questions = [s["question"] for s in found]
        assert len(set(questions)) == 20
        assert "How many orders are there by status?" in questions
        # each customer has a name of its own: no kind
        assert not [q for q in questions if q.endswith("by name?")]

    def test_an_empty_database_has_no_questions(self, cli: Cli, workspace: Path) -> None:
        with sqlite3.connect(workspace / "bare.db") as connection:
            connection.execute("CREATE TABLE bare (name text)")
        connection.close()
        done = cli("db", "suggest", "--db", "bare.db")
        assert done.code == 0
        assert "How many rows of bare are there?  (0)" in done.out


class TestExport:
    def test_a_table_to_csv_and_parquet(self, cli: Cli, workspace: Path) -> None:
        assert cli("db", "export", "orders", "o.csv").code == 0
        rows = list(csv.DictReader((workspace / "o.csv").open()))
        assert [r["total"] for r in rows] == ["120.5", "30", "80", "15"]
        assert rows[1]["rating"] == ""
        told = json.loads(cli("db", "export", "orders", "o.parquet", "--json").out)
        assert (told["rows"], told["columns"], told["cut"]) == (4, 8, [])
        table = pq.read_table(workspace / "o.parquet")
        assert table.column("rating").to_pylist() == [5, None, 4, 1]
        assert str(table.schema.field("total").type) == "double"

    def test_a_select_and_a_name_that_needs_quotes(self, cli: Cli, workspace: Path) -> None:
        assert cli("db", "export", "select name from customers where city = 'Bern'", "b.csv").code == 0
        assert (workspace / "b.csv").read_text() == "name\nAda\nCy\n"
        assert cli("db", "export", "odd names", "odd.csv").code == 0
        assert (workspace / "odd.csv").read_text() == "Id,select,two words,Größe\n1,x,2,3\n"

    def test_a_table_may_be_called_like_a_keyword(self, cli: Cli, workspace: Path) -> None:
        with sqlite3.connect(workspace / "odd.db") as connection:
            connection.executescript('CREATE TABLE "select" ("from" text); INSERT INTO "select" VALUES (\'x\')')
        connection.close()
        assert cli("db", "export", "select", "s.csv", "--db", "odd.db").code == 0
        assert (workspace / "s.csv").read_text() == "from\nx\n"
        assert "from" in cli("db", "insights", "select", "--db", "odd.db").out

    def test_a_stored_result_is_exported_by_its_handle(self, cli: Cli, workspace: Path) -> None:
        numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1200) SELECT x FROM n"
        handle = json.loads(cli("sql", numbers, "--db", "shop", "--json").out)["table"]["handle"]
        assert cli("db", "export", handle, "n.parquet").code == 0
        assert pq.read_table(workspace / "n.parquet").column("x").to_pylist() == list(range(1, 1201))
        assert cli("db", "export", "table:0000beef", "m.csv").code == 2

    def test_a_limit_that_cuts_is_told_by_the_exit_code(self, cli: Cli, workspace: Path) -> None:
        done = cli("db", "export", "orders", "o.csv", "--limit", "3")
        assert done.code == 1
        assert "a limit cut it (rows): --limit raises it" in done.err
        assert len((workspace / "o.csv").read_text().splitlines()) == 4

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["orders", "o.txt"], ".csv or .parquet"),
            (["orders", "nowhere/o.csv"], "there is no folder 'nowhere'"),
            (["orders", "there.csv"], "--force"),
            (["ordrs", "o.csv"], "The nearest name is 'orders'"),
            (["SELECT nope FROM orders", "o.csv"], "nope"),
            (["DELETE FROM orders", "o.csv"], "DELETE is not allowed"),
            (["sqlite_master", "o.csv"], "there is no table"),
        ],
    )
    def test_what_is_wrong_leaves_no_file(self, cli: Cli, workspace: Path, arguments: list[str], said: str) -> None:
        (workspace / "there.csv").write_text("mine")
        before = sorted(p.name for p in workspace.iterdir())
        done = cli("db", "export", *arguments)
        assert done.code == 2
        assert said in done.err
        assert sorted(p.name for p in workspace.iterdir()) == before
        assert (workspace / "there.csv").read_text() == "mine"

    def test_a_connection_that_is_cut_leaves_the_old_file(
        self, cli: Cli, workspace: Path, postgres_named: None, server: str
    ) -> None:
        (workspace / "o.csv").write_text("mine")
        ended = threading.Event()

        def cut() -> None:
            with psycopg.connect(server, autocommit=True) as admin:
                while not ended.is_set():
                    # the export has begun when its file is there
                    if list(workspace.glob(".o.csv.*.part")):
                        admin.execute(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE application_name = 'agentkit' AND datname = 'shop' AND pid <> pg_backend_pid()"
                        )
                    time.sleep(0.02)

        thread = threading.Thread(target=cut)
        thread.start()
        done = cli("db", "export", "SELECT * FROM generate_series(1, 900000) AS g(x)", "o.csv", "--db", "pg", "--force")
        ended.set()
        thread.join()
        assert done.code == 1
        assert "went away" in done.err
        assert (workspace / "o.csv").read_text() == "mine"
        assert not list(workspace.glob(".o.csv*"))

    @pytest.mark.parametrize("output", ["n.csv", "n.parquet"])
    def test_a_disk_that_is_full_leaves_the_old_file(self, cli: Cli, workspace: Path, output: str) -> None:
        (workspace / output).write_text("mine")
        numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 50000) SELECT x FROM n"
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        try:
            done = cli("db", "export", numbers, output, "--force")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert (done.code, done.out) == (1, "")
        assert f"{output!r} cannot be written" in done.err
        assert (workspace / output).read_text() == "mine"
        assert not list(workspace.glob(".n.*"))


class TestKeep:
    def test_a_statement_that_works_is_kept_once(self, cli: Cli, workspace: Path) -> None:
        arguments = ["db", "keep", "Open orders?", "SELECT count(*) FROM orders WHERE status = 'open';"]
        assert "kept in shop.examples.jsonl" in cli(*arguments).err
        assert "already" in cli(*arguments).err
        (line,) = (workspace / "shop.examples.jsonl").read_text().splitlines()
        assert json.loads(line) == {
            "question": "Open orders?", "sql": "SELECT count(*) FROM orders WHERE status = 'open'",
        }  # fmt: skip

    def test_one_that_does_not_work_is_not(self, cli: Cli, workspace: Path) -> None:
        assert cli("db", "keep", "What?", "SELECT nope FROM orders").code == 2
        assert cli("db", "keep", "  ", "SELECT 1").code == 2
        assert "no name" in cli("db", "keep", "What?", "SELECT 1", "--db", "./shop.db").err
        assert not list(workspace.glob("*.examples.jsonl"))

    def test_one_without_rows_is_kept_with_a_note(self, cli: Cli) -> None:
        done = cli("db", "keep", "Nobody?", "SELECT name FROM customers WHERE 1 = 0", "--json")
        assert json.loads(done.out)["rows"] == 0


class TestCheck:
    def test_each_layer_is_tried(self, cli: Cli, postgres_named: None) -> None:
        done = cli("db", "check", "--json")
        found = {(c["database"], c["check"]): c for c in json.loads(done.out)}
        for database in ("shop", "pg"):
            for layer in ("reached", "guard", "engine", "limits", "policy"):
                assert found[database, layer]["state"] == "ok", found[database, layer]
        assert "DELETE" in found["pg", "engine"]["detail"]

    def test_a_role_that_can_do_more_is_warned_of_with_the_sql_for_a_right_one(
        self, cli: Cli, workspace: Path, postgres_named: None, reader: str
    ) -> None:
        done = cli("db", "check", "--db", "pg")
        assert done.code == 0
        assert "warn  pg  role" in done.out
        assert "is a superuser" in done.out
        assert "CREATE ROLE" in done.out
        (workspace / "agentkit.toml").write_text(f'[databases]\npg = "{reader}"\n')
        assert "is a superuser" not in cli("db", "check").out

    def test_a_url_may_hold_a_variable(
        self, cli: Cli, workspace: Path, reader: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("READER_NAME", "reader")
        (workspace / "agentkit.toml").write_text(
            f'[databases]\npg = "{reader.replace("reader@", "${READER_NAME}@")}"\n'
        )
        assert cli("trust", "--yes").code == 0
        done = cli("db", "check")
        assert done.code == 0, done.out
        assert "ok    pg  engine" in done.out
        assert "${READER_NAME}@" in cli("db", "list").out

    def test_a_policy_is_told(self, cli: Cli, workspace: Path) -> None:
        (workspace / "agentkit.toml").write_text(
            '[databases.shop]\nurl = "sqlite:///shop.db"\ndeny = ["employees"]\n'
            'masks = {"customers.name" = "partial"}\n'
        )
        done = cli("db", "check")
        assert done.code == 0
        assert "deny: employees; masks on customers.name" in done.out

    def test_a_name_that_is_none_is_code_2(self, cli: Cli) -> None:
        done = cli("db", "check", "--db", "shopp")
        assert done.code == 2
        assert "The nearest name is 'shop'" in done.err

    def test_what_cannot_be_reached_is_code_1(self, cli: Cli, workspace: Path) -> None:
        (workspace / "shop.db").unlink()
        done = cli("db", "check")
        assert done.code == 1
        assert "fail  shop  reached" in done.out
        assert "there is no file 'shop.db'" in done.out


def test_the_python_of_the_page_runs(workspace: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sql-commands.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    exec(compile(block, "sql-commands.md", "exec"), {})
    assert pq.read_table(workspace / "orders.parquet").num_rows == 4


def commands() -> list[tuple[str, click.Command]]:
    from agentkit_sql.commands.db import db
    from agentkit_sql.commands.sql import sql

    return [("sql", sql), *((f"db {name}", command) for name, command in db.commands.items())]


@pytest.mark.parametrize(("name", "command"), commands())
def test_help_has_examples_and_the_page_names_every_option(name: str, command: click.Command) -> None:
    assert f"\n  agentkit {name}" in inspect.cleandoc(str(command.help))
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    (section,) = (s for s in page.split("\n## ") if s.startswith(f"agentkit {name.partition(' ')[0]}\n"))
    section += page.partition("\n## ")[0]
    options = [o for p in command.params if isinstance(p, click.Option) for o in p.opts if o.startswith("--")]
    assert [o for o in options if f"`{o}" not in section and f"{o}`" not in section] == []


def test_the_commands_are_shown_and_loaded_without_anything_heavy() -> None:
    program = (
        "import sys\nfrom agentkit_sql.commands.db import db\nfrom agentkit_sql.commands.sql import sql\n"
        "heavy = 'sqlglot duckdb psycopg pyarrow pandas numpy pydantic matplotlib langchain_core'.split()\n"
        "print([m for m in heavy if m in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
