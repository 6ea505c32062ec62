"""A turn that was paused or killed goes on as what it was begun as, and alone on its thread."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agentkit import Agent, ToolContext, ToolResult, ToolSpec, hookimpl
from agentkit.errors import BudgetExceeded, ThreadBusy
from agentkit.events import Finished
from agentkit.runs import Answer
from agentkit.testing import ScriptedChatModel, call

started, go_on = threading.Event(), threading.Event()


class Note(ToolResult):
    text: str

    def brief(self) -> str:
        return self.text


def write(text: str) -> Note:
    """Write something down."""
    return Note(text=text)


def wait(*, ctx: ToolContext) -> Note:
    """Wait until the test says go on."""
    started.set()
    while not go_on.wait(0.02):
        ctx.progress("waiting")
    return Note(text="waited")


class Plugin:
    """The tools of these tests."""

    @hookimpl
    def register_tools(self) -> list[ToolSpec]:
        return [
            ToolSpec("write", f"{__name__}:write", "Write something down", risk="write"),
            ToolSpec("wait", f"{__name__}:wait", "Wait"),
        ]


class City(BaseModel):
    """A place."""

    name: str
    people: int


@pytest.fixture(autouse=True)
def _fresh() -> None:
    started.clear()
    go_on.clear()


def make(*script: Any) -> Agent:
    return Agent(ScriptedChatModel(script=list(script)), plugins=[Plugin()])


def test_a_structured_answer_is_still_one_after_the_pause() -> None:
    with make(call("write", text="Rome"), call("City", id="2", name="Rome", people=2)) as agent:
        thread = agent.ask("Write Rome down", output=City).thread_id
    with make(call("City", id="2", name="Rome", people=2)) as agent:
        reply = agent.resume(thread, Answer("approve"), output=City)
        assert reply.output == City(name="Rome", people=2)
        assert agent.resume(thread).output == {"name": "Rome", "people": 2}


def test_a_streamed_answer_that_does_not_fit_is_asked_for_again() -> None:
    with make(call("City", name="Rome", people=-1.5), call("City", id="2", name="Rome", people=2)) as agent:
        finished = [e for e in agent.stream("Which city?", output=City) if isinstance(e, Finished)]
    assert [f.reply.output for f in finished] == [City(name="Rome", people=2)]


def test_a_prompt_file_goes_on_with_its_own_instructions_and_tools(workspace: Path) -> None:
    (workspace / "prompts").mkdir()
    (workspace / "prompts" / "diary.prompt.md").write_text(
        "---\ndescription: A diary\ninputs:\n  city: {type: string}\ntools: [write]\n---\n"
        "# system\nKeep a diary about {{ city }}.\n# user\nBegin\n"
    )
    with make(call("write", text="Rome")) as agent:
        thread = agent.run("diary", {"city": "Rome"}).thread_id
    model = ScriptedChatModel(script=["Written."])
    with Agent(model, plugins=[Plugin()]) as agent:
        assert agent.resume(thread, yes=True).text == "Written."
    assert model.seen[0][0].content == "Keep a diary about Rome."
    assert [t.name for t in model.tools] == ["write"]


def test_a_thread_at_work_is_refused_to_others_until_it_is_done() -> None:
    with make("Hello.", call("wait"), "Waited.", "And now?") as agent, make("unused") as other:
        thread = agent.ask("Hello").thread_id
        events = agent.stream("Wait", thread=thread)
        worker = threading.Thread(target=lambda: list(events))
        worker.start()
        assert started.wait(20)
        for one in (agent, other):
            with pytest.raises(ThreadBusy, match=f"thread '{thread}' is at work"):
                one.resume(thread)
        go_on.set()
        worker.join()
        assert agent.ask("And now?", thread=thread).text == "And now?"


HOLDER = """
import sys, time
from agentkit.settings import load_settings
from agentkit.storage import Storage
with Storage(load_settings()) as storage, storage.locks().held(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_thread_of_a_killed_process_is_free_at_once() -> None:
    with make("Hello.", "Again.") as agent:
        thread = agent.ask("Hello").thread_id
        with subprocess.Popen([sys.executable, "-c", HOLDER, thread], stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline()
            with pytest.raises(ThreadBusy):
                agent.ask("Still there?", thread=thread)
            holder.kill()
        start = time.monotonic()
        assert agent.ask("And now?", thread=thread).text == "Again."
        assert time.monotonic() - start < 3


def test_a_run_at_its_limit_gives_what_it_came_to(workspace: Path) -> None:
    (workspace / "agentkit.toml").write_text("[limits]\nmodel_calls = 1\n")
    with make(call("write", text="Rome"), "unused") as agent, pytest.raises(BudgetExceeded) as raised:
        agent.ask("Write Rome down", yes=True)
    assert raised.value.reply is not None
    assert [c.name for c in raised.value.reply.tool_calls] == ["write"]
