"""What a person typed: a statement or a question."""

from __future__ import annotations

import pytest
from agentkit_sql.commands.repl import goes_on
from agentkit_sql.typed import is_sql

from tests.sql.shop import shop


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "select 1",
        "select * from orders",
        "  -- all of them\n select name from customers",
        "/* a */ WITH x AS (SELECT 1) SELECT * FROM x",
        "with t as (select id from orders) select count(*) from t",
        "(SELECT 1) UNION (SELECT 2)",
        "VALUES (1), (2)",
        "SELECT count( FROM",
        "SELECT * FROM costumers",
        "select count(*) form customers",
        "DROP TABLE customers",
        "DELETE FROM orders WHERE id = 1",
        "EXPLAIN SELECT 1",
        "PRAGMA table_info(orders)",
        'select "select" from "Odd Names"',
    ],
)
def test_statements_also_wrong_and_forbidden_ones(text: str) -> None:
    assert is_sql(text, shop("sqlite"))


@pytest.mark.parametrize(
    "text",
    [
        "How many orders are there?",
        "select the best customers",
        "Select all customers from Germany",
        "With which customers do we earn most?",
        "with how many orders did we start in May",
        "From which city are most customers?",
        "Values of credit by country",
        "Delete all customers, please",
        "DO customers come back?",
        "Update me on sales",
        "",
        "???",
        "Wie viele Bestellungen gibt es?",
    ],
)
def test_questions(text: str) -> None:
    assert not is_sql(text, shop("sqlite"))


@pytest.mark.parametrize(
    "question",
    [
        "and by month?",
        "But only in Bern",
        "only those from 2024",
        "What about April?",
        "by status",
        "sort them by name",
    ],
)
def test_questions_that_go_on(question: str) -> None:
    assert goes_on(question)


@pytest.mark.parametrize(
    "question", ["How many orders are there?", "Which customers live in Bern?", "Revenue by month", "List all products"]
)
def test_questions_that_stand_alone(question: str) -> None:
    assert not goes_on(question)
