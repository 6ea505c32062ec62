"""Wrong statements that can be meant in one way: repaired, told, and then the database runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from agentkit_sql.binder import bind

from agentkit.settings import load_settings
from agentkit.sqlguard.schema import Column, Dialect, Schema, TableInfo
from agentkit.storage import Storage
from tests.sql.shop import ROWS, TABLES, shop

Run = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def run(home: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run a statement on the shop in Postgres."""
    settings = load_settings(tmp_path_factory.mktemp("shop"), home=str(home))
    with Storage(settings) as storage, psycopg.connect(storage.url) as postgres:
        postgres.execute("CREATE SCHEMA shop_bound; SET search_path TO shop_bound;" + TABLES + ROWS)

        def execute(sql: str) -> list[tuple[Any, ...]]:
            with postgres.transaction():
                return postgres.execute(sql).fetchall()

        yield execute
        postgres.rollback()


NAMES = {
    "wrong alias": (
        "SELECT o.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = 1",
        "SELECT c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = 1",
    ),
    "the table's name although it has an alias": (
        "SELECT customers.name FROM customers AS c WHERE customers.id = 1",
        "SELECT c.name FROM customers AS c WHERE c.id = 1",
    ),
    "wrong alias in a subquery that sees the outer tables": (
        "SELECT c.name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = o.credit)",
        "SELECT c.name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.credit)",
    ),
    "key of the table under its long name": (
        "SELECT count(DISTINCT customer_id) FROM customers",
        "SELECT count(DISTINCT id) FROM customers",
    ),
    "key of the table under its short name": (
        "SELECT p.id FROM products p",
        "SELECT p.product_id FROM products p",
    ),
    "ambiguous": (
        (
            "SELECT product_id, sum(quantity) FROM products JOIN order_items ON "
            "order_items.product_id = products.product_id GROUP BY product_id ORDER BY 1"
        ),
        (
            "SELECT products.product_id, sum(quantity) FROM products JOIN order_items ON "
            "order_items.product_id = products.product_id GROUP BY products.product_id ORDER BY 1"
        ),
    ),
    "table missing from FROM": (
        "SELECT customers.name, orders.total FROM orders ORDER BY 2",
        "SELECT c.name, o.total FROM orders o JOIN customers c ON o.customer_id = c.id ORDER BY 2",
    ),
    "table missing over a bridge": (
        "SELECT o.id FROM orders o WHERE title = 'Lamp'",
        (
            "SELECT o.id FROM orders o JOIN order_items i ON i.order_id = o.id JOIN products p "
            "ON p.product_id = i.product_id WHERE p.title = 'Lamp'"
        ),
    ),
    "join on columns that are not there": (
        "SELECT c.name FROM customers c JOIN orders o ON c.customer_id = o.customer_id WHERE o.total > 100",
        "SELECT c.name FROM customers c JOIN orders o ON c.id = o.customer_id WHERE o.total > 100",
    ),
    "join of tables that only a third one joins": (
        (
            "SELECT c.name, p.title FROM customers c JOIN order_items i ON i.customer_id = c.id JOIN products p "
            "ON p.product_id = i.product_id WHERE p.title = 'Lamp'"
        ),
        "SELECT 'Ada', 'Lamp'",
    ),
    "join of tables whose third one is read later": (
        "SELECT o.id, p.title FROM orders o JOIN products p ON o.product_id = p.product_id ORDER BY 1, 2 LIMIT 1",
        "SELECT 1, 'Desk'",
    ),
    "join of tables whose third one is joined after them": (
        (
            "SELECT o.id, p.title FROM orders o JOIN products p ON o.product_id = p.product_id "
            "JOIN order_items i ON p.product_id = i.product_id ORDER BY 1, 2 LIMIT 1"
        ),
        "SELECT 1, 'Desk'",
    ),
    "misspelt table": ("SELECT count(*) FROM custmers", "SELECT count(*) FROM customers"),
    "singular table": ("SELECT category.label FROM category ORDER BY 1", "SELECT label FROM categories ORDER BY 1"),
    "misspelt column": ("SELECT ordered_on FROM orders WHERE id = 1", "SELECT ordered_at FROM orders WHERE id = 1"),
    "another table has all of the columns": (
        "SELECT full_name, salary FROM customers ORDER BY 1",
        "SELECT full_name, salary FROM employees ORDER BY 1",
    ),
    "names that need quotes": (
        'SELECT Id, Größe FROM "Odd Names" WHERE "two words" = 2',
        'SELECT "Id", "Größe" FROM "Odd Names"',
    ),
    "a table's name that needs quotes": (
        'SELECT "odd names".id FROM "odd names"',
        'SELECT "Id" FROM "Odd Names"',
    ),
    "quotes with the wrong letters": ('SELECT "Name" FROM "Customers" WHERE "ID" = 1', "SELECT 'Ada'"),
    "text in the quotes of names": (
        'SELECT id FROM customers WHERE name = "Ada"',
        "SELECT id FROM customers WHERE name = 'Ada'",
    ),
    "table that is not there and not used": (
        "SELECT o.id FROM orders o JOIN invoices i ON i.order_id = o.id ORDER BY o.id",
        "SELECT o.id FROM orders o ORDER BY o.id",
    ),
    "schema that is not there": ("SELECT count(*) FROM shop.orders", "SELECT count(*) FROM orders"),
}
SHAPE = {
    "condition on a rank": (
        (
            "SELECT name, rank() OVER (ORDER BY credit DESC) AS place FROM customers WHERE credit >= 0 AND place <= 2 "
            "ORDER BY place"
        ),
        "VALUES ('Ada', 1), ('Di', 2)",
    ),
    "mean of counts": (
        "SELECT avg(count(*)) AS mean FROM orders GROUP BY customer_id",
        "SELECT avg(n) FROM (SELECT count(*) AS n FROM orders GROUP BY customer_id) AS t",
    ),
    "alias of an aggregate in WHERE": (
        "SELECT city, count(*) AS n FROM customers WHERE n > 1 AND active GROUP BY city",
        "SELECT city, count(*) AS n FROM customers WHERE active GROUP BY city HAVING count(*) > 1",
    ),
    "rows are not ordered where there is one": (
        "SELECT count(*) FROM orders ORDER BY ordered_at",
        "SELECT count(*) FROM orders",
    ),
    "grouping is not complete": (
        "SELECT status, rating, count(*) FROM orders GROUP BY status ORDER BY 1, 2",
        "SELECT status, rating, count(*) FROM orders GROUP BY status, rating ORDER BY 1, 2",
    ),
    "no grouping": (
        "SELECT status, count(*) FROM orders ORDER BY 1",
        "SELECT status, count(*) FROM orders GROUP BY status ORDER BY 1",
    ),
    "ordered by what is not grouped": (
        "SELECT city, count(*) FROM customers GROUP BY city ORDER BY country, city",
        "SELECT city, count(*) FROM customers GROUP BY city, country ORDER BY country, city",
    ),
    "alias in HAVING": (
        "SELECT city, count(*) AS n FROM customers GROUP BY city HAVING n > 1",
        "SELECT city, count(*) AS n FROM customers GROUP BY city HAVING count(*) > 1",
    ),
    "alias within ORDER BY": (
        "SELECT status, sum(total) AS s, count(*) AS n FROM orders GROUP BY status ORDER BY s / n DESC",
        "SELECT status, sum(total) AS s, count(*) AS n FROM orders GROUP BY status ORDER BY sum(total) / count(*) DESC",
    ),
    "alias in WHERE": (
        "SELECT title, price * stock AS worth FROM products WHERE worth > 100 ORDER BY 1",
        "SELECT title, price * stock AS worth FROM products WHERE price * stock > 100 ORDER BY 1",
    ),
    "aggregate in WHERE": (
        "SELECT city FROM customers WHERE count(*) > 1 AND active GROUP BY city",
        "SELECT city FROM customers WHERE active GROUP BY city HAVING count(*) > 1",
    ),
    "distinct rows ordered by another column": (
        "SELECT DISTINCT status FROM orders ORDER BY ordered_at DESC",
        "SELECT status FROM orders GROUP BY status ORDER BY max(ordered_at) DESC",
    ),
}
KINDS = {
    "number against a truth": ("SELECT count(*) FROM orders WHERE rating = true", "SELECT 1"),
    "number as a condition": ("SELECT count(*) FROM products WHERE stock AND price > 1", "SELECT 2"),
    "number as a condition of CASE": (
        "SELECT sum(CASE WHEN stock THEN 1 ELSE 0 END) FROM products",
        "SELECT 2",
    ),
    "day against a month": (
        "SELECT id FROM orders WHERE ordered_at = '2024-02' ORDER BY id",
        "SELECT id FROM orders WHERE id IN (2, 3) ORDER BY id",
    ),
    "day against a year": ("SELECT count(*) FROM customers WHERE joined >= '2024'", "SELECT 1"),
    "seconds of a difference of dates": (
        "SELECT EXTRACT(EPOCH FROM DATE '2023-01-07' - joined) FROM customers WHERE id = 1",
        "SELECT 172800",
    ),
    "truth against a number": (
        "SELECT name FROM customers WHERE active = 0",
        "SELECT name FROM customers WHERE active = false",
    ),
    "sum of truths": ("SELECT sum(active) FROM customers", "SELECT count(*) FILTER (WHERE active) FROM customers"),
    "mean of truths": ("SELECT avg(active) FROM customers", "SELECT 0.75"),
    "pattern on a number": (
        "SELECT id FROM orders WHERE total ILIKE '30%'",
        "SELECT id FROM orders WHERE total::text ILIKE '30%'",
    ),
    "text against a number": (
        "SELECT id FROM orders WHERE status = 5",
        "SELECT id FROM orders WHERE status = '5'",
    ),
    "dates stored as text": (
        "SELECT id FROM orders WHERE shipped > CURRENT_DATE - INTERVAL '100 years' ORDER BY 1",
        "SELECT id FROM orders WHERE shipped::date > CURRENT_DATE - INTERVAL '100 years' ORDER BY 1",
    ),
    "part of a date stored as text": (
        "SELECT EXTRACT(MONTH FROM shipped) FROM orders WHERE id = 1",
        "SELECT EXTRACT(MONTH FROM shipped::date) FROM orders WHERE id = 1",
    ),
    "month of a date stored as text": (
        "SELECT DATE_TRUNC('month', shipped) FROM orders WHERE id = 1",
        "SELECT DATE_TRUNC('month', shipped::timestamp) FROM orders WHERE id = 1",
    ),
    "rounding a float": (
        "SELECT ROUND(price, 1) FROM products WHERE product_id = 1",
        "SELECT ROUND(price::numeric, 1) FROM products WHERE product_id = 1",
    ),
    "days of a difference of dates": (
        "SELECT EXTRACT(DAY FROM DATE '2024-03-01' - joined) FROM customers WHERE id = 1",
        "SELECT DATE '2024-03-01' - joined FROM customers WHERE id = 1",
    ),
}
DIALECTS = {
    "mysql's dates": (
        "SELECT DATE_FORMAT(ordered_at, '%Y-%m') AS m, COUNT(*) FROM orders GROUP BY m ORDER BY m",
        "SELECT to_char(ordered_at, 'YYYY-MM') AS m, COUNT(*) FROM orders GROUP BY m ORDER BY m",
    ),
    "mysql's quotes": ("SELECT `name` FROM `customers` WHERE `id` = 1", "SELECT name FROM customers WHERE id = 1"),
    "mysql's parts of a date": (
        "SELECT YEAR(ordered_at), MONTH(ordered_at), QUARTER(ordered_at) FROM orders WHERE id = 1",
        "SELECT 2024, 1, 1",
    ),
    "mysql's difference of dates": (
        "SELECT DATEDIFF('2024-01-20', ordered_at) FROM orders WHERE id = 1",
        "SELECT 10",
    ),
    "mysql's IFNULL and IF": (
        "SELECT IFNULL(rating, 0), IF(total > 50, 'big', 'small') FROM orders WHERE id = 2",
        "SELECT 0, 'small'",
    ),
    "mysql's joined texts": (
        "SELECT GROUP_CONCAT(name) FROM customers WHERE city = 'Paris'",
        "SELECT 'Di'",
    ),
    "mysql's today": (
        "SELECT count(*) FROM orders WHERE ordered_at < DATE_SUB(CURDATE(), INTERVAL 1 MONTH)",
        "SELECT 4",
    ),
    "mysql's months between": (
        "SELECT TIMESTAMPDIFF(MONTH, joined, '2023-04-06') FROM customers WHERE id = 1",
        "SELECT 3",
    ),
    "sqlite's month": (
        "SELECT strftime('%Y-%m', ordered_at) FROM orders WHERE id = 1",
        "SELECT '2024-01'",
    ),
    "sqlite's days": (
        "SELECT julianday('2024-01-20') - julianday(joined) FROM customers WHERE id = 1",
        "SELECT DATE '2024-01-20' - joined FROM customers WHERE id = 1",
    ),
    "sqlite's months ago": (
        "SELECT count(*) FROM orders WHERE ordered_at < DATE('now', '-1 month')",
        "SELECT 4",
    ),
    "sql server's rows": ("SELECT TOP 1 name FROM customers ORDER BY name", "SELECT 'Ada'"),
    "sql server's days": (
        "SELECT DATEDIFF(day, joined, '2023-01-09') FROM customers WHERE id = 1",
        "SELECT 4",
    ),
    "sql server's now": ("SELECT count(*) FROM orders WHERE ordered_at < GETDATE()", "SELECT 4"),
    "an open bracket": ("SELECT max(total FROM orders", "SELECT max(total) FROM orders"),
    "a bracket of another language": ("SELECT count(*) FROM orders WHERE id = 1}", "SELECT 1"),
    "a condition that was cut": (
        "SELECT count(*) FROM orders WHERE id < 3 AND status = 'pa",
        "SELECT 2",
    ),
    "a bracket at the end": ("SELECT count(*) FROM orders WHERE (id = 1", "SELECT 1"),
}


