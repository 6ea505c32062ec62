"""A shop's database for the tests of SQL: keys declared and not, dates, texts, truths, odd names."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from agentkit.sqlguard.schema import Column, Dialect, ForeignKey, Schema, TableInfo

TABLES = """
CREATE TABLE customers (id integer PRIMARY KEY, name text, city text, country text, joined date, active boolean,
                        credit numeric(10, 2));
CREATE TABLE employees (employee_id integer PRIMARY KEY, full_name text, boss_id integer, hired date, salary integer);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer REFERENCES customers (id), seller_id integer
                     REFERENCES employees (employee_id), ordered_at timestamp, status text, total numeric(10, 2),
                     rating integer, shipped text);
CREATE TABLE products (product_id integer PRIMARY KEY, title text, category_id integer, price double precision,
                       stock integer, tags text);
CREATE TABLE categories (category_id integer PRIMARY KEY, label text);
CREATE TABLE order_items (order_id integer REFERENCES orders (id), product_id integer REFERENCES products (product_id),
                          quantity integer, unit_price double precision);
CREATE TABLE "Odd Names" ("Id" integer PRIMARY KEY, "select" text, "two words" integer, "Größe" integer);
"""
ROWS = """
INSERT INTO customers VALUES (1, 'Ada', 'Bern', 'CH', '2023-01-05', true, 10), (2, 'Bob', 'Berlin', 'DE',
  '2023-02-07', false, 0), (3, 'Cy', 'Bern', 'CH', '2024-03-09', true, NULL), (4, 'Di', 'Paris', 'FR', NULL, true, 5);
INSERT INTO employees VALUES (1, 'Eve Boss', NULL, '2019-01-01', 9000), (2, 'Finn Seller', 1, '2021-05-01', 5000);
INSERT INTO orders VALUES (1, 1, 2, '2024-01-10 10:00:00', 'paid', 120.5, 5, '2024-01-12'),
  (2, 1, 2, '2024-02-11 11:00:00', 'open', 30, NULL, NULL), (3, 2, 2, '2024-02-20 12:00:00', 'paid', 80, 4,
  '2024-02-25'), (4, 3, 1, '2024-03-01 09:30:00', 'refunded', 15, 1, '2024-03-02');
INSERT INTO products VALUES (1, 'Lamp', 1, 40.25, 5, 'home,light'), (2, 'Desk', 1, 80, 0, 'home'), (3, 'Pen', 2, 1.5,
  900, NULL);
INSERT INTO categories VALUES (1, 'Furniture'), (2, 'Office');
INSERT INTO order_items VALUES (1, 1, 1, 40.25), (1, 2, 1, 80), (2, 3, 20, 1.5), (3, 2, 1, 80), (4, 3, 10, 1.5);
INSERT INTO "Odd Names" VALUES (1, 'x', 2, 3);
"""


def shop_file(folder: Path) -> None:
    """The shop as the SQLite file `shop.db`, named `shop` in the folder's agentkit.toml."""
    connection = sqlite3.connect(folder / "shop.db")
    connection.executescript(TABLES + ROWS)
    connection.close()
    (folder / "agentkit.toml").write_text('[databases]\nshop = "sqlite:///shop.db"\n')


def shop(dialect: Dialect = "postgres") -> Schema:
    """The schema as the engines read it, with the keys that are declared."""
    keys = {
        "orders": (
            ForeignKey(("customer_id",), "customers", ("id",)),
            ForeignKey(("seller_id",), "employees", ("employee_id",)),
        ),
        "order_items": (
            ForeignKey(("order_id",), "orders", ("id",)),
            ForeignKey(("product_id",), "products", ("product_id",)),
        ),
    }
    columns = {
        "customers": "id integer, name text, city text, country text, joined date, active boolean, credit numeric",
        "employees": "employee_id integer, full_name text, boss_id integer, hired date, salary integer",
        "orders": "id integer, customer_id integer, seller_id integer, ordered_at timestamp, status text, "
        "total numeric, rating integer, shipped text",
        "products": "product_id integer, title text, category_id integer, price double precision, stock integer, "
        "tags text",
        "categories": "category_id integer, label text",
        "order_items": "order_id integer, product_id integer, quantity integer, unit_price double precision",
        "Odd Names": "Id integer, select text, two_words integer, Größe integer",
    }
    first = {"customers": "id", "orders": "id", "employees": "employee_id", "products": "product_id"}
    first |= {"categories": "category_id", "Odd Names": "Id"}
    tables = [
        TableInfo(
            name,
            tuple(_column(c.replace("two_words", "two words")) for c in said.split(", ")),
            schema="public" if dialect == "postgres" else "main",
            primary_key=(first[name],) if name in first else (),
            foreign_keys=keys.get(name, ()),
        )
        for name, said in columns.items()
    ]
    return Schema(dialect, tuple(tables))


def _column(said: str) -> Column:
    if said.startswith("two words"):
        return Column("two words", "integer")
    name, _, kind = said.partition(" ")
    return Column(name, kind)
