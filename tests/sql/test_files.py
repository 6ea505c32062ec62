"""The workspace's data files as tables of the database `files`."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest
from agentkit_sql.engines.file_names import distinct, table_names, usable

from agentkit.calls import Services
from agentkit.databases import Database
from agentkit.errors import AgentkitError, BadInput, SqlFailed, SqlRefused
from agentkit.settings import load_settings
from agentkit.sqlguard.limits import Limits
from agentkit.stored_tables import keep, stored


def files() -> Database:
    return Services(load_settings()).databases.open()


def columns(database: Database) -> dict[str, list[tuple[str, str]]]:
    return {t.name: [(c.name, c.type) for c in t.columns] for t in database.schema().tables}


def test_csv_tsv_and_json_are_tables_with_types(workspace: Path) -> None:
    (workspace / "sales.csv").write_text("Order Date,Amount,select\n2024-01-01,1.5,1\n2024-01-02,NA,2\n")
    (workspace / "tabs.tsv").write_text("a\tb\n1\tx\n")
    (workspace / "lines.jsonl").write_text('{"a": 1, "b": {"c": "x"}}\n{"a": 2}\n')
    (workspace / "packed.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    database = files()
    assert columns(database) == {
        "lines": [("a", "bigint"), ("b_c", "varchar")],
        "packed": [("a", "bigint"), ("b", "bigint")],
        "sales": [("order_date", "date"), ("Amount", "double"), ("select_", "bigint")],
        "tabs": [("a", "bigint"), ("b", "varchar")],
    }
    assert database.run("SELECT sum(amount), count(*) FROM sales").all() == [(1.5, 2)]
    table = next(t for t in database.schema().tables if t.name == "sales")
    assert (table.comment, table.columns[0].comment, table.rows) == ("file sales.csv", "in the file: Order Date", 2)


def test_nested_json_is_flattened(workspace: Path) -> None:
    records = [
        {"id": 1, "user": {"name": "a", "geo": {"lat": 1.5}}, "tags": ["x", "y"]},
        {"id": 2, "user": {"name": "b"}},
    ]
    (workspace / "nested.json").write_text(json.dumps(records))
    (workspace / "wrapped.json").write_text(json.dumps({"data": [{"a": 1}, {"a": 2}]}))
    (workspace / "cols.json").write_text(json.dumps({"a": [1, 2], "b": ["x", "y"]}))
    database = files()
    assert database.run("SELECT id, user_name, user_geo_lat, len(tags) FROM nested ORDER BY id").all() == [
        (1, "a", 1.5, 2),
        (2, "b", None, None),
    ]
    assert database.run("SELECT sum(a) FROM wrapped").all() == [(3,)]
    assert database.run("SELECT a, b FROM cols ORDER BY a").all() == [(1, "x"), (2, "y")]


def test_parquet_and_excel(workspace: Path) -> None:
    import pandas as pd

    pd.DataFrame({"k": [1, 2]}).to_parquet(workspace / "p.parquet")
    with pd.ExcelWriter(workspace / "book.xlsx") as book:
        pd.DataFrame({"Some Col": [1, 2]}).to_excel(book, sheet_name="One", index=False)
        pd.DataFrame({"b": ["x"]}).to_excel(book, sheet_name="Two", index=False)
    database = files()
    assert columns(database) == {
        "book_One": [("some_col", "bigint")],
        "book_Two": [("b", "varchar")],
        "p": [("k", "bigint")],
    }
    assert database.run("SELECT sum(k) FROM p").all() == [(3,)]


@pytest.mark.parametrize(
    "name",
    [
        "we'ird [1] *.csv",
        "a;DROP TABLE x;.csv",
        'quo"te.csv',
        "--comment.csv",
        "ünï.csv",
        "a?b.csv",
        "new\nline.csv",
        "1.csv",
    ],
)
def test_names_of_files_are_hostile(workspace: Path, name: str) -> None:
    (workspace / name).write_text("a,b\n1,2\n")
    database = files()
    (table,) = database.schema().tables
    assert database.run(f"SELECT * FROM {table.name}").all() == [(1, 2)]


def test_names_of_columns_are_hostile(workspace: Path) -> None:
    (workspace / "t.csv").write_text('"a; DROP TABLE t","x""y","order","ü 1","1st"\n1,2,3,4,5\n')
    (table,) = files().schema().tables
    assert [c.name for c in table.columns] == ["a_drop_table_t", "x_y", "order_", "u_1", "_1st"]


def test_what_cannot_be_read_is_told_and_the_rest_works(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "broken.parquet").write_text("no")
    (workspace / "empty.csv").write_text("")
    (workspace / "good.csv").write_text("a\n1\n")
    assert files().run("SELECT a FROM good").all() == [(1,)]
    said = capsys.readouterr().err
    assert "'broken.parquet' is left out" in said
    assert "'empty.csv' is left out" in said


def test_a_file_that_changes_is_read_again(workspace: Path) -> None:
    (workspace / "a.csv").write_text("a\n1\n")
    database = files()
    assert database.run("SELECT sum(a) FROM a").all() == [(1,)]
    (workspace / "a.csv").write_text("a\n1\n22\n")
    assert database.run("SELECT sum(a) FROM a").all() == [(23,)]


def test_a_big_file_is_read_where_it_lies(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a view: no other file can be read through it."""
    monkeypatch.setattr("agentkit_sql.engines.file_tables.LOADED_BYTES", 10)
    (workspace / "big.csv").write_text("a,b\n" + "1,2\n" * 100)
    (workspace / "odd [1].csv").write_text("a,b\n" + "1,2\n" * 50)
    database = files()
    assert database.run("SELECT sum(a) FROM big").all() == [(100,)]
    assert database.run("SELECT sum(b) FROM odd_1").all() == [(100,)]
    engine = database._engine  # type: ignore[attr-defined]
    for path in ("/etc/passwd", str(workspace / "agentkit.toml")):
        with pytest.raises(SqlFailed, match="Permission"):
            engine.run(f"SELECT * FROM read_text('{path}')", Limits()).all()