@pytest.mark.parametrize(("wrong", "right"), NAMES.values(), ids=NAMES)
def test_names_are_repaired(wrong: str, right: str, run: Run) -> None:
    check(wrong, right, run)


@pytest.mark.parametrize(("wrong", "right"), SHAPE.values(), ids=SHAPE)
def test_grouping_and_order_are_repaired(wrong: str, right: str, run: Run) -> None:
    check(wrong, right, run)


@pytest.mark.parametrize(("wrong", "right"), KINDS.values(), ids=KINDS)
def test_kinds_of_values_are_repaired(wrong: str, right: str, run: Run) -> None:
    check(wrong, right, run)


@pytest.mark.parametrize(("wrong", "right"), DIALECTS.values(), ids=DIALECTS)
def test_other_dialects_are_translated(wrong: str, right: str, run: Run) -> None:
    check(wrong, right, run)


def check(wrong: str, right: str, run: Run) -> None:
    """The wrong one does not run; bound, it gives the rows of the right one, and says what was done."""
    with pytest.raises(psycopg.Error):
        run(wrong)
    bound = bind(wrong, shop())
    assert plain(run(bound.sql)) == plain(run(right)), bound
    assert bound.repairs
    assert not bound.problems


def plain(rows: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    """Rows as texts, numbers to six digits whatever their type."""
    return [tuple(f"{float(v):.6g}" if isinstance(v, (int, float, Decimal)) else str(v) for v in row) for row in rows]


class TestFigures:
    """Statements that run and are wrong."""

    def test_whole_numbers_are_divided_with_decimals(self, run: Run) -> None:
        bound = bind("SELECT count(*) / (SELECT count(*) FROM customers) FROM orders WHERE status = 'paid'", shop())
        assert run(bound.sql) == [(0.5,)]
        assert bound.repairs == ("whole numbers are divided with decimals",)

    def test_a_share_in_percent_has_decimals(self, run: Run) -> None:
        sql = "SELECT sum(CASE WHEN status = 'paid' THEN 1 ELSE 0 END) * 100 / count(*) FROM orders WHERE id < 4"
        assert round(run(bind(sql, shop()).sql)[0][0], 2) == 66.67

    def test_buckets_of_a_column_stay_whole(self) -> None:
        sql = "SELECT salary / 1000 * 1000 AS bucket, count(*) FROM employees GROUP BY 1"
        assert bind(sql, shop()).sql == sql

    def test_a_stated_today_stands_for_the_current_date(self, run: Run) -> None:
        sql = "SELECT id FROM orders WHERE ordered_at >= CURRENT_DATE - INTERVAL '1 month' ORDER BY id"
        bound = bind(sql, shop(), today=date(2024, 3, 5))
        assert run(bound.sql) == [(2,), (3,), (4,)]
        assert bound.repairs == ("today is 2024-03-05",)

    def test_a_light_binding_leaves_names_alone(self) -> None:
        bound = bind("SELECT nme, count(*) / count(id) FROM customers", shop(), light=True)
        assert "nme" in bound.sql
        assert bound.repairs == ("whole numbers are divided with decimals",)


class TestWhatHasSeveralWays:
    """A guess would be silent harm: it is told instead."""

    def test_a_column_that_is_nowhere_is_a_problem(self) -> None:
        bound = bind("SELECT turnover FROM customers", shop())
        assert bound.sql == "SELECT turnover FROM customers"
        assert "turnover" in bound.problems[0]

    def test_a_table_that_is_nowhere_stays(self) -> None:
        assert bind("SELECT * FROM invoices", shop()).sql == "SELECT * FROM invoices"

    def test_a_join_with_two_ways_is_not_chosen(self) -> None:
        flights = TableInfo(
            "flights", (Column("id", "integer"), Column("from_airport", "text"), Column("to_airport", "text"))
        )
        airports = TableInfo("airports", (Column("airport_code", "text"), Column("city", "text")))
        schema = Schema("postgres", (flights, airports))
        sql = "SELECT flights.id FROM flights WHERE airports.city = 'Bern'"
        bound = bind(sql, schema)
        assert bound.sql == sql
        assert bound.problems

    def test_two_near_names_are_not_guessed_between(self) -> None:
        table = TableInfo("t", (Column("price_eur", "integer"), Column("price_usd", "integer")))
        bound = bind("SELECT price_gbp FROM t", Schema("postgres", (table,)))
        assert bound.sql == "SELECT price_gbp FROM t"

    def test_what_cannot_be_parsed_comes_back_with_the_parsers_words(self) -> None:
        bound = bind("SELEC name FORM customers WHERE", shop())
        assert bound.sql == "SELEC name FORM customers WHERE"
        assert bound.problems

    def test_two_statements_are_not_made_one(self) -> None:
        assert "2 statements" in bind("SELECT 1; SELECT 2", shop()).problems[0]


def test_a_table_of_another_schema_gets_its_name() -> None:
    orders = replace(shop().tables[2], schema="sales")
    bound = bind("SELECT orders.total FROM orders", Schema("postgres", (orders,)))
    assert bound.sql in {"SELECT orders.total FROM sales.orders", "SELECT orders.total FROM sales.orders AS orders"}


def test_numbers_that_are_stored_as_text_are_compared_and_added_as_numbers() -> None:
    schema = Schema("postgres", (TableInfo("y", (Column("amount", "text"),)),))
    assert bind("SELECT SUM(amount) FROM y", schema).sql == "SELECT SUM(CAST(amount AS DECIMAL)) FROM y"
    above = bind("SELECT 1 FROM y WHERE amount > 5", schema).sql
    assert above == "SELECT 1 FROM y WHERE CAST(amount AS DECIMAL) > 5"


@pytest.mark.parametrize(
    ("sql", "right"),
    [
        ("SELECT EXTRACT(YEAR FROM y.year) FROM y", "SELECT y.year FROM y"),
        ("SELECT DATE_TRUNC('day', y.weekday) FROM y", "SELECT y.weekday FROM y"),
    ],
)
def test_a_column_that_is_a_part_of_a_date_is_that_part(sql: str, right: str) -> None:
    table = TableInfo("y", (Column("year", "integer"), Column("weekday", "text")))
    assert bind(sql, Schema("postgres", (table,))).sql == right


@pytest.mark.parametrize(
    ("said", "meant"), [("country", "shop_country"), ("shopCity", "shop_city"), ("phones", "phone")]
)
def test_a_name_in_part_or_in_another_style_is_the_column(said: str, meant: str) -> None:
    table = TableInfo("y", tuple(Column(c, "text") for c in ("shop_country", "shop_city", "phone")))
    other = TableInfo("z", (Column("shop_city", "text"), Column("country", "text")))
    assert bind(f"SELECT {said} FROM y", Schema("postgres", (table, other))).sql == f"SELECT {meant} FROM y"


def test_a_table_gets_its_schema_even_where_the_connection_finds_it_without() -> None:
    orders = replace(shop().tables[2], schema="sales")
    bound = bind("SELECT o.total FROM orders AS o", Schema("postgres", (orders,)), light=True)
    assert bound.sql == "SELECT o.total FROM sales.orders AS o"


def test_joins_that_a_user_knows_are_used() -> None:
    from agentkit_sql.card.joins import join_graph

    left = TableInfo("a", (Column("x", "integer"), Column("n", "integer")))
    right = TableInfo("b", (Column("y", "integer"), Column("label", "text")))
    schema = Schema("postgres", (left, right))
    sql = "SELECT a.n, b.label FROM a"
    assert bind(sql, schema).sql == sql
    bound = bind(sql, schema, graph=join_graph(schema, ["a.x = b.y"]))
    assert bound.sql == "SELECT a.n, b.label FROM a JOIN b ON a.x = b.y"


ELSEWHERE = {
    "month": (
        "SELECT to_char(ordered_at, 'YYYY-MM') AS m FROM orders GROUP BY m ORDER BY m",
        "2024-01",
    ),
    "year": ("SELECT extract(year FROM ordered_at) FROM orders LIMIT 1", 2024),
    "quarter": ("SELECT extract(quarter FROM ordered_at) FROM orders LIMIT 1", 1),
    "day of week": ("SELECT extract(dow FROM ordered_at) FROM orders WHERE id = 1", 3),
    "part": ("SELECT date_part('year', joined) FROM customers WHERE id = 1", 2023),
    "years ago": ("SELECT count(*) FROM orders WHERE ordered_at >= current_date - interval '100 years'", 4),
    "joined texts": ("SELECT string_agg(name, ',') FROM customers WHERE id < 3", "Ada,Bob"),
    "any case": ("SELECT count(*) FROM customers WHERE name ILIKE 'a%'", 1),
    "cast": ("SELECT price::int FROM products WHERE product_id = 1", 40),
    "days between": ("SELECT date '2024-01-20' - joined FROM customers WHERE id = 1", 380),
    "both ends": ("SELECT left(name, 1) || right(name, 1) FROM customers WHERE id = 1", "Aa"),
    "texts in a row": ("SELECT concat(name, ' ', city) FROM customers WHERE id = 1", "Ada Bern"),
    "filter": ("SELECT count(*) FILTER (WHERE active) FROM customers", 3),
    "dates": ("SELECT count(*) FROM customers WHERE joined BETWEEN '2023-01-01'::date AND '2023-12-31'::date", 2),
    "mysql's months": ("SELECT TIMESTAMPDIFF(MONTH, joined, '2023-04-06') FROM customers WHERE id = 1", 3),
    "mysql's today": ("SELECT count(*) FROM orders WHERE ordered_at < DATE_SUB(CURDATE(), INTERVAL 1 MONTH)", 4),
    "mysql's IF": ("SELECT IF(total > 50, 'big', 'small') FROM orders WHERE id = 2", "small"),
    "alias in WHERE": ("SELECT city, count(*) AS n FROM customers WHERE n > 1 GROUP BY city", "Bern"),
}


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
@pytest.mark.parametrize(("sql", "value"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_other_dialects_are_translated_for_files_too(dialect: Dialect, sql: str, value: object) -> None:
    import sqlite3

    import duckdb

    connection = sqlite3.connect(":memory:") if dialect == "sqlite" else duckdb.connect(":memory:")
    run = connection.executescript if isinstance(connection, sqlite3.Connection) else connection.execute
    for script in (TABLES, ROWS):
        run(script)
    row = connection.execute(bind(sql, shop(dialect)).sql).fetchone()
    connection.close()
    assert row is not None
    assert str(row[0]).removesuffix(".0") == str(value)
