"""What people rely on where something would go on for ever: budgets, repeated calls, long threads, long results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

from agentkit import Agent, TextResult, ToolContext, ToolResult, ToolSpec, hookimpl
from agentkit.errors import BudgetExceeded, SettingsError
from agentkit.testing import ScriptedChatModel, call

made: list[str] = []


class Note(ToolResult):
    text: str

    def brief(self) -> str:
        return self.text


def look(name: str, *, ctx: ToolContext) -> Note:
    """Look at something."""
    made.append(f"look {name}")
    return Note(text=f"{name} holds 3 things.")


def make_thing(name: str, *, ctx: ToolContext) -> Note:
    """Make something."""
    made.append(f"make {name}")
    return Note(text=f"made {name}")


def ask_twice(question: str, *, ctx: ToolContext) -> TextResult:
    """Ask the chat model inside of a tool."""
    return TextResult(text=ctx.model.invoke(question).text)


def sleep(*, ctx: ToolContext) -> Note:
    """Take ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        ctx.progress("asleep")
        time.sleep(0.02)
    return Note(text="awake")


class Plugin:
    """The tools of these tests."""

    @hookimpl
    def register_tools(self) -> list[ToolSpec]:
        return [
            ToolSpec("look", f"{__name__}:look", "Look at something"),
            ToolSpec("make_thing", f"{__name__}:make_thing", "Make something", risk="costly"),
            ToolSpec("ask_twice", f"{__name__}:ask_twice", "Ask the chat model"),
            ToolSpec("sleep", f"{__name__}:sleep", "Take ten seconds"),
        ]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    made.clear()
    yield


@pytest.fixture
def settings(workspace: Path) -> Callable[[str], None]:
    """Write `agentkit.toml`."""

    def write(text: str) -> None:
        (workspace / "agentkit.toml").write_text(text)

    return write


def make(*script: Any, **model: Any) -> Agent:
    return Agent(ScriptedChatModel(script=list(script), **model), plugins=[Plugin()])


def looks(count: int) -> list[AIMessage]:
    return [call("look", id=f"call-{i}", name=f"box {i}") for i in range(count)]


def used(step: AIMessage | str, read: int, written: int, cached: int = 0, model: str = "m-1") -> AIMessage:
    """The step as a provider gives it, with its tokens."""
    message = AIMessage(step) if isinstance(step, str) else step.model_copy()
    message.usage_metadata = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    if cached:
        message.usage_metadata["input_token_details"] = {"cache_read": cached}
    message.response_metadata = {"model_name": model}
    return message


# -- budget


def thread_of(agent: Agent) -> str:
    return agent.threads.latest()


def test_a_model_that_never_stops_is_stopped_with_the_reason_and_keeps_what_was_done(settings: Any) -> None:
    settings("[limits]\nmodel_calls = 3\n")
    with make(*looks(3), "There are 9 things.") as agent:
        with pytest.raises(BudgetExceeded, match=r"3 of 3 model calls.*raise model_calls under \[limits\]"):
            agent.ask("What is there?")
        thread = thread_of(agent)
        kept = [m["content"] for m in agent.threads.messages(thread) if m["role"] == "tool"]
        assert kept == [f"box {i} holds 3 things." for i in range(3)]
        assert agent.ask("And so?", thread=thread).text == "There are 9 things."


def test_the_count_goes_on_after_a_resume_in_another_agent(settings: Any) -> None:
    settings("[limits]\nmodel_calls = 3\n")
    with make(*looks(3)) as agent, pytest.raises(BudgetExceeded):
        agent.ask("What is there?")
    with make("Nine.") as agent:
        thread = thread_of(agent)
        with pytest.raises(BudgetExceeded, match="3 of 3 model calls"):
            agent.resume(thread)
    settings("[limits]\nmodel_calls = 4\n")
    with make("Nine.") as agent:
        assert agent.resume(thread).text == "Nine."


