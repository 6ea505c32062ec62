"""What a chat model is told about a database: whole where it fits, the right part where it does not."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from agentkit_sql.card.cache import card_of
from agentkit_sql.card.card import Card
from agentkit_sql.card.choose import fitting, mattering, rank, tokens
from agentkit_sql.card.joins import join_graph
from agentkit_sql.card.meaning import Example, Meaning, keep_example, read_meaning
from agentkit_sql.card.words import telling, words

from agentkit import Agent
from agentkit.databases import Database
from agentkit.errors import BadInput, SettingsError
from agentkit.settings import load_settings
from agentkit.sqlguard.schema import Column, ForeignKey, Schema, TableInfo
from agentkit.testing import ScriptedChatModel
from tests.sql.shop import shop, shop_file


@pytest.fixture
def database(workspace: Path) -> Database:
    """The shop as a SQLite file with a name."""
    shop_file(workspace)
    connection = sqlite3.connect(workspace / "shop.db")
    connection.execute("CREATE TABLE accounts (login text, password text, api_key text)")
    connection.execute("INSERT INTO accounts VALUES ('ada', 'hunter2hunter2', 'k-123')")
    connection.commit()
    connection.close()
    return Agent(ScriptedChatModel(script=["-"])).services.databases.open("shop")


def table(name: str, *columns: str, **more: object) -> TableInfo:
    """A table of integer columns, but for names that end in '_name'."""
    made = tuple(Column(c, "text" if c.endswith("name") else "integer") for c in columns)
    return TableInfo(name, made, **more)  # type: ignore[arg-type]


class TestText:
    def test_tables_columns_keys_and_joins_are_told(self) -> None:
        text = Card(shop()).text()
        assert "CREATE TABLE customers (" in text
        assert "  id integer PRIMARY KEY," in text
        assert "-- orders.customer_id = customers.id" in text

    def test_names_that_need_quotes_have_them(self) -> None:
        text = Card(shop()).text()
        assert 'CREATE TABLE "Odd Names" (' in text
        assert '  "select" text' in text

    def test_frequent_values_stand_beside_their_column(self, database: Database) -> None:
        text = card_of(database, load_settings()).text()
        assert "city text, -- 'Bern'" in text

    def test_secrets_and_long_values_are_not_told(self, database: Database) -> None:
        text = card_of(database, load_settings()).text()
        assert "'ada'" in text
        assert "hunter2" not in text
        assert "k-123" not in text

    def test_values_stay_where_the_settings_say_so(self, workspace: Path, database: Database) -> None:
        with (workspace / "agentkit.toml").open("a") as file:
            file.write("[privacy]\nsend_values = false\n")
        text = card_of(database, load_settings()).text()
        assert "Bern" not in text
        assert "CREATE TABLE customers" in text


class TestMeaning:
    def test_descriptions_synonyms_units_and_metrics_are_read_from_yaml(
        self, workspace: Path, database: Database
    ) -> None:
        (workspace / "shop.meaning.yaml").write_text(
            "tables:\n  customers:\n    description: People who buy\n    synonyms: [clients]\n"
            "    columns:\n      credit: {description: What we owe them, unit: EUR}\n      city: Where they live\n"
            "  orders: What was bought\nmetrics:\n  turnover: SUM(total) of orders that are paid\n"
        )
        card = card_of(database, load_settings())
        text = card.text()
        assert "People who buy; also called clients" in text
        assert "What we owe them, in EUR" in text
        assert "-- Where they live" in text
        assert "CREATE TABLE orders ( -- What was bought" in text
        assert card.meaning.metrics == {"turnover": "SUM(total) of orders that are paid"}

    def test_a_comment_that_only_repeats_the_name_is_left_out(self) -> None:
        fares = TableInfo(
            "fares",
            (
                Column("fare_id", "integer", comment="The unique identifier of the fare"),
                Column("way", "text", comment="The way. 1 is one way, 2 is both"),
                Column("paid", "integer", comment="Seconds since 1970"),
            ),
        )
        text = Card(Schema("postgres", (fares,))).text()
        assert "identifier" not in text
        assert "1 is one way" in text
        assert "Seconds since 1970" in text

    def test_the_toml_can_say_it_too(self, workspace: Path) -> None:
        (workspace / "agentkit.toml").write_text(
            '[databases.shop]\nurl = "sqlite:///shop.db"\n[databases.shop.meaning]\nnotes = ["prices are net"]\n'
        )
        assert read_meaning("shop", load_settings()).notes == ("prices are net",)

    def test_a_misspelt_key_names_the_place(self, workspace: Path) -> None:
        (workspace / "shop.meaning.yaml").write_text("tabels: {}\n")
        with pytest.raises(SettingsError, match=r"shop\.meaning\.yaml.*tabels"):
            read_meaning("shop", load_settings())

    def test_yaml_that_is_none_is_told(self, workspace: Path) -> None:
        (workspace / "shop.meaning.yaml").write_text("tables: [unclosed\n")
        with pytest.raises(SettingsError, match="cannot be read"):
            read_meaning("shop", load_settings())

    def test_a_kept_answer_is_an_example_the_next_time(self, workspace: Path) -> None:
        settings = load_settings()
        keep_example("shop", Example("Who owes us?", "SELECT name FROM customers WHERE credit < 0"), settings)
        keep_example("shop", Example("Umsätze?", "SELECT 1"), settings)
        assert [e.question for e in read_meaning("shop", settings).examples] == ["Who owes us?", "Umsätze?"]

    def test_a_database_without_a_name_keeps_nothing(self) -> None:
        with pytest.raises(SettingsError, match="name"):
            keep_example("sqlite:///x.db", Example("a", "b"), load_settings())


class TestJoins:
    def test_declared_keys_go_before_names(self) -> None:
        graph = join_graph(shop())
        assert [str(j) for j in graph.between("orders", "customers")] == ["orders.customer_id = customers.id"]

    @pytest.mark.parametrize(
        ("one", "other", "join"),
        [
            (("visit", "visit_id", "patient_id"), ("patient", "patient_id"), "visit.patient_id = patient.patient_id"),
            (("visits", "id", "patient_id"), ("patients", "id"), "visits.patient_id = patients.id"),
            (("city", "city_name", "state_name"), ("state", "state_name"), "city.state_name = state.state_name"),
            (("leg", "id", "to_airport"), ("airport", "airport_code"), "leg.to_airport = airport.airport_code"),
            (("course", "course_id"), ("needs", "old_course_id"), "needs.old_course_id = course.course_id"),
            (("deal", "dl_id", "dl_cuid", "dl_sum"), ("buyer", "cuid", "cuage", "cucity"), "deal.dl_cuid = buyer.cuid"),
        ],
        ids=["same key", "id", "name of a thing", "role", "role before a key", "prefixes"],
    )
    def test_names_tell_joins_where_no_key_is_declared(
        self, one: tuple[str, ...], other: tuple[str, ...], join: str
    ) -> None:
        schema = Schema("postgres", (table(*one), table(*other)))
        assert [str(j) for j in join_graph(schema).joins] == [join]

    def test_columns_that_everything_has_join_nothing(self) -> None:
        tables = (table("a", "id", "created_at", "status"), table("b", "id", "created_at", "status"))
        assert join_graph(Schema("postgres", tables)).joins == ()

    def test_a_bridge_is_found_and_two_ways_are_none(self) -> None:
        graph = join_graph(shop())
        path = graph.path("orders", "products")
        assert path is not None
        assert [j.right for j in path] == ["order_items", "products"]
        assert graph.path("customers", "categories") is None


@pytest.fixture(scope="module")
def large() -> Schema:
    """500 tables that are joined in a chain."""
    tables = [
        TableInfo(
            f"{word}_{number}",
            (
                Column("id", "integer"),
                Column("label", "text", comment=f"How the {word} is called in region {number}"),
                *(Column(f"{word}_figure_{n}", "numeric") for n in range(10)),
                Column("next_id", "integer"),
            ),
            primary_key=("id",),
            foreign_keys=(ForeignKey(("next_id",), f"{_WORDS[(number + 1) % 10]}_{number + 1}", ("id",)),),
            rows=1000,
        )
        for number in range(500)
        for word in [_WORDS[number % 10]]
    ]
    return Schema("postgres", tuple(tables))


class TestLargeSchemas:
    def test_the_tables_that_matter_are_there_and_the_prompt_stays_small(self, large: Schema) -> None:
        shown = fitting(Card(large), "What is the mean figure of turbine 47 and of pump 48?", 2_300)
        text, chosen = shown.text, shown.tables
        assert {"turbine_47", "pump_48"} <= set(chosen)
        assert "CREATE TABLE turbine_47 (" in text
        assert "-- other tables:" in text
        assert tokens(text) <= 2_300

    def test_comments_without_room_stand_beside_the_question_that_hints_at_them(self) -> None:
        long = "counted by hand at the end of every shift, without what came back from the night before"
        columns = [Column(f"figure_{n}", "integer", comment=f"Pieces of line {n}, {long}") for n in range(60)]
        columns.append(Column("paint", "text", comment="Colour of the lid as the customer ordered it"))
        card = Card(Schema("postgres", (TableInfo("output", tuple(columns)),)))
        which, other = (fitting(card, q, 900) for q in ("Which colour has the lid?", "What was made on line 17?"))
        assert which.text == other.text
        assert "by hand" not in which.text
        assert which.hints[0] == "output.paint: Colour of the lid as the customer ordered it"
        assert other.hints[0].startswith("output.figure_17: Pieces of line 17, counted by hand")
        assert len(other.hints) < 10
        assert fitting(card, "Which colour has the lid?", 9_000).hints == []

    def test_bridges_between_what_matters_come_along(self) -> None:
        chosen = mattering(Card(shop()), "Which customers bought a product whose title is Lamp?", 2_000)
        assert {"customers", "products", "orders", "order_items"} <= set(chosen)

    def test_a_small_schema_is_always_told_whole(self) -> None:
        card = Card(shop())
        first, second = (fitting(card, q, 2_000).text for q in ("How many orders?", "Who is the boss of Finn?"))
        assert first == second == card.text()

    def test_values_and_synonyms_hint_at_a_table(self) -> None:
        meaning = Meaning(tables={"employees": _synonyms("staff")})
        assert rank(Card(shop(), meaning=meaning), "How many staff?")[0][0] == "employees"
        values = {"public.categories": {"label": ["Furniture"]}}
        assert rank(Card(shop(), values), "What belongs to furniture?")[0][0] == "categories"


_WORDS = ["boiler", "fan", "gear", "hinge", "lever", "motor", "pipe", "turbine", "pump", "valve"]


def _synonyms(*said: str) -> object:
    from agentkit_sql.card.meaning import TableMeaning

    return TableMeaning(synonyms=said)


def newest(folder: Path) -> Path:
    return max(folder.glob("*.json"), key=lambda f: f.stat().st_mtime_ns)


class TestCache:
    def test_values_are_read_once_and_again_when_the_schema_changes(self, workspace: Path, database: Database) -> None:
        settings = load_settings(home=str(workspace / "own"))
        card_of(database, settings)
        file = newest(settings.home / "sql")
        kept = json.loads(file.read_text())
        kept[next(k for k in kept if k.endswith(".customers"))]["city"] = ["Kept"]
        file.write_text(json.dumps(kept))
        assert "'Kept'" in card_of(database, settings).text()
        database.close()
        connection = sqlite3.connect(workspace / "shop.db")
        connection.execute("ALTER TABLE customers ADD COLUMN zip text")
        connection.commit()
        connection.close()
        assert "'Kept'" not in card_of(database, settings).text()

    def test_a_broken_file_is_made_anew(self, workspace: Path, database: Database) -> None:
        settings = load_settings(home=str(workspace / "own"))
        card_of(database, settings)
        file = newest(settings.home / "sql")
        file.write_text("{")
        assert "'Bern'" in card_of(database, settings).text()

    def test_only_the_user_may_read_it(self, workspace: Path, database: Database) -> None:
        settings = load_settings(home=str(workspace / "own"))
        card_of(database, settings)
        file = newest(settings.home / "sql")
        assert file.stat().st_mode & 0o077 == 0


class TestWords:
    def test_names_of_all_styles_give_the_same_words(self) -> None:
        assert words("orderItems") == words("order_items") == words("Order-Item") == ["order", "item"]

    def test_words_that_every_question_has_tell_nothing(self) -> None:
        assert telling("How many of the boxes are in the city?") == {"box", "city"}


class TestDescribe:
    def test_a_database_is_described(self, workspace: Path, database: Database) -> None:
        with Agent(ScriptedChatModel(script=["-"])) as agent:
            told = agent.call("describe_database")
            one = agent.call("describe_database", table="orders")
        assert "orders" in told.tables
        assert "customers: id, name, city" in told.brief().replace(" [4 rows]", "")
        assert len(told.brief()) <= 1_200
        assert list(one.tables) == ["orders"]
        assert ["customer_id", "INTEGER", "customers.id"] in [
            [r[0], r[1].upper(), r[2]] for r in one.tables["orders"].rows
        ]

    def test_a_table_that_is_not_there_names_the_nearest(self, database: Database) -> None:
        with Agent(ScriptedChatModel(script=["-"])) as agent, pytest.raises(BadInput, match="'orders'"):
            agent.call("describe_database", table="order")
