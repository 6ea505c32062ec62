"""Databases by name, URL or file; the hook; what is noted of each statement."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentkit import Agent, DatabaseSpec, hookimpl
from agentkit.calls import CallContext, Services, call_directly
from agentkit.databases import Opening
from agentkit.errors import AgentkitError, BadInput, SqlRefused, SqlTimeout
from agentkit.settings import load_settings
from agentkit.sqlguard.limits import Limits
from agentkit.sqlguard.rows import ResultColumn, Rows
from agentkit.sqlguard.schema import Column, Dialect, Schema, TableInfo
from agentkit.testing import ScriptedChatModel, call

SEEN: list[str] = []
"""What the engine of the tests was given."""


@dataclass(frozen=True)
class Pond:
    """An engine of somebody else's: a table with one row."""

    dialect: Dialect = "sqlite"

    def schema(self) -> Schema:
        return Schema("sqlite", (TableInfo("fish", (Column("name", "text"),)),))

    def run(self, sql: str, limits: Limits) -> Rows:
        SEEN.append(sql)
        return Rows((ResultColumn("name", "text"),), iter([("carp",)]), limits)

    def explain(self, sql: str, limits: Limits) -> str:
        return "look"

    def close(self) -> None:
        """Nothing is open."""


def open_pond(opening: Opening) -> Pond:
    return Pond()


class Ponds:
    """A plugin with a kind of database."""

    @hookimpl
    def register_databases(self) -> list[DatabaseSpec]:
        return [DatabaseSpec("pond", f"{__name__}:open_pond", ("pond",), "Fish")]


@pytest.fixture
def services(workspace: Path) -> Services:
    with sqlite3.connect(workspace / "shop.db") as connection:
        connection.execute("CREATE TABLE sales (region text, amount real)")
        connection.execute("INSERT INTO sales VALUES ('EU', 1.5), ('US', 2.5)")
    connection.close()
    (workspace / "agentkit.toml").write_text(
        '[databases]\nshop = "sqlite:///shop.db"\n[databases.small]\nurl = "sqlite:///shop.db"\nrows = 1\n'
    )
    return Services(load_settings())


def test_hook_register_databases(workspace: Path) -> None:
    """A plugin's engine gets only what passed the guard."""
    SEEN.clear()
    (workspace / "agentkit.toml").write_text('[databases]\npond = "pond://here"\n')
    model = ScriptedChatModel(script=[call("run_sql", sql="select NAME from fish -- all"), "A carp."])
    with Agent(model, plugins=[Ponds()]) as agent:
        reply = agent.ask("Which fish?")
        assert "carp" in reply.tool_calls[0].result
        with pytest.raises(SqlRefused):
            agent.call("run_sql", sql="DELETE FROM fish")
    assert SEEN == ['SELECT NAME FROM "main"."fish"']


def test_a_model_names_configured_databases_only(services: Services) -> None:
    by_model, by_person = CallContext(services, by_model=True).databases, CallContext(services).databases
    assert by_model.names() == ["shop", "small", "files"]
    for name in ("shop.db", "sqlite:///shop.db", "postgresql://u:p@h/d"):
        with pytest.raises(BadInput, match="there is no database"):
            by_model.open(name)
    for name in ("shop", "shop.db", "sqlite:///shop.db"):
        assert by_person.open(name).run("SELECT count(*) FROM sales").all() == [(2,)]
    with pytest.raises(BadInput):
        by_model.open("shop.db")


@pytest.mark.parametrize("name", ["shop_database", "the shop database", "Shop", " shop ", "shop_db", "shopp"])
def test_a_model_that_nearly_names_a_database_means_it(services: Services, name: str) -> None:
    databases = CallContext(services, by_model=True).databases
    assert databases.open(name).name == "shop"
    assert databases.limits(name) == databases.limits("shop")


def test_of_several_one_must_be_named(services: Services) -> None:
    with pytest.raises(BadInput, match="shop, small"):
        services.databases.open()
    with pytest.raises(BadInput, match="nearest name is 'shop'"):
        services.databases.open("shopp")


