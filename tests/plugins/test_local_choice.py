"""With many tools, those that matter for a request are described and decoded, and the prompt's beginning stays."""

from __future__ import annotations

from typing import Any

import pytest
from agentkit_local.choice import CHOSEN, DESCRIBED, OFFERED, chosen, offered
from agentkit_local.rendering import render
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

SUMMARIES = {
    "profile_data": ("Describe a data set: its columns, types, missing values", "dataset: A data file"),
    "train": ("Train a model that predicts a column of a data set", "target: The column to predict"),
    "tune": ("Search the best settings of a model", "trials: How many settings to try"),
    "evaluate": ("Measure how good a model is on a data set with its target", "model: Handle of a model"),
    "compare_models": ("Compare several models on the same rows", "models: Handles of models"),
    "explain": ("Which columns a model's predictions depend on", "row: One row to explain"),
    "predict": ("Write a model's predictions for a data set to a file", "output: The file to write"),
    "list_models": ("List the trained models", "name: Only models of this name"),
    "detect_drift": ("Whether data has changed against a reference", "reference: What it was"),
    "check_predictions": ("Watch a model's predictions for trouble", "model: Handle of a model"),
    "index_documents": ("Read documents into a collection", "path: A folder of documents"),
    "search_documents": ("Find passages in the indexed documents", "query: What to look for"),
    "ask_documents": ("Answer a question from the indexed documents", "question: The question"),
    "describe_database": ("Tables and columns of a database", "table: One table"),
    "query_database": ("Answer a question with SQL on a database", "question: The question"),
    "run_sql": ("Run one SQL statement that only reads", "sql: The statement"),
}
OTHERS = {f"measure_{n}": (f"Read sensor {n}", f"place: Where sensor {n} stands") for n in range(DESCRIBED)}


def function(name: str) -> dict[str, Any]:
    summary, argument = (SUMMARIES | OTHERS)[name]
    key, _, description = argument.partition(": ")
    shape = {"type": "object", "properties": {key: {"type": "string", "description": description}}, "required": [key]}
    return {"name": name, "description": summary, "parameters": shape}


FUNCTIONS = [function(name) for name in SUMMARIES]
TOOLS = [{"type": "function", "function": f} for f in FUNCTIONS]
VERY_MANY = [*TOOLS, *({"type": "function", "function": function(name)} for name in OTHERS)]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("Train a model on churn.csv that predicts churned", "train"),
        ("Has the data in june.csv drifted from may.csv?", "detect_drift"),
        ("Search the documents for the refund policy", "search_documents"),
        ("How many orders are in the database? Write the SQL", "query_database"),
        ("run_sql select 1", "run_sql"),
        ("Find the best settings for model:churn with 20 trials", "tune"),
    ],
)
def test_the_tool_of_a_request_is_among_the_chosen(said: str, wanted: str) -> None:
    found = chosen(FUNCTIONS, said)
    assert wanted in found
    assert len(found) < CHOSEN
    assert found == [n for n in SUMMARIES if n in found]


def test_few_tools_are_all_chosen() -> None:
    assert chosen(FUNCTIONS[:OFFERED], "Hello") == list(SUMMARIES)[:OFFERED]


@pytest.mark.parametrize("said", ["Hello", "Danke, das war alles", ""])
def test_words_that_tell_nothing_leave_every_tool_open(said: str) -> None:
    assert chosen(FUNCTIONS, said) == []
    assert offered(FUNCTIONS, said, "") == list(SUMMARIES)


def test_each_part_of_a_request_has_tools_of_its_own() -> None:
    found = chosen(FUNCTIONS, "Detect drift between a.csv and b.csv, then search the documents for the refund policy")
    assert {"detect_drift", "search_documents"} <= set(found)
    assert "train" not in found


def test_the_name_of_a_file_is_no_word_of_a_request() -> None:
    assert chosen(FUNCTIONS, "Look at documents/search_sql.csv") == chosen(FUNCTIONS, "Look at a.csv")