def test_links_out_of_the_workspace_are_no_tables(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.csv"
    outside.write_text("a\n1\n")
    (workspace / "link.csv").symlink_to(outside)
    (workspace / "own.csv").write_text("a\n1\n")
    assert set(columns(files())) == {"own"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('own.csv')",
        "SELECT * FROM 'own.csv'",
        "COPY own TO 'x.csv'",
        "SELECT * FROM read_text('/etc/passwd')",
        "ATTACH 'x.db'",
        "INSTALL httpfs",
    ],
)
def test_nothing_but_the_tables_is_reached(workspace: Path, sql: str) -> None:
    (workspace / "own.csv").write_text("a\n1\n")
    database = files()
    with pytest.raises(SqlRefused):
        database.run(sql)
    with pytest.raises(AgentkitError):
        database._engine.run(sql, Limits()).all()  # type: ignore[attr-defined]
    assert sorted(p.name for p in workspace.iterdir()) == ["own.csv"]


def test_a_person_may_name_one_file(workspace: Path) -> None:
    (workspace / "one.csv").write_text("a\n1\n")
    (workspace / "two.csv").write_text("a\n2\n")
    databases = Services(load_settings()).databases
    assert databases.open("one.csv").run("SELECT a FROM one").all() == [(1,)]
    assert [t.name for t in databases.open("one.csv").schema().tables] == ["one"]
    with pytest.raises(BadInput, match="no database"):
        databases.open("two.csv", by_model=True)


def test_kept_examples_are_no_table(workspace: Path) -> None:
    (workspace / "shop.examples.jsonl").write_text('{"question": "how many?", "sql": "SELECT 1"}\n')
    (workspace / "people.csv").write_text("name\nAda\n")
    assert [t.name for t in files().schema().tables] == ["people"]


def test_lists_and_objects_of_a_stored_result_are_json(tmp_path: Path) -> None:
    handle, rows = keep(tmp_path, ["a", "b", "c"], [[[1, None], {"k": "é"}, None]])
    kept = list(csv.reader(stored(tmp_path, handle).read_text(encoding="utf-8").splitlines()))
    assert (rows, kept[1]) == (1, ["[1, null]", '{"k": "é"}', ""])


def test_names() -> None:
    assert usable("Order Date", (), "x") == "order_date"
    assert usable("OrderDate", (), "x") == "OrderDate"
    assert distinct(["a", "A", "a", ""]) == ["a", "A_2", "a_3", "column_4"]
    assert table_names(["a.csv", "x/a.csv", "y/x/a.csv", "a.json"], ()) == ["a", "x_a", "y_x_a", "a_json"]
