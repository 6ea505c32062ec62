"""With many tools, those that matter for a request are described and decoded, and the prompt's beginning stays."""

from __future__ import annotations

from typing import Any

import pytest
from agentkit_local.choice import CHOSEN, chosen, offered
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


def function(name: str) -> dict[str, Any]:
    summary, argument = SUMMARIES[name]
    key, _, description = argument.partition(": ")
    shape = {"type": "object", "properties": {key: {"type": "string", "description": description}}, "required": [key]}
    return {"name": name, "description": summary, "parameters": shape}


FUNCTIONS = [function(name) for name in SUMMARIES]
TOOLS = [{"type": "function", "function": f} for f in FUNCTIONS]


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
    assert len(found) <= CHOSEN + 1
    assert found == [n for n in SUMMARIES if n in found]


def test_few_tools_are_all_chosen() -> None:
    assert chosen(FUNCTIONS[:12], "Hello") == list(SUMMARIES)[:12]


@pytest.mark.parametrize("said", ["Hello", "Danke, das war alles", ""])
def test_words_that_tell_nothing_leave_every_tool_open(said: str) -> None:
    assert chosen(FUNCTIONS, said) == []
    assert offered(FUNCTIONS, said, "") == list(SUMMARIES)


def test_a_tool_that_a_result_names_is_open_too() -> None:
    said = "Search the documents for the refund policy"
    assert "explain" not in offered(FUNCTIONS, said, "")
    assert "explain" in offered(FUNCTIONS, said, "train Trained. Next: explain shows what it depends on.")


def test_the_beginning_is_the_same_for_all_requests_and_descriptions_follow_the_request() -> None:
    said = ["Train a model on churn.csv that predicts churned", "Search the documents for the refund policy"]
    one, two = (render([SystemMessage("Help."), HumanMessage(text)], TOOLS) for text in said)
    assert one[1] == two[1]
    assert one[0][: one[1]] == two[0][: two[1]]
    assert "The column to predict" not in one[0][0]["content"]
    assert "(train: target: The column to predict)" in one[0][-1]["content"]
    assert "What to look for" not in one[0][-1]["content"]


def test_a_later_turn_leaves_what_was_read_as_it_was() -> None:
    first: list[BaseMessage] = [
        SystemMessage("Help."),
        HumanMessage("Train a model on churn.csv that predicts churned"),
    ]
    call = AIMessage("", tool_calls=[{"name": "train", "args": {"target": "churned"}, "id": "1"}])
    later = [*first, call, ToolMessage("Trained.", name="train", tool_call_id="1"), HumanMessage("And the documents?")]
    before, after = render(first, TOOLS)[0], render(later, TOOLS)[0]
    assert after[: len(before)] == before