def test_a_tool_that_would_leave_the_named_file_aside_comes_last() -> None:
    without = function("list_models") | {"name": "list_values", "description": "List settings", "parameters": {}}
    beside = function("profile_data") | {"description": "List values of a file"}
    functions = [*(f for f in FUNCTIONS if f["name"] not in ("profile_data", "list_models")), beside, without]
    assert "list_values" in chosen(functions, "List what there is")
    assert "list_values" not in chosen(functions, "List values of a.csv")


def test_a_word_that_stands_somewhere_by_chance_chooses_nothing() -> None:
    assert offered(FUNCTIONS, "Show me what one looks like", "") == list(SUMMARIES)


def test_a_follow_up_that_only_names_a_file_leaves_more_open_than_what_came_before() -> None:
    before = "Search the documents for the refund policy"
    assert set(chosen(FUNCTIONS, before)) < set(offered(FUNCTIONS, f"{before}\nAnd june.csv?", ""))


def test_a_tool_that_a_result_names_is_open_too() -> None:
    said = "Search the documents for the refund policy"
    assert "explain" not in offered(FUNCTIONS, said, "")
    assert "explain" in offered(FUNCTIONS, said, "train Trained. Next: explain shows what it depends on.")


@pytest.mark.parametrize(("tools", "beside"), [(TOOLS, False), (VERY_MANY, True)])
def test_the_beginning_is_the_same_for_all_requests(tools: list[dict[str, Any]], beside: bool) -> None:
    """What arguments mean stands in it, and of very many tools beside the request: of those that it speaks of."""
    said = ["Train a model on churn.csv that predicts churned", "Search the documents for the refund policy"]
    one, two = (render([SystemMessage("Help."), HumanMessage(text)], tools) for text in said)
    assert one[1] == two[1]
    assert one[0][: one[1]] == two[0][: two[1]]
    assert ("The column to predict" in one[0][0]["content"]) != beside
    assert ("(train: target: The column to predict)" in one[0][-1]["content"]) == beside
    assert "What to look for" not in one[0][-1]["content"]


@pytest.fixture(scope="module")
def registered() -> list[dict[str, Any]]:
    """The tools that come with agentkit, as the model gets them."""
    from langchain_core.utils.function_calling import convert_to_openai_tool

    from agentkit.calls import Services
    from agentkit.middleware.tool_calls import graph_tool
    from agentkit.settings import load_settings

    services = Services(load_settings())
    return [convert_to_openai_tool(graph_tool(tool))["function"] for tool in services.toolbox]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("Give me an overview of june.csv", "profile_data"),
        ("Describe churn.csv", "profile_data"),
        ("I need a model for price. The data is in houses.csv", "train"),
        ("How good is it on may.csv?", "evaluate"),
        ("Which of the two models is better on may.csv?", "compare_models"),
        ("Which columns matter most for the model?", "explain"),
        ("Can I trust this model?", "review_training"),
        ("Write predictions for june.csv to preds.csv", "predict"),
        ("Which models have I trained so far?", "list_models"),
        ("Which tables does the library database have?", "describe_database"),
        ("How many books were lent per month?", "query_database"),
        ("Which member borrowed the most books?", "query_database"),
        ("What is the average price in each town in houses.csv?", "query_database"),
        ("What share of the customers in churn.csv is over 60?", "query_database"),
        ("select title from books limit 3", "run_sql"),
    ],
)
def test_the_summaries_have_the_words_in_which_people_ask(
    registered: list[dict[str, Any]], said: str, wanted: str
) -> None:
    assert wanted in offered(registered, said, "")


def test_a_later_turn_leaves_what_was_read_as_it_was() -> None:
    first: list[BaseMessage] = [
        SystemMessage("Help."),
        HumanMessage("Train a model on churn.csv that predicts churned"),
    ]
    call = AIMessage("", tool_calls=[{"name": "train", "args": {"target": "churned"}, "id": "1"}])
    later = [*first, call, ToolMessage("Trained.", name="train", tool_call_id="1"), HumanMessage("And the documents?")]
    before, after = render(first, VERY_MANY)[0], render(later, VERY_MANY)[0]
    assert after[: len(before)] == before
