"""What people rely on where something would go on for ever: budgets, repeated calls, long results."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from agentkit import Agent, TextResult, ToolContext, ToolResult, ToolSpec, hookimpl
from agentkit.context import cancellation
from agentkit.errors import BudgetExceeded, Cancelled, DatasetError, PluginError, SettingsError
from agentkit.events import Finished, TextDelta
from agentkit.middleware.budget import Prices, Spent, spent
from agentkit.runs import Answer
from agentkit.settings import PriceSettings
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


failing: list[str] = []


def fetch(name: str, *, ctx: ToolContext) -> Note:
    """Fetch something; what stands in `failing` fails so many times."""
    made.append(f"fetch {name}")
    if name in failing:
        failing.remove(name)
        raise DatasetError(f"{name!r} cannot be reached")
    return Note(text=f"fetched {name}")


def tell(lines: int, *, ctx: ToolContext) -> TextResult:
    """Tell much."""
    return TextResult(text="\n".join(f"line {i} of a long story" for i in range(lines)))


def write_down(name: str, *, ctx: ToolContext) -> Note:
    """Write something down."""
    made.append(f"write {name}")
    return Note(text=f"wrote {name}")


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
            ToolSpec("fetch", f"{__name__}:fetch", "Fetch something"),
            ToolSpec("tell", f"{__name__}:tell", "Tell much"),
            ToolSpec("write_down", f"{__name__}:write_down", "Write something down", risk="write"),
            ToolSpec("sleep", f"{__name__}:sleep", "Take ten seconds"),
        ]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    made.clear()
    failing.clear()
    yield


@pytest.fixture
def settings(workspace: Path) -> Callable[[str], None]:
    """Write `agentkit.toml`."""

    def write(text: str) -> None:
        (workspace / "agentkit.toml").write_text(text)

    return write


def make(*script: Any, **model: Any) -> Agent:
    return Agent(ScriptedChatModel(script=list(script), **model), plugins=[Plugin()])


class Reacting(ScriptedChatModel):
    """Does `react` with the messages first; what that gives is its answer, else the script's next step is."""

    react: Callable[[list[BaseMessage]], AIMessage | None]

    def _generate(self, messages: list[BaseMessage], *args: Any, **options: Any) -> ChatResult:
        answer = self.react(messages)
        if answer is not None:
            return ChatResult(generations=[ChatGeneration(message=answer)])
        return super()._generate(messages, *args, **options)


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


def test_a_thread_from_before_the_prices_goes_on(settings: Any) -> None:
    unnamed = used("Hello.", 500, 50)
    unnamed.response_metadata = {}
    prices = Prices({"any:m": PriceSettings(input=1, output=1)})
    assert spent([unnamed, used("Hello.", 600_000, 400_000)], prices) == Spent(2, 0, 1_000_550, 1.0, 0.0)


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


def test_a_call_of_the_model_is_stopped_when_the_seconds_are_used_up(settings: Any) -> None:
    settings("[limits]\nseconds = 0.3\n")

    def end_when_stopped(_: list[BaseMessage]) -> AIMessage:
        stopped = cancellation.get()
        assert stopped is not None
        assert stopped.wait(20)
        raise Cancelled("the run was stopped.")

    model = Reacting(script=["unused"], react=end_when_stopped)
    with Agent(model) as agent, pytest.raises(BudgetExceeded, match=r"0\.3 of 0\.3 seconds"):
        agent.ask("Hello?")


def test_seconds_of_a_thread_count_what_was_worked(settings: Any) -> None:
    settings("[limits.thread]\nseconds = 0.3\n")

    with Agent(Reacting(script=["Yes."], react=lambda _: time.sleep(0.2)), plugins=[Plugin()]) as agent:
        thread = agent.ask("1").thread_id
        agent.ask("2", thread=thread)
        with pytest.raises(BudgetExceeded, match=r"of 0\.3 seconds"):
            agent.ask("3", thread=thread)


