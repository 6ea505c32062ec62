"""Reading a statement: deep ones, long ones, odd ones; quickly, and never with a stack trace."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentkit.errors import SqlRefused
from agentkit.settings import DatabaseSettings
from agentkit.sqlguard import functions, nodes
from agentkit.sqlguard.policy import Policy
from agentkit.sqlguard.schema import Column, Dialect, Schema, TableInfo
from agentkit.sqlguard.statement import parsed, written
from agentkit.sqlguard.tables import Tables

DIALECTS: tuple[Dialect, ...] = ("postgres", "sqlite", "duckdb")
COLUMNS = tuple(Column(f"c{j}", "integer") for j in range(20))
FIFTY = Schema("postgres", tuple(TableInfo(f"t{i}", COLUMNS, "public") for i in range(50)))
DEEP = {
    "parentheses": "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    "not": "SELECT " + "NOT " * 20_000 + "true",
    "minus": "SELECT " + "- " * 3_000 + "1",
    "plus": "SELECT " + "+".join(["1"] * 20_000),
    "and": "SELECT 1 WHERE " + " AND ".join(["1=1"] * 10_000),
    "union": " UNION ALL ".join(["SELECT 1"] * 5_000),
    "case": "SELECT " + "CASE WHEN 1=1 THEN " * 500 + "1" + " END" * 500,
    "cast": "SELECT CAST(" * 500 + "1" + " AS int)" * 500,
    "from": "SELECT * FROM " + "(SELECT * FROM " * 500 + "t1" + ") x" * 500,
    "in": "SELECT 1 WHERE 1 IN (" + ",".join(map(str, range(15_000))) + ")",
    "joins": "SELECT 1 FROM t1 " + " ".join(f"JOIN t2 x{i} ON true" for i in range(1_000)),
    "with": "WITH " + ",".join(f"a{i} AS (SELECT 1)" for i in range(1_000)) + " SELECT 1",
    "brackets": "SELECT c1" + "[1]" * 3_000,
    "dots": "SELECT a" + ".b" * 3_000,
    "long": "SELECT '" + "x" * 200_000 + "'",
    "strings": "SELECT '" + "'" * 9_999,
    "comments": "SELECT " + "/*" * 9_999,
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", DEEP)
def test_what_is_deep_or_long_passes_or_is_refused(kind: str, dialect: Dialect) -> None:
    """With a clear word, in a short time."""
    tables = Tables(FIFTY, Policy("x", DatabaseSettings(url=""), FIFTY))
    start = time.process_time()
    try:
        written(tables.rewrite(parsed(DEEP[kind], dialect)), dialect)
    except SqlRefused as refused:
        assert len(str(refused)) < 700
        assert "recursion" not in str(refused).lower()
    assert time.process_time() - start < 15


@settings(max_examples=150, deadline=None)
@example("{}", "postgres")
@given(
    st.text(st.sampled_from("SELECT FROM t1 (),;'\"$eE\\/*-\n[]{}:@?%&|~!^<>=.xX01_`#"), max_size=60),
    st.sampled_from(DIALECTS),
)
def test_any_text_is_read_or_refused(text: str, dialect: Dialect) -> None:
    tables = Tables(FIFTY, Policy("x", DatabaseSettings(url=""), FIFTY))
    for sql in (text, f"SELECT {text}", f"SELECT c1 FROM t1 WHERE {text}"):
        try:
            told = written(tables.rewrite(parsed(sql, dialect)), dialect)
        except SqlRefused:
            continue
        assert parsed(told, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_runs_is_what_was_checked(dialect: Dialect) -> None:
    """The text is written anew: comments and odd ways to quote are gone."""
    told = written(parsed("select /* a */ 'it''s' -- b\n, \"x\" from T1 -- ; drop", dialect), dialect)
    assert told == "SELECT 'it''s', \"x\" FROM T1"


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT 1; SELECT 2", "one statement"),
        ("", "syntax"),
        ("-- nothing", "syntax"),
        ("DELETE FROM t1", "read only"),
        ("SELECT FROM WHERE", "syntax"),
        ("SELECT pg_sleep(1)", "functions"),
        ("SELECT public.upper('x')", "functions"),
        ("SELECT * FROM t1 FOR UPDATE", "locking"),
        ("SELECT * INTO x FROM t1", "writing"),
        ("SELECT 'x'::regclass", "types"),
        ("SELECT $1", "parameters"),
        ("SELECT * FROM pg_class", "catalogues"),
        ("SELECT * FROM t99", "tables"),
        ("SELECT ctid FROM t1", "columns"),
        ("SELECT 1_000", "syntax"),
        ("SELECT '\ud800'", "syntax"),
        ("WITH " + ", ".join(f"a{i} AS (SELECT 1)" for i in range(51)) + " SELECT 1", "size"),
        ("SELECT " + ", ".join(["1"] * 2_001), "size"),
        ("SELECT format('%99999s', 1)", "size"),
    ],
)
def test_every_rule_has_a_name(sql: str, rule: str) -> None:
    tables = Tables(FIFTY, Policy("x", DatabaseSettings(url=""), FIFTY))
    with pytest.raises(SqlRefused) as refused:
        tables.rewrite(parsed(sql, "postgres"))
    assert refused.value.rule == rule


def test_a_function_that_is_not_known_has_a_neighbour() -> None:
    with pytest.raises(SqlRefused, match="nearest name is 'date_trunc'"):
        parsed("SELECT date_trunk('month', c1) FROM t1", "postgres")


def test_the_lists_name_what_the_parser_has() -> None:
    from sqlglot import exp

    assert [n for n in (*nodes.NODES, *nodes.TOLD, *functions.CLASSES) if not hasattr(exp, n)] == []


DANGEROUS = """
pg_sleep set_config pg_read_file pg_read_binary_file pg_ls_dir lo_import lo_export lo_create lo_get lo_put dblink
nextval setval pg_terminate_backend pg_cancel_backend pg_advisory_lock query_to_xml table_to_xml current_setting version
pg_notify pg_stat_file pg_logical_emit_message txid_current pg_reload_conf load_extension readfile writefile
fts3_tokenizer sqlite_version read_csv read_csv_auto read_text read_blob read_json read_parquet parquet_scan
glob_files getenv query
query_table duckdb_settings pragma_version sniff_csv sql_auto_complete write_log json_execute_serialized_sql
currval lastval setseed ts_stat cursor_to_xml has_table_privilege pg_get_functiondef inet_server_addr getvariable
list_resize bar array_fill
""".split()  # noqa: SIM905


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_dangerous_function_is_on_a_list(dialect: Dialect) -> None:
    assert [name for name in DANGEROUS if name in functions.OF[dialect]] == []


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("INTERVAL '1 day 02:03:04'", "CAST('1 day 02:03:04' AS INTERVAL)"),
        ("INTERVAL '1 day ago'", "CAST('1 day ago' AS INTERVAL)"),
        ("INTERVAL '1 year 2-3'", "CAST('1 year 2-3' AS INTERVAL)"),
        ("INTERVAL '1.5' DAY", "CAST('1.5' AS INTERVAL DAY)"),
        ("INTERVAL '1' DAY", "INTERVAL '1 DAY'"),
    ],
)
def test_no_part_of_an_interval_is_lost(text: str, want: str) -> None:
    assert written(parsed(f"SELECT {text}", "postgres"), "postgres") == f"SELECT {want}"
    if "." not in text and "' " not in text:
        assert written(parsed(f"SELECT {text}", "duckdb"), "duckdb") == f"SELECT {want}"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST('t1' AS pg_catalog.regclass)",
        "SELECT x::pg_catalog.regclass::text FROM generate_series(1, 9) x",
        'SELECT x::"pg_catalog"."regclass"::text FROM generate_series(1, 9) x',
        "SELECT 10::pg_catalog.regrole",
        "SELECT 'x'::regcollation",
        "SELECT CAST(NULL AS information_schema.tables)",
        "SELECT CAST(NULL AS other.thing)",
        "SELECT NULL::pg_catalog.regclass[]",
    ],
)
def test_types_that_look_into_the_catalogues_are_refused(sql: str) -> None:
    with pytest.raises(SqlRefused) as refused:
        Tables(FIFTY, Policy("x", DatabaseSettings(url=""), FIFTY)).rewrite(parsed(sql, "postgres"))
    assert refused.value.rule == "types"


def test_a_type_with_a_schema_may_be_that_of_a_column() -> None:
    schema = Schema("postgres", (TableInfo("t", (Column("mood", "moods.mood"),), "public"),))
    tables = Tables(schema, Policy("x", DatabaseSettings(url=""), schema))
    assert "moods.mood" in written(tables.rewrite(parsed("SELECT 'sad'::moods.mood", "postgres")), "postgres")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "opening",
    ["date(", "int(", "text(", "time[", "row(", '"int"(', "timestamp with time zone (", "date(x, int[", "int(("],
)
def test_reading_takes_no_exponential_time(dialect: Dialect, opening: str) -> None:
    """Each level is as long as the ones before it together: 14 would take seconds, 30 forever."""
    closing = opening.translate(str.maketrans("([", ")]"))
    end = "".join(letter for letter in reversed(closing) if letter in ")]")
    start = time.process_time()
    for levels in (4, 9, 14):
        with contextlib.suppress(SqlRefused):
            parsed("SELECT " + opening * levels + "1" + end * levels, dialect)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("sql", ["", "--", " ; ", "/* nothing */"])
def test_an_empty_statement_is_told_as_such(sql: str) -> None:
    with pytest.raises(SqlRefused, match="there is no statement"):
        parsed(sql, "sqlite")
