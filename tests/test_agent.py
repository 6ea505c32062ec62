"""What people rely on in a run: answers, memory, approval, resuming, limits. The loop is driven by a scripted model."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from pydantic import BaseModel, Field

from agentkit import Agent, Decision, ToolContext, ToolResult, ToolSpec, hookimpl
from agentkit.errors import BadInput, Cancelled, PromptError, ProviderError, ThreadNotFound, ToolFailed, ToolInputError
from agentkit.events import ApprovalNeeded, Finished, TextDelta, ToolFinished, ToolProgress, ToolStarted
from agentkit.runs import Answer
from agentkit.testing import ScriptedChatModel, call

written: list[str] = []


class Temperature(ToolResult):
    city: str
    degrees: float

    def brief(self) -> str:
        return f"{self.city}: {self.degrees} degrees Celsius."


def weather(city: Annotated[str, Field(description="Name of the city")], *, ctx: ToolContext) -> Temperature:
    """The temperature in a city."""
    ctx.progress(f"asking {city}", 0.5)
    if city == "Atlantis":
        raise ZeroDivisionError("the secret depth is 42")
    return Temperature(city=city, degrees=3.5)


def remember(city: str, *, ctx: ToolContext) -> Temperature:
    """Write a city down."""
    written.append(city)
    ctx.note("written in ink")
    return Temperature(city=city, degrees=0)


def wait(*, ctx: ToolContext) -> Temperature:
    """Take long."""
    while True:
        ctx.progress("waiting")
        threading.Event().wait(0.02)


def ponder(*, ctx: ToolContext) -> Temperature:
    """Ask the chat model something."""
    return Temperature(city=ctx.model.invoke("Which city is it?").text, degrees=1)


class Plugin:
    """The tools of these tests."""

    @hookimpl
    def register_tools(self) -> list[ToolSpec]:
        return [
            ToolSpec("weather", f"{__name__}:weather", "The temperature in a city"),
            ToolSpec("remember", f"{__name__}:remember", "Write a city down", risk="write"),
            ToolSpec("wait", f"{__name__}:wait", "Take long"),
            ToolSpec("ponder", f"{__name__}:ponder", "Ask the model"),
        ]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    written.clear()
    yield


def make(*script: Any, **settings: Any) -> Agent:
    return Agent(ScriptedChatModel(script=list(script)), plugins=[Plugin()], **settings)


def test_a_question_is_answered_through_a_tool() -> None:
    with make(call("weather", city="Oslo"), "It is 3.5 degrees.") as agent:
        reply = agent.ask("How warm is Oslo?")
    assert reply.text == "It is 3.5 degrees."
    [made] = reply.tool_calls
    assert (made.name, made.args, made.status, made.result) == (
        "weather", {"city": "Oslo"}, "success", "Oslo: 3.5 degrees Celsius.",
    )  # fmt: skip
    assert isinstance(made.value, Temperature)
    assert reply.usage["model_calls"] == 2
    assert json.loads(json.dumps(reply.as_json()))["tool_calls"][0]["args"] == {"city": "Oslo"}


def test_a_thread_remembers_and_another_one_does_not() -> None:
    model = ScriptedChatModel(script=["Hello Ada.", "You are Ada.", "I do not know you."])
    with Agent(model, plugins=[Plugin()]) as agent:
        first = agent.ask("I am Ada")
        agent.ask("Who am I?", thread=first.thread_id)
        agent.ask("Who am I?")
    assert ["I am Ada" in str(m.content) for m in model.seen[1]].count(True) == 1
    assert not any("I am Ada" in str(m.content) for m in model.seen[2])


def test_a_thread_outlives_its_agent() -> None:
    with make("Hello.") as agent:
        thread = agent.ask("I am Ada").thread_id
    model = ScriptedChatModel(script=["You are Ada."])
    with Agent(model, plugins=[Plugin()]) as agent:
        agent.ask("Who am I?", thread=thread)
    assert any("I am Ada" in str(m.content) for m in model.seen[0])


def test_the_model_sees_the_files_but_the_thread_keeps_the_users_words(workspace: Path) -> None:
    (workspace / "churn.csv").write_text("a,b\n1,2\n")
    model = ScriptedChatModel(script=["ok"])
    with Agent(model, plugins=[Plugin()]) as agent:
        reply = agent.ask("What is there?")
        assert "churn.csv" in str(model.seen[0][-1].content)
        assert agent.threads.messages(reply.thread_id)[0]["content"] == "What is there?"


def test_files_are_told_where_they_help_and_once(workspace: Path) -> None:
    for name in ("churn.csv", "may.csv"):
        (workspace / name).write_text("a,b\n1,2\n")
    model = ScriptedChatModel(script=["ok"])
    turns = ("Look at churn.csv", "Is it any good?", "And the one of May?", "Try May again")
    with Agent(model, plugins=[Plugin()]) as agent:
        thread = None
        for turn in turns:
            thread = agent.ask(turn, thread=thread).thread_id
    said = [str(m.content) for m in model.seen[-1] if m.type == "human"]
    assert [said[0], said[1], said[3]] == [turns[0], turns[1], turns[3]]
    assert "may.csv" in said[2]
    assert model.seen[-1][: len(model.seen[-2])] == model.seen[-2]


def test_databases_are_told_beside_a_request_that_names_no_file(workspace: Path) -> None:
    with closing(sqlite3.connect("shop.db")) as connection:
        connection.executescript("CREATE TABLE orders (id INTEGER); CREATE TABLE customers (id INTEGER)")
    (workspace / "churn.csv").write_text("a,b\n1,2\n")
    (workspace / "agentkit.toml").write_text(
        '[databases]\nshop = "sqlite:///shop.db"\nfar = "postgresql://nobody@192.0.2.1/none"\ngone = "sqlite:///no.db"\n'
    )
    model = ScriptedChatModel(script=["ok"])
    with Agent(model) as agent:
        thread = agent.ask("How many orders are there?").thread_id
        agent.ask("And how many customers?", thread=thread)
    said = [str(m.content) for m in model.seen[-1] if m.type == "human"]
    assert "churn.csv" in said[0]
    assert "shop with the tables customers, orders; far; gone" in said[0]
    assert said[1] == "And how many customers?"


def test_what_a_tool_asks_the_model_is_not_streamed_as_the_answer() -> None:
    with make(call("ponder"), "Oslo, I think", "It is Oslo.") as agent:
        events = list(agent.stream("Which city is meant?"))
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "It is Oslo."
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert "Oslo, I think" in finished.reply.tool_calls[0].result


def test_a_stream_tells_text_tools_and_progress_in_order() -> None:
    with make(call("weather", city="Oslo"), "It is cold.") as agent:
        events = list(agent.stream("How warm is Oslo?"))
    kinds = [type(e) for e in events]
    assert kinds == [ToolStarted, ToolProgress, ToolFinished, TextDelta, TextDelta, TextDelta, Finished]
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "It is cold."
    assert isinstance(events[-1], Finished)
    assert events[-1].reply.text == "It is cold."


def test_a_call_that_writes_waits_for_a_person() -> None:
    with make(call("remember", city="Rome"), "Done.") as agent:
        reply = agent.ask("Write Rome down")
        assert [p.name for p in reply.pending] == ["remember"]
        assert reply.text == ""
        assert written == []
        with pytest.raises(BadInput, match="waits for a word on remember"):
            agent.resume(reply.thread_id)
        done = agent.resume(reply.thread_id, Answer("approve"))
    assert written == ["Rome"]
    assert done.text == "Done."
    assert done.tool_calls[0].result.endswith("Note: written in ink")


def test_an_edited_call_runs_with_the_persons_arguments() -> None:
    with make(call("remember", city="Rome"), "Done.") as agent:
        reply = agent.ask("Write Rome down")
        with pytest.raises(ToolInputError, match="there is no argument 'town'"):
            agent.resume(reply.thread_id, Answer("edit", {"town": "Pisa"}))
        done = agent.resume(reply.thread_id, Answer("edit", {"city": "Pisa"}))
    assert written == ["Pisa"]
    assert done.tool_calls[0].args == {"city": "Pisa"}


def test_a_refused_call_does_not_run_and_the_model_is_told_why() -> None:
    model = ScriptedChatModel(script=[call("remember", city="Rome"), "As you wish."])
    with Agent(model, plugins=[Plugin()]) as agent:
        reply = agent.ask("Write Rome down")
        done = agent.resume(reply.thread_id, Answer("refuse", message="not today"))
    assert written == []
    assert done.tool_calls[0].status == "error"
    assert "not today" in str(model.seen[-1][-1].content)


def test_yes_approves_and_a_denied_tool_stays_denied(workspace: Path) -> None:
    with make(call("remember", city="Rome"), "Done.") as agent:
        assert agent.ask("Write Rome down", yes=True).text == "Done."
    (workspace / "agentkit.toml").write_text('[approvals]\nremember = "deny"\n')
    with make(call("remember", city="Bari"), "No.") as agent:
        reply = agent.ask("Write Bari down", yes=True)
    assert written == ["Rome"]
    assert "was not run" in reply.tool_calls[0].result


def test_approval_survives_the_process() -> None:
    with make(call("remember", city="Rome"), "Done.") as agent:
        thread = agent.ask("Write Rome down").thread_id
    with make("Done.") as agent:
        assert agent.resume(thread, Answer("approve")).text == "Done."
    assert written == ["Rome"]


def test_tool_errors_go_back_to_the_model_and_the_run_goes_on() -> None:
    model = ScriptedChatModel(script=[call("wether", city="Oslo"), call("weather", id="call-2"), "I give up."])
    with Agent(model, plugins=[Plugin()]) as agent:
        reply = agent.ask("How warm is Oslo?")
    unknown, missing = (c.result for c in reply.tool_calls)
    assert "The nearest name is 'weather'" in unknown
    assert "'city' is missing" in missing
    assert reply.text == "I give up."


def test_an_unexpected_error_reaches_nobody_as_text_but_the_log(home: Path) -> None:
    model = ScriptedChatModel(script=[call("weather", city="Atlantis"), "Sorry."])
    with Agent(model, plugins=[Plugin()]) as agent:
        result = agent.ask("How warm is Atlantis?").tool_calls[0].result
        with pytest.raises(ToolFailed, match="failed unexpectedly") as raised:
            agent.call("weather", city="Atlantis")
    assert "secret depth" not in result + str(raised.value) + str(model.seen)
    reference = result.split("error ")[1].split()[0]
    assert f"{reference} tool 'weather'" in (home / "logs" / "errors.log").read_text()


def test_a_repeated_call_is_answered_without_running_again() -> None:
    again = call("remember", id="call-2", city="Rome")
    with make(call("remember", city="Rome"), again, "Done.") as agent:
        reply = agent.ask("Write Rome down", yes=True)
    assert written == ["Rome"]
    assert "already made" in reply.tool_calls[1].result


def test_a_direct_call_gives_the_typed_result_and_its_notes() -> None:
    with make("unused") as agent:
        assert agent.call("weather", city="Oslo").degrees == 3.5  # type: ignore[attr-defined]
        assert agent.call("remember", city="Oslo").notes == ["written in ink"]


def test_structured_output_is_an_instance_of_the_asked_model() -> None:
    class Warmth(BaseModel):
        degrees: float

    with make(call("Warmth", degrees=3.5)) as agent:
        assert agent.ask("How warm?", output=Warmth).output == Warmth(degrees=3.5)


def test_a_prompt_file_is_run_with_its_inputs_and_tools(workspace: Path) -> None:
    (workspace / "prompts").mkdir()
    (workspace / "prompts" / "trip.prompt.md").write_text(
        "---\ndescription: A trip\ninputs:\n  city: {type: string}\ntools: [weather]\n---\n"
        "# system\nPlan trips.\n# user\nGo to {{ city }}\n"
    )
    model = ScriptedChatModel(script=["Packed."])
    with Agent(model, plugins=[Plugin()]) as agent:
        assert agent.run("trip", {"city": "Oslo"}).text == "Packed."
        with pytest.raises(PromptError, match="needs the input 'city'"):
            agent.run("trip", {})
    assert [str(m.content) for m in model.seen[0]] == ["Plan trips.", "Go to Oslo"]
    assert [t.name for t in model.tools] == ["weather"]


def test_bad_requests_are_named() -> None:
    with make("unused") as agent:
        with pytest.raises(BadInput, match="message is empty"):
            agent.ask("  ")
        with pytest.raises(ThreadNotFound, match="no thread 'nope'"):
            agent.ask("Hello", thread="nope")
        with pytest.raises(ThreadNotFound, match="no thread 'nope'"):
            agent.resume("nope")


def test_a_failing_provider_is_a_sentence_without_its_text() -> None:
    class Broken(Exception):
        status_code = 401

    with (
        make(Broken("Incorrect API key provided: sk-live-1234567890abcdef")) as agent,
        pytest.raises(ProviderError) as raised,
    ):
        agent.ask("Hello")
    assert "refused the key" in str(raised.value)
    assert "sk-live" not in str(raised.value)


def test_a_fallback_answers_when_the_first_model_is_down(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentkit import models

    (workspace / "agentkit.toml").write_text('fallbacks = ["local"]\n')
    monkeypatch.setattr(models, "create", lambda *_: ScriptedChatModel(script=["From the spare."]))
    with make(ConnectionError("down")) as agent:
        reply = agent.ask("Hello")
        assert (reply.text, reply.model) == ("From the spare.", "local")


def test_the_async_twins_do_the_same() -> None:
    async def talk() -> tuple[str, list[type], Any]:
        async with make(call("weather", city="Oslo"), "Cold.") as agent:
            reply = await agent.aask("How warm is Oslo?")
            kinds = [type(e) async for e in agent.astream("And now?", thread=reply.thread_id)]
            return reply.text, kinds, await agent.acall("weather", city="Rome")

    text, kinds, result = asyncio.run(talk())
    assert text == "Cold."
    assert kinds[-1] is Finished
    assert result.degrees == 3.5


def test_the_graph_is_langgraphs_own_and_runs_async() -> None:
    async def run() -> list[Any]:
        async with make("Hello.") as agent:
            config = {"configurable": {"thread_id": "graph-test"}}
            run = agent._new_run("graph-test", False)
            state = await agent.graph.ainvoke({"messages": [("user", "Hi")]}, config, context=run)  # type: ignore[call-overload]
            return list(state["messages"])

    assert asyncio.run(run())[-1].content == "Hello."


def test_many_threads_of_one_agent_work_at_once() -> None:
    with make("Hello.") as agent:
        replies: list[str] = []
        workers = [threading.Thread(target=lambda: replies.append(agent.ask("Hi").thread_id)) for _ in range(10)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert len(set(replies)) == 10


def test_a_listener_that_goes_away_stops_the_run() -> None:
    with make(call("wait"), "unused") as agent:
        events = agent.stream("Wait")
        assert isinstance(next(events), ToolStarted)
        events.close()
        assert not any(t.name.startswith("agentkit-run") for t in threading.enumerate())


def test_an_unfinished_call_does_not_spoil_the_thread() -> None:
    model = ScriptedChatModel(script=[call("remember", city="Rome"), "Never mind."])
    with Agent(model, plugins=[Plugin()]) as agent:
        thread = agent.ask("Write Rome down").thread_id
        assert agent.ask("Forget it", thread=thread).text == "Never mind."
    calls = {c["id"] for m in model.seen[-1] if isinstance(m, AIMessage) for c in m.tool_calls}
    answered = {m.tool_call_id for m in model.seen[-1] if isinstance(m, ToolMessage)}
    assert calls == answered
    assert written == []


KILLED = """
import os, sys
sys.path.insert(0, {tests!r})
from tests import test_agent as t
from agentkit.testing import call
class Model(t.ScriptedChatModel):
    def _next(self, messages):
        if len(self.seen) == 1:
            os.kill(os.getpid(), 9)
        return super()._next(messages)
