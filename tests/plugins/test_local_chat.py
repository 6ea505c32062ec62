"""The embedded model itself: the real file, loaded once for these tests."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from agentkit_local.chat import LocalChatModel, chat_model
from agentkit_local.download import find
from agentkit_local.manifest import find_entry
from agentkit_local.states import KEPT, PromptStates
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import Runnable
from pydantic import BaseModel, Field

from agentkit.errors import MissingExtra, ModelNotFound, ProviderError
from agentkit.settings import load_settings

SYSTEM = SystemMessage(
    "You are agentkit, an assistant for machine learning. You work on files with the tools you have."
)


def train(
    dataset: Annotated[str, Field(description="A file of the workspace")],
    target: Annotated[str, Field(description="The column to predict")],
    model: Literal["auto", "linear", "random_forest"] = "auto",
    budget_seconds: Annotated[float | None, Field(description="Time limit in seconds")] = None,
) -> str:
    """Train a model that predicts a column of a data set."""
    return ""


def evaluate(
    model: Annotated[str, Field(description="A model, such as model:NAME/VERSION")],
    dataset: Annotated[str, Field(description="A file with the true values")],
) -> str:
    """Measure how good a trained model is on a data set."""
    return ""


@pytest.fixture(scope="module")
def model() -> LocalChatModel:
    settings = load_settings()
    assert find(find_entry(settings)), "the embedded model is missing: run `agentkit models pull`"
    return chat_model("", settings)


@pytest.fixture
def agent(model: LocalChatModel) -> Runnable[Any, AIMessage]:
    return model.bind_tools([train, evaluate])


def ask(text: str) -> list[Any]:
    return [SYSTEM, HumanMessage(text)]


TRAINED: list[Any] = [
    *ask("Train a model on houses.csv that predicts price, then evaluate it on houses_may.csv"),
    AIMessage("", tool_calls=[{"name": "train", "args": {"dataset": "houses.csv", "target": "price"}, "id": "c1"}]),
    ToolMessage("Trained model:price/1: r2 0.83 on 120 held-back rows.", tool_call_id="c1", name="train"),
]


@pytest.mark.parametrize(
    ("request_text", "args"),
    [
        ("Train a model on houses.csv that predicts price", {"dataset": "houses.csv", "target": "price"}),
        (
            "Train a random forest on houses.csv, target price, and take at most 20 seconds",
            {"dataset": "houses.csv", "target": "price", "model": "random_forest", "budget_seconds": 20},
        ),
    ],
)
def test_a_request_becomes_the_tool_call_that_it_asks_for(
    agent: Runnable[Any, AIMessage], request_text: str, args: dict[str, Any]
) -> None:
    reply = agent.invoke(ask(request_text))
    assert [(c["name"], c["args"]) for c in reply.tool_calls] == [("train", args)]
    assert reply.content == ""
    assert reply.response_metadata["finish_reason"] == "tool_calls"


def test_a_greeting_calls_no_tool_and_streams_as_it_is_decoded(agent: Runnable[Any, AIMessage]) -> None:
    chunks = list(agent.stream(ask("Hi there!")))
    whole: Any = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk)
    assert len([c for c in chunks if c.content]) > 2
    assert not whole.tool_calls
    assert '"answer"' not in whole.text
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 2
    assert whole.usage_metadata["input_token_details"]["cache_read"] > 200


def test_the_second_step_follows_from_the_first_result(agent: Runnable[Any, AIMessage]) -> None:
    call = agent.invoke(TRAINED).tool_calls[0]
    assert call["name"] == "evaluate"
    assert call["args"]["model"].removeprefix("model:") == "price/1"
    assert call["args"]["dataset"] == "houses_may.csv"


def test_the_answer_reports_the_results(agent: Runnable[Any, AIMessage]) -> None:
    evaluation = {"name": "evaluate", "args": {"model": "model:price/1", "dataset": "houses_may.csv"}, "id": "c2"}
    reply = agent.invoke(
        [
            *TRAINED,
            AIMessage("", tool_calls=[evaluation]),
            ToolMessage("model:price/1 on houses_may.csv: r2 0.79.", tool_call_id="c2", name="evaluate"),
        ]
    )
    assert not reply.tool_calls
    assert "0.79" in reply.text


@pytest.mark.parametrize("choice", ["any", "required", "evaluate", True])
def test_a_tool_choice_leaves_no_other_way(model: LocalChatModel, choice: Any) -> None:
    reply = model.bind_tools([train, evaluate], tool_choice=choice).invoke(ask("Hello!"))
    assert len(reply.tool_calls) == 1
    if choice == "evaluate":
        assert reply.tool_calls[0]["name"] == "evaluate"


def test_a_choice_or_a_name_that_cannot_be_is_refused(model: LocalChatModel) -> None:
    with pytest.raises(ProviderError, match="'fly'"):
        model.bind_tools([train], tool_choice="fly")
    taken = {"type": "function", "function": {"name": "respond", "description": "", "parameters": {}}}
    with pytest.raises(ProviderError, match="'respond'"):
        model.bind_tools([taken])


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_that_is_cut_is_invalid_and_never_runs(agent: Runnable[Any, AIMessage], streamed: bool) -> None:
    cut = agent.bind(max_tokens=16)
    question = ask("Train a model on houses.csv that predicts price")
    reply: Any = None
    if streamed:
        for chunk in cut.stream(question):
            reply = chunk if reply is None else reply + chunk
    else:
        reply = cut.invoke(question)
    assert not reply.tool_calls
    assert reply.invalid_tool_calls[0]["name"] == "train"
    assert reply.response_metadata["finish_reason"] == "length"


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int
    town: str | None = None


def test_structured_output_has_the_shape(model: LocalChatModel) -> None:
    assert model.with_structured_output(Person).invoke("Ann is 31 and lives in Leeds.") == Person(
        name="Ann", age=31, town="Leeds"
    )
    raw = model.with_structured_output(Person.model_json_schema(), include_raw=True).invoke("Bob, 40, from Bath.")
    assert raw["parsed"]["age"] == 40
    assert raw["parsing_error"] is None


class Verdict(BaseModel):
    good: bool
    reason: str


def test_an_answer_beside_tools_has_the_shape_that_is_asked_for(model: LocalChatModel) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "Verdict", "schema": Verdict.model_json_schema()}}
    asked = model.bind_tools([train, evaluate], response_format=form)
    called = asked.invoke([SYSTEM, HumanMessage("Train a model on a.csv that predicts y")])
    assert [c["name"] for c in called.tool_calls] == ["train"]
    result = ToolMessage(
        "Trained model:a/1: accuracy 0.98, guessing 0.5.", tool_call_id=str(called.tool_calls[0]["id"])
    )
    said = asked.invoke([SYSTEM, HumanMessage("Train on a.csv for y. Is it good?"), called, result])
    assert Verdict.model_validate_json(str(said.text)).good


def test_a_stop_word_ends_a_plain_answer(model: LocalChatModel) -> None:
    reply = model.invoke("Count from 1 to 9, with commas.", stop=["5"])
    assert "4" in reply.text
    assert "5" not in reply.text
    assert reply.response_metadata["finish_reason"] == "stop"


def test_a_model_that_repeats_itself_is_stopped(model: LocalChatModel) -> None:
    reply = model.invoke("Continue for ever, without an end: na na na na na na na na na na na na na na na na")
    assert reply.response_metadata["finish_reason"] == "repetition"
    assert 0 < len(reply.text) < 40
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["input_tokens"] > 20
    assert 20 < reply.usage_metadata["output_tokens"] < 200


def test_a_prompt_that_is_too_long_says_how_long_it_may_be(model: LocalChatModel) -> None:
    with pytest.raises(ProviderError, match=r"has \d+ tokens.* takes 8192"):
        model.invoke("word " * 9_000)


def test_cancelling_while_the_prompt_is_read_frees_the_model_at_once(agent: Runnable[Any, AIMessage]) -> None:
    async def cancel_and_ask() -> tuple[str, float]:
        long = ask("Summarise this text: " + "the cat sat on the mat and looked at the moon, " * 400)
        task = asyncio.create_task(agent.ainvoke(long))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        started = time.monotonic()
        pieces = [chunk.text async for chunk in agent.astream(ask("Hi"))]
        return "".join(pieces), time.monotonic() - started

    answer, seconds = asyncio.run(cancel_and_ask())
    assert answer
    assert seconds < 30


def test_a_stream_that_is_closed_stops_decoding(model: LocalChatModel) -> None:
    stream = model.stream("Recite a poem of two hundred lines.", max_tokens=4_000)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not any(t.name.startswith("agentkit-decode") for t in threading.enumerate())


def test_a_file_that_is_not_there_names_the_command_that_fetches_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AGENTKIT_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFound, match="agentkit models pull"):
        chat_model("", load_settings())
    with pytest.raises(ModelNotFound, match=r"nothing\.gguf"):
        chat_model("nothing.gguf", load_settings())


def test_a_file_that_is_no_model_is_a_clear_error(workspace: Path) -> None:
    (workspace / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ProviderError, match=r"broken\.gguf"):
        chat_model("broken.gguf", load_settings()).invoke("Hi")


_SECOND_PROCESS = """
import sys, time
from agentkit.settings import load_settings
from agentkit_local.chat import chat_model
def paint(colour: str):
    "Paint the wall."