def test_calls_of_tools_over_the_limit_are_not_made_and_the_last_allowed_one_may_be_answered(settings: Any) -> None:
    settings("[limits]\ntool_calls = 2\n")
    with make(*looks(2), "Six.") as agent:
        assert agent.ask("What is there?").text == "Six."
    three = AIMessage("", tool_calls=[c for step in looks(3) for c in step.tool_calls])
    made.clear()
    with make(three, "unused") as agent, pytest.raises(BudgetExceeded, match="3 of 2 tool calls"):
        agent.ask("What is there?")
    assert sorted(made) == ["look box 0", "look box 1"]


def test_tokens_are_counted_as_the_provider_says_and_a_thread_has_a_limit_of_its_own(settings: Any) -> None:
    settings("[limits]\ntokens = 1000\n[limits.thread]\ntokens = 1500\n")
    with make(used(looks(1)[0], 900, 150)) as agent, pytest.raises(BudgetExceeded, match="1,050 of 1,000 tokens"):
        agent.ask("What is there?")
    with make(used("One.", 700, 100), used("Two.", 700, 100), "Three.") as agent:
        thread = agent.ask("1").thread_id
        agent.ask("2", thread=thread)
        with pytest.raises(BudgetExceeded, match=r"Thread .* 1,600 of 1,500 tokens.*\[limits.thread\]"):
            agent.ask("3", thread=thread)


def test_money_is_counted_with_the_prices_that_were_given(settings: Any) -> None:
    price = "input = 1\noutput = 10\ncache_read = 0.1\n"
    settings(f'[limits]\nmoney = 0.011\n[prices."any:m"]\n{price}[prices.ScriptedChatModel]\n{price}')
    # per million: 4,000 read at 1, 6,000 from the cache at 0.1, 640 written at 10
    with make(used(looks(1)[0], 10_000, 640, 6_000)) as agent, pytest.raises(BudgetExceeded, match=r"0\.011 of 0\.011"):
        agent.ask("What is there?")


def test_a_limit_of_money_without_a_price_is_refused_before_anything_is_spent(settings: Any) -> None:
    settings("[limits]\nmoney = 1\n")
    model = ScriptedChatModel(script=["unused"])
    with Agent(model, plugins=[Plugin()]) as agent, pytest.raises(SettingsError, match=r"has no price.*input = "):
        agent.ask("Hello")
    assert not model.seen


def test_tokens_of_a_tool_that_asks_the_model_count_too(settings: Any) -> None:
    settings("[limits]\ntokens = 1000\n")
    script = [used(call("ask_twice", question="Why?"), 100, 10), used("Because.", 850, 50)]
    with make(*script) as agent, pytest.raises(BudgetExceeded, match="1,010 of 1,000 tokens"):
        agent.ask("Ask")


def test_a_tool_is_stopped_when_the_seconds_are_used_up(settings: Any) -> None:
    settings("[limits]\nseconds = 0.5\n")
    start = time.monotonic()
    with make(call("sleep"), "Well slept.") as agent:
        with pytest.raises(BudgetExceeded, match=r"0\.5 of 0\.5 seconds"):
            agent.ask("Sleep")
        assert time.monotonic() - start < 8
        assert agent.ask("Never mind", thread=thread_of(agent)).text == "Well slept."


def test_seconds_of_a_thread_count_what_was_worked(settings: Any) -> None:
    settings("[limits.thread]\nseconds = 0.3\n")

    class Slow(ScriptedChatModel):
        def _next(self, messages: list[BaseMessage]) -> AIMessage:
            time.sleep(0.2)
            return super()._next(messages)

    with Agent(Slow(script=["Yes."]), plugins=[Plugin()]) as agent:
        thread = agent.ask("1").thread_id
        agent.ask("2", thread=thread)
        with pytest.raises(BudgetExceeded, match=r"of 0\.3 seconds"):
            agent.ask("3", thread=thread)


@pytest.mark.parametrize("line", ["model_calls = 0", "tokens = -1", "money = 0", "seconds = 0.0", "context = 0"])
def test_a_limit_that_allows_nothing_is_refused(settings: Any, line: str) -> None:
    settings(f"[limits]\n{line}\n")
    with pytest.raises(SettingsError, match="limits"):
        make("unused")
