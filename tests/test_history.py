"""What people rely on in long threads: they fit the model, keep what matters, and lose nothing of what is stored."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatResult

from agentkit import Agent, TextResult, ToolSpec, hookimpl, load_settings
from agentkit.errors import ContextExceeded
from agentkit.middleware.history import context_of, estimated_tokens, fitting
from agentkit.testing import ScriptedChatModel, call


def look(name: str) -> TextResult:
    """Look at something."""
    return TextResult(text=f"{name} holds 3 things.")


class Plugin:
    """The tool of these tests."""

    @hookimpl
    def register_tools(self) -> list[ToolSpec]:
        return [ToolSpec("look", f"{__name__}:look", "Look at something")]


def agent_with(model: ScriptedChatModel) -> Agent:
    """An agent with one tool: how much room is left does not depend on the built-in ones."""
    return Agent(model, plugins=[Plugin()], settings=load_settings(plugins={"enabled": []}))


def seen_text(messages: list[BaseMessage]) -> str:
    return "\n".join(m.text for m in messages)


def assert_paired(messages: list[BaseMessage]) -> None:
    asked = [c["id"] for m in messages if isinstance(m, AIMessage) for c in m.tool_calls]
    answered = [m.tool_call_id for m in messages if isinstance(m, ToolMessage)]
    assert asked == answered


def test_a_thread_of_50_turns_fits_a_small_context_and_keeps_the_first_request_and_the_latest_results() -> None:
    script: list[Any] = []
    for turn in range(50):
        script += [call("look", id=f"call-{turn}", name=f"box {turn}"), f"Box {turn} holds 3 things, as I said. " * 3]
    model = ScriptedChatModel(script=script, profile={"max_input_tokens": 2_500})
    thread = None
    with agent_with(model) as agent:
        for turn in range(50):
            said = "My name is Ada and I count boxes." if turn == 0 else f"And what is in box {turn}, please?"
            thread = agent.ask(said, thread=thread).thread_id
        stored = agent.threads.messages(str(thread))
    changes = 0
    for before, now in zip(model.seen, model.seen[1:], strict=False):
        assert_paired(now)
        assert "My name is Ada" in now[1].text
        changes += [m.text for m in now[: len(before)]] != [m.text for m in before]
    assert changes <= 10
    last = seen_text(model.seen[-1])
    assert "box 49 holds 3 things." in last
    assert "answered: Box 3" in last or "earlier steps" in last
    assert len(last) < 2_500 * 4
    assert len(stored) == 50 * 4
    assert stored[0]["content"] == "My name is Ada and I count boxes."


def test_a_long_run_keeps_its_request_and_its_latest_results() -> None:
    steps = [
        call("look", id=f"call-{i}", name=f"a rather long name of a box, the one with the number {i}")
        for i in range(15)
    ]
    model = ScriptedChatModel(script=[*steps, "Done."], profile={"max_input_tokens": 1_500})
    with agent_with(model) as agent:
        reply = agent.ask("Look into all boxes")
    assert len(reply.tool_calls) == 15
    for messages in model.seen:
        assert_paired(messages)
        assert "Look into all boxes" in messages[1].text
    last = model.seen[-1]
    assert "number 14" in last[-1].text
    assert len(last) < 30
    assert "called look(" in last[1].text


def test_a_first_request_that_is_itself_long_is_shortened_later() -> None:
    model = ScriptedChatModel(script=["Read."], profile={"max_input_tokens": 3_000})
    with agent_with(model) as agent:
        thread = agent.ask("Remember this. " + "words and more words, " * 300).thread_id
        for turn in range(12):
            agent.ask(f"Say something about {turn}, " * 20, thread=thread)
    assert model.seen[0][1].text.count("more words") == 300
    assert model.seen[-1][1].text.startswith("Remember this. ")
    assert model.seen[-1][1].text.count("more words") < 100


def test_handles_of_what_is_left_out_are_still_told() -> None:
    made = [call("look", id=f"call-{i}", name=f"model:churn/{i + 1} in a box") for i in range(3)]
    chatter = ["word " * 100] * 15
    script = [s for pair in zip(made, ["Looked."] * 3, strict=True) for s in pair]
    model = ScriptedChatModel(script=[*script, *chatter], profile={"max_input_tokens": 2_000})
    with agent_with(model) as agent:
        thread = None
        for turn in range(18):
            thread = agent.ask(f"Go on with {turn}", thread=thread).thread_id
    assert "results named: model:churn/1, model:churn/2, model:churn/3" in model.seen[-1][1].text


def test_without_a_known_context_nothing_is_left_out_and_a_setting_gives_one(workspace: Path) -> None:
    def talk() -> list[BaseMessage]:
        model = ScriptedChatModel(script=["word " * 200])
        with agent_with(model) as agent:
            thread = None
            for turn in range(6):
                thread = agent.ask(f"Turn {turn}", thread=thread).thread_id
        return model.seen[-1]

    assert len(talk()) == 12
    (workspace / "agentkit.toml").write_text("[limits]\ncontext = 1500\n")
    assert len(talk()) < 12


def test_a_model_that_finds_the_request_too_long_gets_a_shorter_one() -> None:
    class Small(ScriptedChatModel):
        def _generate(self, messages: list[BaseMessage], *args: Any, **options: Any) -> ChatResult:
            if len(seen_text(messages)) > 6_000:
                raise ContextExceeded("too long")
            return super()._generate(messages, *args, **options)

    model = Small(script=["word " * 200])
    with agent_with(model) as agent:
        thread = agent.ask("My name is Ada").thread_id
        for turn in range(9):
            agent.ask(f"Turn {turn}", thread=thread)
        assert "My name is Ada" in seen_text(model.seen[-1])
        with pytest.raises(ContextExceeded):
            agent.ask("much " * 4_000, thread=thread)


def note(*, lines: list[str], unlisted: int, handles: list[str]) -> str:
    return "\n".join([f"{unlisted} more", *lines, *handles])


words = st.text("abc xyz, 123 \n äß漢", max_size=120)
turns = st.lists(st.tuples(words, st.lists(words, max_size=5), words), min_size=1, max_size=25)


def thread_of(spoken: list[tuple[str, list[str], str]]) -> list[AnyMessage]:
    """Requests, each with some calls and an answer."""
    messages: list[AnyMessage] = []
    for turn, (request, results, answer) in enumerate(spoken):
        messages.append(HumanMessage(f"request {turn} {request}"))
        for step, result in enumerate(results):
            called = f"{turn}-{step}"
            messages.append(AIMessage("", tool_calls=[{"name": "look", "args": {"name": result}, "id": called}]))
            messages.append(ToolMessage(result, tool_call_id=called))
        messages.append(AIMessage(f"answer {turn} {answer}"))
    return messages


@given(spoken=turns, room=st.integers(120, 900))
@settings(max_examples=60, deadline=None)
def test_whatever_was_said_calls_stay_paired_and_the_first_request_and_the_latest_result_are_there(
    spoken: list[tuple[str, list[str], str]], room: int
) -> None:
    whole = thread_of(spoken)
    for end in range(1, len(whole) + 1):
        if isinstance(whole[end - 1], AIMessage) and whole[end - 1].tool_calls:  # type: ignore[union-attr]
            continue  # a model is never asked between a call and its result
        before = [m.model_dump() for m in whole[:end]]
        shown = fitting(whole[:end], room, note)
        assert_paired(list(shown))
        assert shown[0].text.startswith("request 0")
        assert shown[-1].text.endswith(whole[end - 1].text) or len(shown) == 1
        present = max(i for i in range(end) if whole[i].type == "human")
        assert any(m.text.startswith(whole[present].text) for m in shown if m.type == "human")
        assert [m.model_dump() for m in whole[:end]] == before


@given(spoken=turns, room=st.integers(1_000, 2_000))
@settings(max_examples=50, deadline=None)
def test_what_is_shown_fits_and_its_beginning_seldom_changes(
    spoken: list[tuple[str, list[str], str]], room: int
) -> None:
    whole = thread_of(spoken)
    shown: list[AnyMessage] = []
    cuts, cost = 0, 0
    for end in range(1, len(whole) + 1):
        now = fitting(whole[:end], room, note)
        if now[: len(shown)] != shown:
            cuts += 1
        cost += estimated_tokens(whole[end - 1].text) + 25
        shown = now
        assert sum(estimated_tokens(m.text) for m in now) <= room
    assert cuts <= cost / (room * 0.2)


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        (ScriptedChatModel(script=["x"], profile={"max_input_tokens": 900}), 900),
        (SimpleNamespace(context=8192, max_tokens=1024), 7168),
        (SimpleNamespace(context=4096), 4096),
        (ScriptedChatModel(script=["x"]), None),
    ],
)
def test_the_context_is_what_the_model_says_of_itself(model: Any, tokens: int | None) -> None:
    assert context_of(model) == tokens


class Narrow(BaseHTTPRequestHandler):
    """A server with OpenAI's protocol whose model takes 4,000 characters of conversation."""

    refused = 0

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if sum(len(str(m["content"])) for m in asked["messages"]) > 4_000:
            type(self).refused += 1
            problem = "This model's maximum context length is 1000 tokens."
            self.answer(400, {"error": {"message": problem, "code": "context_length_exceeded"}})
            return
        said = {"role": "assistant", "content": "word " * 100}
        choice = {"index": 0, "finish_reason": "stop", "message": said}
        self.answer(200, {"id": "1", "object": "chat.completion", "created": 1, "model": "narrow", "choices": [choice]})

    def answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def test_a_remote_model_that_tells_no_context_is_asked_again_with_less() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Narrow) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with Agent(f"http://127.0.0.1:{server.server_port}/v1#narrow") as agent:
            thread = agent.ask("My name is Ada").thread_id
            for turn in range(9):
                assert agent.ask(f"Turn {turn}", thread=thread).text
            with pytest.raises(ContextExceeded, match="longer than it takes; start a new thread"):
                agent.ask("much " * 2_000, thread=thread)
        server.shutdown()
    assert 1 <= Narrow.refused <= 6


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_embedded_model_knows_the_first_request_after_50_turns(workspace: Path) -> None:
    # less than the model takes, so that the test need not wait until so much is read
    (workspace / "agentkit.toml").write_text("[limits]\ncontext = 4000\n")
    (workspace / "boxes.csv").write_text("box,weight\n" + "\n".join(f"{i},{i * 1.5}" for i in range(200)))
    chatter = [f"A median is the middle value, and here is a thought about number {i}. " * 12 for i in range(48)]
    first = "Hello, my name is Ada and I want to find out which of my boxes is too heavy."
    with Agent(ScriptedChatModel(script=["Hello Ada!", *chatter])) as agent:
        thread = agent.ask(first).thread_id
        for turn in range(1, 48):
            agent.ask(f"Tell me a thought about number {turn}", thread=thread)
    with Agent("local") as agent:
        looked = agent.ask("What is in boxes.csv?", thread=thread)
        reply = agent.ask("What is my name, and what did I want to find out in my first message?", thread=thread)
        stored = agent.threads.messages(thread)
    assert [c.name for c in looked.tool_calls] == ["profile_data"]
    assert "Ada" in reply.text
    assert "heavy" in reply.text
    assert sum(len(str(m["content"])) for m in stored) > 8_192 * 4
    said = [m["content"] for m in stored if m["role"] == "human"]
    assert (len(said), said[0]) == (50, first)