model = chat_model("", load_settings())
model.engine
system = "You paint walls."
if sys.argv[1] == "tools":
    bound = model.bind_tools([paint])
else:
    bound, system = model, system + " ".join(f"Wall {n} has {n * n} bricks." for n in range(60))
started = time.monotonic()
bound.invoke([("system", system), ("user", "Hi")], max_tokens=2)
print(time.monotonic() - started)
"""


def _first_answer(cache: Path, kind: str) -> float:
    process = subprocess.run(
        [sys.executable, "-c", _SECOND_PROCESS, kind],
        capture_output=True, text=True, check=True, env=os.environ | {"AGENTKIT_CACHE": str(cache)},
    )  # fmt: skip
    assert process.stderr == ""
    return float(process.stdout)


@pytest.mark.parametrize("kind", ["tools", "a long system prompt"])
def test_a_new_process_does_not_read_the_system_prompt_again(model: LocalChatModel, tmp_path: Path, kind: str) -> None:
    (tmp_path / "models").mkdir()
    for file in (model.file, model.file.with_name(f"{model.file.name}.json")):
        (tmp_path / "models" / file.name).symlink_to(file)
    cold = _first_answer(tmp_path, kind)
    (state,) = (tmp_path / "prompt-states").glob("*.state")
    assert state.stat().st_mode & 0o077 == 0
    assert _first_answer(tmp_path, kind) < cold / 2
    with state.open("ab") as stream:
        stream.truncate(state.stat().st_size // 2)
    assert _first_answer(tmp_path, kind) > 0
    assert [f.name for f in (tmp_path / "prompt-states").glob("*.state")] == [state.name]


def test_prompt_states_that_are_damaged_or_old_are_dropped(tmp_path: Path) -> None:
    def command(action: str, name: str) -> bool:
        if action == "save":
            (tmp_path / name).write_bytes(os.urandom(100))
        return True

    states = PromptStates(tmp_path, command)
    for n in range(KEPT + 3):
        states.save(f"key{n}")
    assert len(list(tmp_path.glob("*.state"))) == KEPT
    assert states.restore(f"key{KEPT + 2}")
    (tmp_path / f"key{KEPT + 2}.state").write_bytes(b"something else")
    assert not states.restore(f"key{KEPT + 2}")
    assert not (tmp_path / f"key{KEPT + 2}.state").exists()
    assert not list(tmp_path.glob("*.tmp"))


def test_without_xllamacpp_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    (workspace / "some.gguf").write_bytes(b"GGUF")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtra, match=r"agentkit-ml\[local\]"):
        chat_model("some.gguf", load_settings()).invoke("Hi")