@pytest.mark.parametrize("line", ["model_calls = 0", "tokens = -1", "money = 0", "seconds = 0.0", "context = 0"])
def test_a_limit_that_allows_nothing_is_refused(settings: Any, line: str) -> None:
    settings(f"[limits]\n{line}\n")
    with pytest.raises(SettingsError, match="limits"):
        make("unused")


# -- repetition


def cycle(*steps: AIMessage, times: int = 9) -> list[AIMessage]:
    """The steps again and again, each with an id of its own."""
    script = []
    for i in range(times * len(steps)):
        step = steps[i % len(steps)].model_copy(deep=True)
        step.tool_calls[0]["id"] = f"call-{i}"
        script.append(step)
    return script


A, B = call("look", name="a"), call("look", name="b")


def test_a_repeated_call_is_answered_with_its_first_result() -> None:
    with make(*cycle(A, times=2), "Three.") as agent:
        reply = agent.ask("What is in a?")
    assert made == ["look a"]
    assert "already made" in reply.tool_calls[1].result
    assert "a holds 3 things" in reply.tool_calls[1].result
    assert reply.text == "Three."


@pytest.mark.parametrize("steps", [(A,), (A, B), (A, A, B), (A, call("make_thing", name="x"))])
def test_a_loop_of_calls_is_stopped_with_the_reason_and_the_last_result(steps: tuple[AIMessage, ...]) -> None:
    with make(*cycle(*steps)) as agent:
        events = list(agent.stream("Go"))
    assert isinstance(events[-1], Finished)
    text = events[-1].reply.text
    assert "the same calls were asked for again and again (look" in text
    assert "The last result was:" in text
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == text
    assert len(events[-1].reply.tool_calls) <= 2 * len(set(map(str, steps))) + 3


def test_a_run_that_repeats_itself_but_gets_on_is_not_ended() -> None:
    steps = [step for name in "abcde" for step in cycle(call("look", name=name), times=2)]
    for i, step in enumerate(steps):
        step.tool_calls[0]["id"] = f"call-{i}"
    with make(*steps, "All seen.") as agent:
        assert agent.ask("Look at a to e").text == "All seen."
    assert made == [f"look {name}" for name in "abcde"]


def test_a_call_that_fails_is_tried_once_more_and_then_stopped() -> None:
    failing.extend(["moon"] * 5)
    model = ScriptedChatModel(script=[*cycle(call("fetch", name="moon"), times=3), "It cannot be reached."])
    with Agent(model, plugins=[Plugin()]) as agent:
        reply = agent.ask("Fetch the moon")
    assert made == ["fetch moon"] * 2
    assert "failed 2 times and is not made again" in reply.tool_calls[2].result
    assert "cannot be reached" in reply.tool_calls[2].result
    assert reply.text == "It cannot be reached."


def test_a_call_that_failed_may_be_made_again_once_something_else_succeeded() -> None:
    failing.extend(["moon"] * 2)
    moon = call("fetch", name="moon")
    steps = [*cycle(moon, times=2), call("make_thing", id="rocket", name="rocket"), call("fetch", id="f", name="moon")]
    with make(*steps, "Fetched.") as agent:
        reply = agent.ask("Fetch the moon")
    assert reply.tool_calls[-1].result == "fetched moon"


def test_what_was_read_may_be_read_again_after_something_was_made() -> None:
    again = call("look", id="call-3", name="a")
    with make(A, call("make_thing", id="call-2", name="a"), again, "Done.") as agent:
        agent.ask("Look, make, look")
    assert made == ["look a", "make a", "look a"]


def test_a_call_that_stands_twice_in_one_step_is_made_once() -> None:
    twice = AIMessage("", tool_calls=[c for s in cycle(call("make_thing", name="x"), times=2) for c in s.tool_calls])
    with make(twice, "Done.") as agent:
        reply = agent.ask("Make x")
    assert made == ["make x"]
    assert [c.status for c in reply.tool_calls] == ["success", "error"]


def test_calls_are_told_apart_where_a_server_gives_the_same_id_again() -> None:
    with make(call("look", id="0", name="a"), call("look", id="0", name="a"), "Done.") as agent:
        agent.ask("Look")
    assert made == ["look a"]