with t.Agent(Model(script=[call("remember", city="Rome"), "Done."]), plugins=[t.Plugin()]) as agent:
    agent._new_run = lambda thread, yes, make=agent._new_run: make(thread or "killed-{key}", yes)
    agent.ask("Write Rome down", yes=True)
"""


def test_a_killed_run_resumes_without_writing_twice(workspace: Path) -> None:
    root = Path(__file__).parent.parent
    code = textwrap.dedent(KILLED).format(tests=str(root), key=workspace.name)
    ended = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(root)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    with make("Done.") as agent:
        reply = agent.resume(f"killed-{workspace.name}", yes=True)
    assert reply.text == "Done."
    assert written == []
    assert [c.name for c in reply.tool_calls] == ["remember"]


def test_ctrl_c_stops_a_tool_at_its_next_progress() -> None:
    with make("unused") as agent:
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
        with pytest.raises((KeyboardInterrupt, Cancelled)):
            agent.call("wait")


def test_a_review_hears_who_asks_and_decides() -> None:
    class Guard:
        @hookimpl
        def review_tool_call(self, call: Any) -> Decision:
            return Decision("ask", "reading needs a word today") if call.name == "weather" else Decision("allow")

    model = ScriptedChatModel(script=[call("weather", city="Oslo"), "Cold."])
    with Agent(model, plugins=[Plugin(), Guard()]) as agent:
        [needed] = agent.ask("How warm?").pending
    assert isinstance(needed, ApprovalNeeded)
    assert needed.reason == "reading needs a word today"
