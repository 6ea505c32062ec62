"""The same small shop in each engine, with secrets that may not be read and ways to change something."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import psycopg
import pytest

from agentkit.databases import Database, Databases, Engine
from agentkit.datasets import Workspace
from agentkit.plugins import Plugins
from agentkit.settings import DatabaseSettings, Settings, load_settings
from agentkit.sqlguard.limits import Limits
from agentkit.storage import Storage

CANARY = "CANARY-7f3a"
DENY = ("secrets",)
LIMITS = Limits(rows=1_000, seconds=1.0, bytes=4 << 20)
_TABLES = f"""
CREATE TABLE customers (id int PRIMARY KEY, name varchar(40), email varchar(80));
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers (id), amount numeric(10, 2), day date);
CREATE TABLE secrets (value varchar(80));
INSERT INTO customers VALUES (1, 'Ada', 'ada@example.org'), (2, 'Bo', 'bo@example.org'), (3, 'Cy', NULL);
INSERT INTO orders VALUES (1, 1, 10.50, '2024-01-05'), (2, 1, 20.00, '2024-02-10'), (3, 2, 5.25, '2024-02-11'),
  (4, 3, 99.99, '2024-03-01'), (5, 2, 1.00, '2024-03-02');
INSERT INTO secrets VALUES ('{CANARY}');
"""
_POSTGRES = f"""
CREATE SEQUENCE counter;
CREATE FUNCTION bad() RETURNS int LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS
  'BEGIN INSERT INTO public.orders VALUES (100, 1, 1, now()); RETURN 1; END';
CREATE PROCEDURE bad_procedure() LANGUAGE sql AS 'DELETE FROM orders';
CREATE SCHEMA hidden;
CREATE TABLE hidden.vault (value text);
INSERT INTO hidden.vault VALUES ('{CANARY}');
GRANT SELECT ON customers, orders TO reader;
"""


class Shop(NamedTuple):
    """One engine's shop: as a guarded database with `secrets` denied, and as the engine alone."""

    guarded: Database
    engine: Engine
    url: str


def opened(url: str, settings: Settings, **policy: Any) -> Shop:
    """A database by its URL, under a policy."""
    options = DatabaseSettings(url=url, **policy)
    settings = load_settings(settings.folder, home=str(settings.home), databases={"shop": options})
    databases = Databases(settings, Workspace(settings.root), Plugins(settings))
    return Shop(databases.open("shop"), databases.engine("shop"), url)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Settings:
    return load_settings(tmp_path_factory.mktemp("sql"), home=str(home))


@pytest.fixture(scope="session")
def server(home: Path) -> Iterator[str]:
    """URL of a new database on the tests' Postgres, as superuser; the role `reader` may read two of its tables."""
    with Storage(load_settings(home, home=str(home))) as storage:
        parameters = psycopg.conninfo.conninfo_to_dict(storage.url)
        with psycopg.connect(storage.url, autocommit=True) as admin:
            admin.execute("DROP DATABASE IF EXISTS shop")
            admin.execute("CREATE DATABASE shop")
            admin.execute("DROP ROLE IF EXISTS reader")
            admin.execute("CREATE ROLE reader LOGIN")
        url = f"postgresql://{parameters['user']}@/shop?host={parameters['host']}"
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(_TABLES)
            admin.execute(_POSTGRES)
        yield url


@pytest.fixture(scope="session")
def reader(server: str) -> str:
    """The same database for the role `reader`."""
    return "postgresql://reader@" + server.partition("@")[2]


@pytest.fixture(scope="session")
def postgres(server: str, settings: Settings) -> Shop:
    """PostgreSQL as superuser: the worst case."""
    return opened(server, settings, deny=(*DENY, "hidden.vault"))


@pytest.fixture(scope="session")
def sqlite(settings: Settings) -> Shop:
    path = settings.folder / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(_TABLES + "CREATE VIEW v AS SELECT id FROM customers;")
    connection.close()
    return opened("sqlite:///shop.db", settings, deny=DENY)


@pytest.fixture(scope="session", name="duckdb")
def duck(settings: Settings) -> Shop:
    with duckdb.connect(str(settings.folder / "lake.duckdb")) as connection:
        connection.execute(_TABLES + "CREATE SEQUENCE counter;")
    return opened("duckdb:///lake.duckdb", settings, deny=DENY)


@pytest.fixture
def shop(request: pytest.FixtureRequest) -> Shop:
    """The shop whose name is the parameter: postgres, sqlite or duckdb."""
    found: Shop = request.getfixturevalue(request.param)
    return found