def test_a_refused_call_is_not_asked_about_twice() -> None:
    with make(*cycle(call("write_down", name="x"), times=2), "As you wish.") as agent:
        thread = agent.ask("Write").thread_id
        reply = agent.resume(thread, Answer("refuse"))
    assert reply.pending == []
    assert reply.text == "As you wish."
    assert made == []


# -- long results


def test_a_long_result_is_read_in_parts_and_nothing_of_it_is_lost() -> None:
    def read_on(messages: list[BaseMessage]) -> AIMessage:
        last = messages[-1].text
        if "read_result shows the next" not in last:
            return AIMessage("Read.") if isinstance(messages[-1], ToolMessage) else call("tell", lines=200)
        number, _, _, _, handle = last.rpartition("[part ")[2].split(";")[0].split()
        return call("read_result", id=f"part-{number}", result=handle, part=int(number) + 1)

    model = Reacting(script=["unused"], react=read_on)
    with Agent(model, plugins=[Plugin()]) as agent:
        reply = agent.ask("Tell me")
    shown = "\n".join(c.result.rpartition("\n[part ")[0] for c in reply.tool_calls)
    assert shown == "\n".join(f"line {i} of a long story" for i in range(200))
    assert all(len(c.result) <= 1_200 for c in reply.tool_calls)
    assert reply.text == "Read."


def test_the_tool_for_the_rest_is_offered_only_where_there_is_one() -> None:
    offered: list[list[str]] = []

    class Noting(ScriptedChatModel):
        def bind_tools(self, tools: Any, **options: Any) -> Any:
            offered.append([t.name for t in tools])
            return super().bind_tools(tools, **options)

    with Agent(
        Noting(script=[call("tell", lines=3), call("tell", id="2", lines=300), "Told."]), plugins=[Plugin()]
    ) as agent:
        agent.ask("Tell me")
    assert ["read_result" in names for names in offered] == [False, False, True]
    assert offered[2][: len(offered[0])] == offered[0]


def test_no_plugin_can_take_the_name_of_that_tool() -> None:
    with pytest.raises(PluginError, match="'read_result' is the name of a tool of agentkit itself"):
        ToolSpec("read_result", f"{__name__}:tell", "Tell much")


def test_a_part_that_is_not_there_is_told_with_what_there_is() -> None:
    steps = [
        call("tell", id="1", lines=100),
        call("read_result", id="2", result="result:none"),
        call("read_result", id="3", result="result:none", part="many"),
    ]
    with make(*steps, "Told.") as agent:
        reply = agent.ask("Tell me")
    handle = reply.tool_calls[0].result.rpartition("[part ")[2].split(";")[0].split()[-1]
    assert handle in reply.tool_calls[1].result
    assert "'part'" in reply.tool_calls[2].result


def test_the_limits_hold_in_an_async_graph_too(settings: Any) -> None:
    settings("[limits]\ntokens = 1000\ntool_calls = 4\n")
    script = [
        used(call("ask_twice", id="1", question="Why?"), 100, 10), used("Because.", 100, 10),
        call("tell", id="2", lines=300), call("tell", id="3", lines=300), used(call("look", id="4", name="a"), 770, 20),
        "unused",
    ]  # fmt: skip

    async def run(agent: Agent, thread: str) -> None:
        context = agent._new_run(thread, False)
        config: Any = {"configurable": {"thread_id": thread}}
        await agent.graph.ainvoke({"messages": [("user", "Go")]}, config, context=context)

    with make(*script) as agent:
        with pytest.raises(BudgetExceeded, match="1,010 of 1,000 tokens"):
            asyncio.run(run(agent, "async-limits"))
        messages = agent.graph.get_state({"configurable": {"thread_id": "async-limits"}}).values["messages"]
    asked, told, again, looked = (m.text for m in messages if m.type == "tool")
    assert (asked, looked) == ("Because.", "a holds 3 things.")
    assert "read_result shows the next one" in told
    assert "already made" in again
