"""Names of files and columns are copied from the conversation."""

from __future__ import annotations

from typing import Any

import pytest
from agentkit_local.names import with_names
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "dataset": {"type": "string"},
        "target": {"type": "string"},
        "model": {"type": "string"},
        "reference": {"type": "string"},
        "output": {"type": "string"},
    },
}


def allowed(said: str, *earlier: BaseMessage) -> dict[str, list[str]]:
    messages = [*earlier, HumanMessage(said)]
    properties = with_names(SHAPE, messages, said)["properties"]
    return {name: shape["enum"] for name, shape in properties.items() if "enum" in shape}


@pytest.mark.parametrize(
    ("said", "files"),
    [
        ("Train on beans.csv for kind", ["beans.csv"]),
        ("Compare a.csv and data/b.parquet.", ["a.csv", "data/b.parquet"]),
        ("Describe /etc/passwd", ["/etc/passwd"]),
        ("Describe ../up.csv", ["../up.csv"]),
        ("All of parts/*.parquet", ["parts/*.parquet"]),
        ("A train/test split of a.csv", ["a.csv", "train/test"]),
    ],
)
def test_the_files_of_a_request_are_the_ones_to_choose_from(said: str, files: list[str]) -> None:
    assert allowed(said)["dataset"] == files


def test_a_follow_up_may_use_every_file_of_the_thread() -> None:
    earlier = [HumanMessage("Train on a.csv"), AIMessage("x.csv"), ToolMessage("Wrote out.csv", tool_call_id="1")]
    assert allowed("And now?", *earlier)["dataset"] == ["a.csv", "out.csv"]


def test_a_name_that_an_error_tells_is_allowed() -> None:
    error = ToolMessage("The nearest name is 'cities.csv'. Columns: 'pop'.", tool_call_id="1", status="error")
    found = allowed("Train on citys.csv, target population", error)
    assert found["dataset"] == ["citys.csv", "cities.csv"]
    assert "pop" in found["target"]


def test_a_column_is_a_word_or_some_words_of_the_request_or_of_a_result() -> None:
    look = ToolMessage("a.csv: 3 rows\n- house price: number 1 to 2\n- town: category", tool_call_id="1")
    found = allowed("Predict net house price, please", look)["target"]
    assert {"net house price", "house price", "town", "price"} <= set(found)
    assert "price, please" not in found


def test_what_cannot_be_told_apart_is_left_free() -> None:
    assert allowed("Hello") == {"target": ["Hello"]}
    assert "target" not in allowed("用 a.csv 预测价格")
    assert set(allowed("Train on a.csv")) == {"dataset", "reference", "target"}


def test_a_model_is_a_handle_that_was_told_or_a_word_of_the_request() -> None:
    trained = ToolMessage("Trained model:members/1. Next: evaluate model:members/1 on other data.", tool_call_id="1")
    found = allowed("And how is it on the June data?", HumanMessage("Train on members.csv"), trained)["model"]
    assert found[0] == "model:members/1"
    assert "members_june/1" not in found
    assert "members/1" in found
    assert "members" not in allowed("Take the members model", trained)["model"]
    assert {"model:churn", "churn"} <= set(allowed("Take the churn model", trained)["model"])
    assert "model:members@champion" in allowed("Use model:members@champion.", trained)["model"]


def test_a_reference_is_a_file_or_a_model() -> None:
    trained = ToolMessage("Trained model:beans/1 on beans.csv.", tool_call_id="1")
    assert allowed("Has june.csv drifted from what the model knows?", trained)["reference"] == [
        "june.csv", "beans.csv", "model:beans/1",
    ]  # fmt: skip
    named = allowed("Has june.csv drifted for model:beans?", trained)["reference"]
    assert named == ["june.csv", "model:beans"]
    assert allowed("Compare may.csv and june.csv")["reference"] == ["may.csv", "june.csv"]
    assert "model:beans" in allowed("Has june.csv drifted for the model beans?")["reference"]


def test_without_a_handle_in_the_conversation_a_model_may_be_any() -> None:
    assert "model" not in allowed("How good is my churn model?")


QUESTION: dict[str, Any] = {"type": "object", "properties": {"question": {"type": "string"}}}


def question(said: str, *earlier: BaseMessage) -> dict[str, Any]:
    shape: dict[str, Any] = with_names(QUESTION, [*earlier, HumanMessage(said)], said)["properties"]["question"]
    return shape


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("How many books were lent per month?", "How many books were lent per month?"),
        ("Index rules and tell me what a lost book costs", "what a lost book costs"),
        ("Read in a.md, then: who pays for it? Be brief.", "who pays for it?"),
        ("Wie viele B\u00fccher gibt es?", "Wie viele B\u00fccher gibt es?"),
        ("\u6709\u591a\u5c11\u672c\u4e66\uff1f", "\u6709\u591a\u5c11\u672c\u4e66\uff1f"),
    ],
)
def test_a_question_is_asked_in_the_words_of_the_user(said: str, asked: str) -> None:
    copied = question(said)["enum"]
    assert asked in copied
    assert all(text in said for text in copied)


def test_a_question_that_goes_on_from_an_earlier_one_may_be_worded_anew() -> None:
    call = {"name": "ask", "args": {"question": "How many books were lent?"}, "id": "1"}
    earlier = [HumanMessage("How many books were lent?"), AIMessage("", tool_calls=[call])]
    assert "enum" not in question("And by month?", *earlier)
    assert question("And by month?", *earlier)["maxLength"] > 200
    assert "enum" in question("How many members live in York?", *earlier)
    assert "enum" in question("And by month?")


def test_a_question_of_very_many_words_is_only_kept_short() -> None:
    assert set(question(" ".join(f"word{n}" for n in range(900)))) == {"type", "maxLength"}
