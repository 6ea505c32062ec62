"""What the embedded model is allowed to write, and how it is read while it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agentkit_local.mentions import asked_for, told
from agentkit_local.open_steps import open_steps
from agentkit_local.schema import plain, step_schema
from agentkit_local.steps import Answer, JsonText, Step
from hypothesis import given
from hypothesis import strategies as st

TRAIN: dict[str, Any] = {
    "type": "object",
    "required": ["dataset", "target"],
    "properties": {
        "dataset": {"type": "string", "description": "A file of the workspace"},
        "target": {"type": "string", "description": "The column to predict"},
        "model": {"enum": ["auto", "linear", "random_forest"]},
        "split": {"enum": ["auto", "random", "time"]},
        "time_column": {"type": "string", "description": "Column that orders the rows in time"},
        "budget_seconds": {"type": "number", "description": "Time limit in seconds"},
        "name": {"type": "string", "description": "Name for the new model"},
    },
}


def test_references_are_inlined_and_unknown_keywords_dropped() -> None:
    schema = {
        "type": "object",
        "title": "T",
        "properties": {"late": {"type": "integer", "default": 3, "maximum": 9}, "first": {"$ref": "#/$defs/Kind"}},
        "required": ["first"],
        "$defs": {"Kind": {"enum": ["a", "b"], "description": "Which"}},
    }
    cleaned = plain(schema)
    assert cleaned["properties"]["first"] == {"enum": ["a", "b"], "description": "Which"}
    assert cleaned["properties"]["late"] == {"type": "integer", "maximum": 9}
    assert list(cleaned["properties"]) == ["first", "late"]
    assert cleaned["additionalProperties"] is False
    assert "$defs" not in cleaned


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    assert json.dumps(plain({"$ref": "#/$defs/Node", "$defs": {"Node": node}}))


def test_an_optional_argument_is_left_out_and_never_null() -> None:
    schema = {"type": "object", "properties": {"k": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}
    assert plain(schema)["properties"] == {"k": {"type": "integer"}}


@pytest.mark.parametrize("nothing", ["None", "null", "NULL ", ""])
def test_an_optional_argument_that_says_none_is_left_out(nothing: str) -> None:
    schema = {**TRAIN, "properties": {**TRAIN["properties"], "scaling": {"enum": ["none", "standard"]}}}
    given_ = {"dataset": "a.csv", "target": nothing, "name": nothing, "budget_seconds": 5, "scaling": "none"}
    assert told(given_, schema) == {"dataset": "a.csv", "target": nothing, "budget_seconds": 5, "scaling": "none"}


def test_a_forced_tool_leaves_no_way_to_answer() -> None:
    branches = step_schema({"train": plain(TRAIN)}, may_respond=False)["anyOf"]
    assert [b["properties"]["tool"]["const"] for b in branches] == ["train"]


@pytest.mark.parametrize(
    ("request_text", "offered"),
    [
        ("Train a model on sales/2025.csv that predicts price", set()),
        ("Train a random forest on a.csv, target y", {"model"}),
        ("Train on a.csv, target y, with a random split", {"split"}),
        ("Train on a.csv, target y, with the forest", {"model"}),
        ("Train on a.csv, target y, and take at most 20 seconds", {"budget_seconds"}),
        ("Train on a.csv, target y, and call it pumps", {"name"}),
        ("Train on a.csv, target y; the rows are in the order of time", {"split", "time_column"}),
    ],
)
def test_only_optional_arguments_that_a_request_mentions_are_offered(request_text: str, offered: set[str]) -> None:
    properties = asked_for(TRAIN, "Train a model that predicts a column", request_text)["properties"]
    assert set(properties) - {"dataset", "target"} == offered


@pytest.mark.parametrize(
    ("request_text", "wanted"),
    [
        ("Train a linear model on a.csv, target y", {"model"}),
        ("Train on a.csv, target y, with the forest", set()),
        ("Train on a.csv, target y, for 20 seconds, and call it pumps", {"budget_seconds", "name"}),
        ("Train on a.csv, target y; the rows are in the order of years", set()),
    ],
)
def test_optional_arguments_that_are_clearly_asked_for_must_be_given(request_text: str, wanted: set[str]) -> None:
    required = asked_for(TRAIN, "Train a model that predicts a column", request_text)["required"]
    assert set(required) - {"dataset", "target"} == wanted


@pytest.mark.parametrize(
    ("request_text", "offered"), [("Which tables are there?", False), ("What is in the table loans?", True)]
)
def test_more_than_one_is_no_value_of_an_argument_that_takes_one(request_text: str, offered: bool) -> None:
    shape = {"properties": {"table": {"type": "string", "description": "Only this table, in detail"}}}
    assert bool(asked_for(shape, "Tables of a database", request_text)["properties"]) == offered


def test_a_number_that_may_mean_anything_is_copied() -> None:
    properties = asked_for(TRAIN, "Train a model", "Train on a.csv, pump 2 must be in it")["properties"]
    assert properties["budget_seconds"]["enum"] == [2]
    assert "enum" not in asked_for(TRAIN, "Train a model", "Take 20 seconds")["properties"]["budget_seconds"]
    assert (
        "enum"
        not in asked_for(TRAIN, "Train a model", "Train on a.csv, at most two minutes")["properties"]["budget_seconds"]
    )


def test_two_words_of_a_description_that_stand_side_by_side_mean_that_argument() -> None:
    properties = {
        **TRAIN["properties"],
        "task": {"enum": ["auto", "classes", "regression"]},
        "model": {"enum": ["auto", "linear", "lightgbm"], "description": "linear is logistic regression for classes"},
    }
    shape = {**TRAIN, "properties": properties}
    logistic = asked_for(shape, "Train a model", "Fit a logistic regression on a.csv for y")["properties"]
    assert "task" not in logistic
    assert logistic["model"]["enum"] == ["auto", "linear", "lightgbm"]
    plainly = asked_for(shape, "Train a model", "A regression on a.csv for y, logistic if need be")
    assert plainly["properties"]["task"]["enum"] == ["regression"]
    assert "model" not in plainly["properties"]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 7), st.booleans())
def test_text_decoded_in_pieces_is_the_text(text: str, width: int, ascii_only: bool) -> None:
    quoted = json.dumps(text, ensure_ascii=ascii_only)[1:]
    reader = JsonText()
    pieces = [reader.feed(quoted[at : at + width]) for at in range(0, len(quoted), width)]
    assert "".join(pieces) == text
    assert reader.done


def test_a_lone_half_of_a_surrogate_pair_does_not_break_the_stream() -> None:
    reader = JsonText()
    text = reader.feed('a\\ud83d b\\ude00"')
    assert text == "a\N{REPLACEMENT CHARACTER} b\N{REPLACEMENT CHARACTER}"
    text.encode()


@given(st.integers(1, 60))
def test_a_step_cut_anywhere_is_never_a_call(length: int) -> None:
    whole = '{"tool": "train", "arguments": {"dataset": "a.csv", "target": "y"}}'
    step = Step()
    step.feed(whole[:length])
    assert step.arguments() is None


@given(st.integers(1, 9), st.sampled_from(["END", "\n\n", "z"]))
def test_a_stop_word_ends_the_answer_wherever_it_is_split(width: int, stop: str) -> None:
    text = json.dumps({"tool": "respond", "arguments": {"answer": f"first part{stop}second"}})
    chunks = [{"choices": [{"delta": {"content": text[at : at + width]}}]} for at in range(0, len(text), width)]
    pieces = list(Answer(constrained=True, stops=(stop,)).read(chunks))
    assert "".join(p.text for p in pieces) == "first part"
    assert pieces[-1].finish == "stop"


TOOLS = [
    {"name": "profile_data", "description": "Look at a data file", "parameters": plain(TRAIN)},
    {"name": "train", "description": "Train a model that predicts a column", "parameters": plain(TRAIN)},
    {"name": "predict", "description": "Apply a model", "parameters": {"type": "object", "properties": {}}},
    {"name": "evaluate", "description": "Test a model", "parameters": {"type": "object", "properties": {}}},
]


@pytest.mark.parametrize(
    ("request_text", "done", "left"),
    [
        ("Train on a.csv to predict y", [("train", {"dataset": "a.csv", "target": "y"})], []),
        ("Train on ./A.csv to predict y", [("train", {"dataset": "a.csv", "target": "y"})], []),
        ("Train on a.csv for y and test it on b/c.csv", [("train", {"dataset": "a.csv"})], ["test it on b/c.csv"]),
        ("Evaluate model:a/1 and model:b/2", [("evaluate", {"model": "model:a/1"})], ["model:b/2"]),
        ("Train on a.csv for y, then evaluate", [("train", {"dataset": "a.csv"})], ["evaluate"]),
        (
            "A linear one and a random forest on a.csv",
            [("train", {"dataset": "a.csv", "model": "linear"})],
            ["a random forest on a.csv"],
        ),
        ("Train on a.csv", [("train", {"dataset": "data/a.csv"})], []),
        ("Train on a.csv. Is 0.5 good, e.g. for v2.0?", [("train", {"dataset": "a.csv"})], []),
        ("Train on a.csv", [], []),
    ],
)
def test_what_a_request_names_and_no_call_has_used_is_still_open(
    request_text: str, done: list[tuple[str, dict[str, str]]], left: list[str]
) -> None:
    assert open_steps(request_text, TOOLS, done) == left


def test_lists_are_arguments_too() -> None:
    shapes = {"measures": {"type": "array", "items": {"enum": ["mean", "median"]}}, "model": {"enum": ["a", "b"]}}
    tools = [{"name": "sum_up", "description": "", "parameters": {"type": "object", "properties": shapes}}]
    done = [("sum_up", {"measures": ["mean", "median"], "model": ["a", "b"]})]
    assert open_steps("Mean and median of x.csv", tools, done, []) == []


def test_a_misspelt_file_is_not_left_open() -> None:
    done = [("train", {"dataset": "houses.csv"})]
    assert open_steps("Train on huoses.csv", TOOLS, done, ["houses.csv", "may.csv"]) == []
    assert open_steps("Train on huoses.csv, test on may.csv", TOOLS, done, ["may.csv"]) == ["test on may.csv"]


@pytest.mark.parametrize(
    ("request_text", "left"),
    [
        ("Train on a.csv, then tell me what a lost book costs", ["tell me what a lost book costs"]),
        ("Train on a.csv and say how good it is", []),
        ("Train on a.csv. What a nice day!", []),
        ("Train on a.csv and say which score the held-back rows have", []),
        ("Train on a.csv, my boss waits for it", []),
    ],
)
def test_a_question_about_something_new_is_still_open(request_text: str, left: list[str]) -> None:
    done = [("train", {"dataset": "a.csv"})]
    result = "Trained model:a/1: score 0.9 on held-back rows."
    assert open_steps(request_text, TOOLS, done, results=result) == left


@given(st.integers(1, 9))
def test_a_structured_answer_is_the_json_of_its_arguments(width: int) -> None:
    text = json.dumps({"tool": "respond", "arguments": {"answer": "yes", "good": True}})
    chunks = [{"choices": [{"delta": {"content": text[at : at + width]}}]} for at in range(0, len(text), width)]
    pieces = list(Answer(constrained=True, structured=True).read(chunks))
    assert json.loads("".join(p.text for p in pieces)) == {"answer": "yes", "good": True}