def test_rows_of_a_database_are_limited_by_its_settings(services: Services) -> None:
    answer: Any = call_directly("run_sql", {"sql": "SELECT * FROM sales", "database": "small"}, services)
    assert (answer.row_count, answer.truncated, answer.cut) == (1, True, ["rows"])
    answer = call_directly("run_sql", {"sql": "SELECT * FROM sales", "database": "shop", "limit": 1}, services)
    assert (answer.row_count, answer.truncated) == (1, True)


def test_variables_of_the_environment_in_a_url(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "p@ss/word1")
    databases = {"pond": "pond://u:${SHOP_PASSWORD}@h", "none": "pond://${NOT_SET}"}
    services = Services(load_settings(databases=databases), plugins=[Ponds()])
    assert services.databases.open("pond").run("SELECT name FROM fish").all() == [("carp",)]
    with pytest.raises(BadInput, match="NOT_SET"):
        services.databases.open("none")
    with pytest.raises(BadInput, match="no plugin opens 'mysql'"):
        services.databases.open("mysql://h/d")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://bob:hunter2/pw@127.0.0.1:1/db", "'postgresql://127.0.0.1:1/db'"),
        ("postgresql://bob:hunter2 pw@127.0.0.1:1/db", "'postgresql://127.0.0.1:1/db'"),
        ("postgresql://bob:hun?ter2hunter2@127.0.0.1:1/db", "(a URL)"),
        ("postgresql://bob@127.0.0.1:1/db?sslpassword=hunter2pw", "'postgresql://127.0.0.1:1/db'"),
        ("postgresql://bob@127.0.0.1:1/db?options=-c%20a=hunter2", "'postgresql://127.0.0.1:1/db'"),
        ("postgresql://bob@127.0.0.1:1/db?password=a@hunter2", "(a URL)"),
        ("postgresql://bob:hunter2", "(a URL)"),
        ("mysql://bob:hunter2@host/db", "'mysql://host/db'"),
        ("sqlite:///none.db?key=hunter2", "'sqlite:///none.db'"),
        ("bob:hunter2pw@host/db", "(a URL)"),
        ("host=127.0.0.1 port=1 password='hunter2 pw'", "(a URL)"),
    ],
)
def test_a_url_tells_nothing_of_its_password(services: Services, url: str, name: str) -> None:
    """Neither in messages nor in the database's name nor in the audit."""
    with pytest.raises(AgentkitError) as told:
        database = services.databases.open(url)
        assert "hunter2" not in database.name
        database.run("SELECT 1")
    assert name in str(told.value)
    log = services.settings.home / "logs" / "sql.jsonl"
    assert "hunter2" not in f"{told.value}{log.read_text() if log.exists() else ''}"


def test_every_statement_leaves_a_line(services: Services) -> None:
    database = services.databases.open("shop")
    log = services.settings.home / "logs" / "sql.jsonl"
    log.unlink(missing_ok=True)
    database.run("SELECT region FROM sales WHERE region <> 'postgresql://u:hunter22@h/d'").all()
    iter(database.run("SELECT region FROM sales")).__next__()
    endless = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
    for sql, error in (("DROP TABLE sales", SqlRefused), ("SELECT x FROM sales", AgentkitError), (endless, SqlTimeout)):
        with pytest.raises(error):
            database.run(sql, Limits(seconds=0.2))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["done", "closed", "refused", "failed", "timeout"]
    assert (lines[0]["rows"], lines[0]["database"], lines[2]["rule"]) == (2, "shop", "read only")
    assert "hunter22" not in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_the_answer_is_short_and_plain(services: Services) -> None:
    answer: Any = call_directly(
        "run_sql", {"sql": "SELECT sum(amount) AS total FROM sales;", "database": "shop"}, services
    )
    assert answer.brief() == "total: 4\nSQL: SELECT sum(amount) AS total FROM sales"
    assert (answer.table.columns, answer.table.rows, answer.types) == (["total"], [[4.0]], ["real"])
    assert json.loads(answer.model_dump_json())["sql"] == "SELECT sum(amount) AS total FROM sales"
