"""`agentkit sql` as people and scripts use it, on a SQLite file, with a scripted model where words need one."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Outcome
from tests.sql.shop import shop_file

Cli = Callable[..., Outcome]
PLUGIN = '''
import json
from pathlib import Path
from agentkit import ModelSpec, hookimpl
from agentkit.specs import DatabaseSpec

made = []

def model(name, settings):
    from agentkit.testing import ScriptedChatModel
    made.append(ScriptedChatModel(script=json.loads(Path("answers.json").read_text())))
    return made[-1]

class Dying:
    """A server that goes away while it sends its rows."""

    dialect = "postgres"

    def schema(self):
        from agentkit.sqlguard.schema import Column, Schema, TableInfo
        return Schema("postgres", (TableInfo("t", (Column("x", "integer"),), "public"),))

    def run(self, sql, limits):
        from agentkit.sqlguard.rows import ResultColumn, Rows
        return Rows((ResultColumn("x", "int4"),), self.rows(), limits)

    def rows(self):
        from agentkit.errors import DatabaseUnavailable
        for i in range(2_500):
            yield (i,)
        raise DatabaseUnavailable("database 'dying' went away: the server closed the connection. Try again later.")

    def explain(self, sql, limits):
        return "a plan"

    def close(self):
        pass

def dying(opening):
    return Dying()

@hookimpl
def register_models():
    return [ModelSpec("scripted", f"{__name__}:model", "for tests", remote=False)]

@hookimpl
def register_databases():
    return [DatabaseSpec("dying", f"{__name__}:dying", ("dying",), "for tests")]
'''
SETTINGS = """model = "scripted:"
[plugins]
paths = ["scripted.py"]
[databases]
shop = "sqlite:///shop.db"
dying = "dying://"
"""


@pytest.fixture(autouse=True)
def _shop(workspace: Path, cli: Cli) -> None:
    shop_file(workspace)
    (workspace / "scripted.py").write_text(PLUGIN)
    (workspace / "agentkit.toml").write_text(SETTINGS)
    assert cli("trust", "--yes").code == 0


@pytest.fixture
def model_says(workspace: Path) -> Callable[..., None]:
    """What the model answers, one after the other."""

    def say(*answers: str) -> None:
        (workspace / "answers.json").write_text(json.dumps(answers))

    return say


def prompts() -> list[str]:
    """The last messages that the model has seen."""
    return [messages[-1].text for made in sys.modules["agentkit_plugin_scripted"].made for messages in made.seen]


class TestStatements:
    def test_a_typed_select_runs_without_a_model(self, cli: Cli) -> None:
        done = cli("sql", "select status, count(*) as n from orders group by 1 order by 1", "--db", "shop")
        assert done.code == 0, done.err
        lines = [line.rstrip() for line in done.out.strip().splitlines()]
        assert lines[:5] == ["status    n", "--------  -", "open      1", "paid      2", "refunded  1"]
        assert lines[-1].startswith("3 rows in ")

    def test_csv_is_alone_on_stdout(self, cli: Cli) -> None:
        done = cli("sql", "SELECT id, name, credit FROM customers ORDER BY id", "--db", "shop", "--format", "csv")
        assert done.out == "id,name,credit\n1,Ada,10\n2,Bob,0\n3,Cy,\n4,Di,5\n"

    def test_json_rows_keep_numbers_and_missing_values(self, cli: Cli) -> None:
        done = cli("sql", "SELECT name, credit FROM customers WHERE id > 2", "--db", "shop", "--format", "json")
        assert json.loads(done.out) == [{"name": "Cy", "credit": None}, {"name": "Di", "credit": 5}]
        assert json.loads(cli("sql", "SELECT 1 AS x WHERE 1 = 0", "--db", "shop", "--format", "json").out) == []

    def test_markdown_cannot_be_broken_by_a_value(self, cli: Cli) -> None:
        done = cli("sql", "SELECT 'a|b' AS x, '<i>' || char(10) || 'y' AS z", "--db", "shop", "--format", "markdown")
        assert done.out.splitlines()[:3] == ["| x | z |", "| --- | --- |", "| a\\|b | &lt;i> y |"]

    def test_what_a_terminal_would_obey_is_not_printed(self, cli: Cli) -> None:
        done = cli("sql", "SELECT char(27) || '[31mred' || char(7) AS x", "--db", "shop")
        assert "\x1b" not in done.out
        assert "\x07" not in done.out
        assert "[31mred" in done.out

    def test_the_whole_answer_as_json(self, cli: Cli) -> None:
        answer = json.loads(cli("sql", "SELECT 1 AS x", "--db", "shop", "--json", "--explain").out)
        assert (answer["sql"], answer["table"]["rows"], answer["row_count"]) == ("SELECT 1 AS x", [[1]], 1)
        assert answer["plan"]

    def test_a_dry_run_plans_and_does_not_run(self, cli: Cli, workspace: Path, home: Path) -> None:
        done = cli("sql", "SELECT name AS dry FROM customers", "--db", "shop", "--dry-run")
        assert done.code == 0
        assert "Ada" not in done.out
        assert "SCAN" in done.out
        lines = [json.loads(line) for line in (home / "logs" / "sql.jsonl").read_text().splitlines()]
        assert {line["outcome"] for line in lines if "name AS dry" in line["sql"]} == {"explained"}
        assert cli("sql", "SELECT nope FROM customers", "--db", "shop", "--dry-run").code == 2

    def test_limit_cuts_and_says_so(self, cli: Cli) -> None:
        done = cli("sql", "SELECT id FROM customers", "--db", "shop", "--limit", "2", "--format", "csv")
        assert done.out == "id\n1\n2\n"
        assert "Cut by a limit (rows)" in done.err

    def test_big_results_come_whole_as_csv_and_json(self, cli: Cli) -> None:
        numbers = (
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1500) SELECT x, 'a' AS y FROM n"
        )
        rows = list(csv.reader(io.StringIO(cli("sql", numbers, "--db", "shop", "--format", "csv").out)))
        assert (len(rows), rows[-1]) == (1_501, ["1500", "a"])
        objects = json.loads(cli("sql", numbers, "--db", "shop", "--format", "json").out)
        assert (len(objects), objects[-1]) == (1_500, {"x": 1500, "y": "a"})
        truths = "SELECT x, x > 5 AS big FROM range(1500) AS t(x)"
        (Path.cwd() / "a.csv").write_text("x\n1\n")
        for limit in ("1500", "900"):
            told = cli("sql", truths, "--db", "files", "--format", "csv", "--limit", limit).out.splitlines()
            assert told[:2] == ["x,big", "0,false"]
            assert told[-1] == f"{int(limit) - 1},true"
        shown = cli("sql", numbers, "--db", "shop").out
        assert "1,500 rows" in shown
        assert "the first 100 shown; all: agentkit db export table:" in shown

    def test_a_server_that_dies_while_sending_leaves_no_half_of_a_table(self, cli: Cli) -> None:
        for form in ("table", "csv", "json", "markdown"):
            done = cli("sql", "SELECT x FROM t", "--db", "dying", "--format", form)
            assert (done.code, done.out) == (1, ""), done.err
            assert "went away" in done.err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["SELECT * FROM costumers", "--db", "shop"], "The nearest name is 'customers'"),
            (["DROP TABLE customers", "--db", "shop"], "DROP is not allowed"),
            (["SELECT 1; DELETE FROM customers", "--db", "shop"], "more than one statement"),
            (["SELECT 1", "--db", "shopp"], "The nearest name is 'shop'"),
            (["SELECT 1"], "there are several databases: name one of shop, dying"),
            (["SELECT 1", "--db", "shop", "--format", "xml"], "'xml' is not one of"),
            (["SELECT 1", "--db", "shop", "--limit", "0"], "--limit"),
            (["   ", "--db", "shop"], "the question is empty"),
            (["--db", "shop"], "there is no terminal to talk on"),
            (["SELECT 1", "--db", "shop", "--figure", "x.svg"], ".png"),
            (["SELECT 1", "--db", "shop", "--figure", "nowhere/x.png"], "there is no folder 'nowhere'"),
        ],
    )
    def test_what_is_wrong_is_said_with_code_2(self, cli: Cli, arguments: list[str], said: str) -> None:
        done = cli("sql", *arguments)
        assert (done.code, done.out) == (2, "")
        assert said in done.err

    def test_a_dash_reads_the_statement_from_stdin(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 7 AS seven\n"))
        assert cli("sql", "-", "--db", "shop", "--format", "csv").out == "seven\n7\n"

    def test_files_of_the_workspace_are_tables(self, cli: Cli, workspace: Path) -> None:
        (workspace / "people.csv").write_text("name,age\nAda,36\nBo,41\n")
        done = cli("sql", "SELECT max(age) AS oldest FROM people", "--db", "files", "--format", "csv")
        assert done.out == "oldest\n41\n"
        alone = cli("sql", "SELECT count(*) AS n FROM people", "--db", "people.csv", "--format", "csv")
        assert alone.out == "n\n2\n", alone.err

    def test_ctrl_c_ends_with_130_and_a_statement_that_takes_too_long_with_1(self, cli: Cli, workspace: Path) -> None:
        endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
        timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        done = cli("sql", endless, "--db", "shop")
        timer.cancel()
        assert (done.code, done.out) == (130, "")
        (workspace / "agentkit.toml").write_text('[databases.shop]\nurl = "sqlite:///shop.db"\nseconds = 0.3\n')
        slow = cli("sql", endless, "--db", "shop")
        assert (slow.code, slow.out) == (1, "")
        assert "took longer than 0.3 s" in slow.err

    def test_a_database_may_be_named_by_its_file(self, cli: Cli) -> None:
        assert cli("sql", "SELECT count(*) AS n FROM orders", "--db", "shop.db", "--format", "csv").out == "n\n4\n"


class TestQuestions:
    def test_words_are_answered_with_explanation_table_and_assumptions(
        self, cli: Cli, model_says: Callable[..., None]
    ) -> None:
        model_says("SELECT city, count(*) AS n FROM customers GROUP BY city")
        done = cli("sql", "How many customers per city?", "--db", "shop", "--show-sql", "--explain")
        assert done.code == 0, done.err
        assert "number of rows" in done.out.splitlines()[0]
        assert "GROUP BY" in done.out
        assert "Bern" in done.out
        assert "How: draft gave 3 rows" in done.out

    def test_how_it_came_about_is_told_where_the_first_draft_did_not_do(
        self, cli: Cli, model_says: Callable[..., None]
    ) -> None:
        model_says("SELECT nothing_like_it FROM customers", "SELECT count(*) AS n FROM customers")
        assert "How: draft 1 failed" in cli("sql", "How many customers?", "--db", "shop").out
        model_says("SELECT count(*) AS n FROM customers")
        assert "How:" not in cli("sql", "How many customers?", "--db", "shop").out

    def test_with_csv_what_is_said_goes_to_stderr(self, cli: Cli, model_says: Callable[..., None]) -> None:
        model_says("SELECT city, count(*) AS n FROM customers GROUP BY city ORDER BY city")
        done = cli("sql", "How many customers per city?", "--db", "shop", "--format", "csv", "--show-sql")
        assert done.out == "city,n\nBerlin,1\nBern,2\nParis,1\n"
        assert "GROUP BY" in done.err

    def test_a_dry_run_of_a_question_shows_checked_sql_and_runs_nothing(
        self, cli: Cli, model_says: Callable[..., None], home: Path
    ) -> None:
        model_says("SELECT name AS dryly FROM customers WHERE city = 'Bern'")
        done = cli("sql", "Who lives in Bern?", "--db", "shop", "--dry-run", "--json")
        answer = json.loads(done.out)
        assert answer["row_count"] == 0
        assert "dryly" in answer["sql"]
        assert answer["plan"]
        assert answer["steps"][-1] == "the statement was checked and planned, not run"
        ran = [json.loads(line) for line in (home / "logs" / "sql.jsonl").read_text().splitlines()]
        assert not [line for line in ran if "dryly" in line["sql"] and line["outcome"] == "done"]

    def test_a_draft_that_does_not_work_is_given_back_in_a_dry_run_too(
        self, cli: Cli, model_says: Callable[..., None]
    ) -> None:
        model_says("SELECT nothing_like_it FROM customers", "SELECT count(*) AS n FROM customers")
        answer = json.loads(cli("sql", "How many customers?", "--db", "shop", "--dry-run", "--json").out)
        assert "COUNT(*)" in answer["sql"]
        assert answer["steps"][0].startswith("draft 1 failed")

    def test_the_limit_holds_for_questions(self, cli: Cli, model_says: Callable[..., None]) -> None:
        model_says("SELECT name FROM customers ORDER BY name")
        done = cli("sql", "List all customers", "--db", "shop", "--limit", "2", "--format", "csv")
        assert done.out.splitlines() == ["name", "Ada", "Bob"]

    def test_today_is_the_day_that_was_said(self, cli: Cli, model_says: Callable[..., None]) -> None:
        model_says("SELECT count(*) AS n FROM orders WHERE ordered_at >= date('now', '-1 month')")
        done = cli("sql", "Orders of the last month?", "--db", "shop", "--today", "2024-03-10", "--json")
        answer = json.loads(done.out)
        assert answer["table"]["rows"] == [[3]]
        assert "today is 2024-03-10" in answer["assumptions"]
        assert cli("sql", "Orders of today?", "--db", "shop", "--today", "someday").code == 2

    def test_words_that_begin_with_select_are_a_question(self, cli: Cli, model_says: Callable[..., None]) -> None:
        model_says("SELECT name, credit FROM customers ORDER BY credit DESC LIMIT 1")
        done = cli("sql", "Select the customer with most credit", "--db", "shop", "--format", "csv")
        assert "Ada" in done.out
        assert "Select the customer with most credit" in prompts()[0]

    def test_without_the_embedded_model_the_command_that_fetches_it_is_told(
        self, cli: Cli, workspace: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AGENTKIT_CACHE", str(workspace / "cache"))
        done = cli("sql", "How many customers?", "--db", "shop", "--model", "local")
        assert (done.code, done.out) == (2, "")
        assert "agentkit models pull" in done.err


class TestFigures:
    BARS = "SELECT city, count(*) AS n FROM customers GROUP BY city"
    LINE = "SELECT strftime('%Y-%m', ordered_at) AS month, sum(total) AS total FROM orders GROUP BY 1"

    @pytest.mark.parametrize("statement", [BARS, LINE])
    def test_a_picture_is_written_where_one_suits(self, cli: Cli, workspace: Path, statement: str) -> None:
        done = cli("sql", statement, "--db", "shop", "--figure", "x.png", "--format", "csv")
        assert done.code == 0, done.err
        assert (workspace / "x.png").read_bytes().startswith(b"\x89PNG")
        assert "figure: x.png" in done.err

    def test_days_that_no_calendar_has_get_no_picture(self, cli: Cli, workspace: Path) -> None:
        strange = "SELECT x AS day, 1 AS n FROM (VALUES (DATE '2024-01-01'), (DATE '2024-01-02'), (NULL)) AS t(x)"
        (workspace / "a.csv").write_text("x\n1\n")
        done = cli("sql", strange, "--db", "files", "--figure", "x.png")
        assert done.code == 0, done.err
        assert (workspace / "x.png").exists()

    def test_no_picture_suits_one_number(self, cli: Cli, workspace: Path) -> None:
        done = cli("sql", "SELECT 1 AS x", "--db", "shop", "--figure", "x.png", "--format", "csv")
        assert (done.code, done.out) == (1, "x\n1\n")
        assert "no picture suits this answer" in done.err
        assert not (workspace / "x.png").exists()

    def test_a_file_that_is_there_stays_without_force(self, cli: Cli, workspace: Path) -> None:
        (workspace / "x.png").write_text("mine")
        done = cli("sql", self.BARS, "--db", "shop", "--figure", "x.png")
        assert (done.code, done.out) == (2, "")
        assert "--force" in done.err
        assert (workspace / "x.png").read_text() == "mine"
        assert cli("sql", self.BARS, "--db", "shop", "--figure", "x.png", "--force").code == 0
        assert (workspace / "x.png").read_bytes().startswith(b"\x89PNG")


def lines_of(monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException]) -> None:
    """A person at a terminal who types these, then Ctrl-D."""
    typed = iter(lines)

    def read(_prompt: str = "") -> str:
        said: Any = next(typed, EOFError)
        if isinstance(said, str):
            return said
        raise said

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", read)


class TestConversation:
    def test_a_question_goes_on_from_the_one_before(
        self, cli: Cli, model_says: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model_says(
            "SELECT sum(total) AS sum FROM orders", "SELECT status, sum(total) AS sum FROM orders GROUP BY status"
        )
        lines_of(monkeypatch, "What is the total of all orders?", "and by status?", "/sql")
        done = cli("sql", "--db", "shop")
        assert done.code == 0, done.err
        assert "245.5" in done.out
        assert "refunded" in done.out
        assert done.out.rstrip().endswith("status")
        assert "Question before: What is the total of all orders?" in prompts()[-1]
        assert "SUM(total)" in prompts()[-1]

    def test_a_new_question_does_not_carry_the_old_one(
        self, cli: Cli, model_says: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model_says("SELECT count(*) AS n FROM customers", "SELECT count(*) AS n FROM orders")
        lines_of(monkeypatch, "How many customers are there?", "How many orders are there?")
        assert cli("sql", "--db", "shop").code == 0
        assert "Question before" not in prompts()[-1]

    def test_new_forgets(self, cli: Cli, model_says: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
        model_says("SELECT count(*) AS n FROM customers", "SELECT count(*) AS n FROM orders")
        lines_of(monkeypatch, "How many customers are there?", "/new", "and orders?", "/new", "/sql")
        done = cli("sql", "--db", "shop")
        assert "Question before" not in prompts()[-1]
        assert "nothing was asked yet" in done.err

    def test_an_error_ends_the_question_and_not_the_session(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        lines_of(
            monkeypatch,
            "SELECT nope FROM orders",
            "/nope",
            "",
            KeyboardInterrupt,
            "SELECT 40 + 2 AS x",
            "/exit",
            "SELECT 5",
        )
        done = cli("sql", "--db", "shop")
        assert done.code == 0
        assert "nope" in done.err
        assert "there is no command '/nope'" in done.err
        assert "42" in done.out
        assert "5\n" not in done.out

    def test_tables_help_and_columns(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        lines_of(monkeypatch, "/tables", "/tables orders", "/tables ordrs", "/help")
        done = cli("sql", "--db", "shop")
        assert "order_items" in done.out
        assert "customers.id" in done.out
        assert "The nearest name is 'orders'" in done.err
        assert "/export FILE" in done.out

    def test_a_statement_may_have_several_lines(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        lines_of(monkeypatch, "SELECT 40 \\", "  + 2 AS x", "/sql")
        done = cli("sql", "--db", "shop")
        assert "42" in done.out
        assert done.out.endswith("SELECT 40\n  + 2 AS x\n\n")

    def test_an_answer_is_kept_and_exported(
        self, cli: Cli, model_says: Callable[..., None], monkeypatch: pytest.MonkeyPatch, workspace: Path
    ) -> None:
        model_says("SELECT name FROM customers WHERE city = 'Bern' ORDER BY name")
        export = "/export bern.csv"
        lines_of(
            monkeypatch, "Who lives in Bern?", "/keep", export, export, "SELECT 1 AS x", "/keep", "/keep What is one?"
        )
        done = cli("sql", "--db", "shop")
        assert (workspace / "bern.csv").read_text() == "name\nAda\nCy\n"
        assert "'bern.csv' is there already" in done.err
        assert "say which question it answers" in done.err
        kept = [json.loads(line) for line in (workspace / "shop.examples.jsonl").read_text().splitlines()]
        assert [k["question"] for k in kept] == ["Who lives in Bern?", "What is one?"]
        assert "city = 'Bern'" in kept[0]["sql"]

    def test_ctrl_c_stops_a_statement_and_the_next_one_runs(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
        lines_of(monkeypatch, endless, "SELECT 'after' AS x")
        timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        done = cli("sql", "--db", "shop")
        timer.cancel()
        assert done.code == 0
        assert "(stopped)" in done.err
        assert "after" in done.out
