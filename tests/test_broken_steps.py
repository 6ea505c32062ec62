"""A step that is neither an answer nor a call that can be made is asked for once more, then told as an error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

from agentkit import Agent
from agentkit.errors import ProviderError
from agentkit.events import Event, Finished, Notice, TextDelta
from agentkit.testing import ScriptedChatModel, call
from tests.test_agent import Plugin
from tests.test_limits import used


def broken(finish: str = "length", args: str = '{"city": "Os', text: str = "", name: str = "weather") -> AIMessage:
    """A call that cannot be made."""
    cut = {"name": name, "args": args, "id": "cut", "error": None, "type": "invalid_tool_call"}
    return AIMessage(text, invalid_tool_calls=[cut], response_metadata={"finish_reason": finish})


def run(*script: Any) -> tuple[list[Event], list[list[BaseMessage]]]:
    """The events of a run, and what the model read in each call."""
    model = ScriptedChatModel(script=list(script))
    with Agent(model, plugins=[Plugin()]) as agent:
        return list(agent.stream("How warm is Oslo?")), model.seen


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (broken(), "the call of weather was cut before its end (length)"),
        (broken("repetition"), "the call of weather was cut before its end (repetition)"),
        (broken("stop", "Oslo, please"), "the call of weather has arguments that are not valid JSON"),
        (broken(text="I look."), "the call of weather was cut before its end (length)"),
        (AIMessage(""), "there was neither an answer nor a call"),
        (AIMessage(" \n"), "there was neither an answer nor a call"),
        (AIMessage("", response_metadata={"stop_reason": "end_turn"}), "neither an answer nor a call (end_turn)"),
        (
            AIMessage("", response_metadata={"stop_reason": "max_tokens"}),
            "the answer was cut before its end (max_tokens)",
        ),
    ],
)
def test_a_broken_step_is_asked_for_again_with_what_is_wrong(step: AIMessage, problem: str) -> None:
    events, seen = run(step, call("weather", city="Oslo"), "It is cold.")
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.reply.text, [c.name for c in end.reply.tool_calls]) == ("It is cold.", ["weather"])
    assert problem in seen[1][-1].text
    assert [problem in e.message for e in events if isinstance(e, Notice)] == [True]
    assert not any(m.type == "ai" for m in seen[1])
    assert len(seen) == 3


def test_what_is_streamed_after_a_broken_step_is_the_reply() -> None:
    events, _ = run(broken(), "It is cold.")
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "It is cold."
    assert isinstance(events[-1], Finished)
    assert events[-1].reply.text == "It is cold."


def test_a_step_that_is_broken_twice_is_an_error_and_what_was_done_is_kept() -> None:
    model = ScriptedChatModel(script=[call("weather", city="Oslo"), broken(), broken("stop"), "It is cold."])
    with Agent(model, plugins=[Plugin()]) as agent:
        with pytest.raises(ProviderError, match=r"asked twice: the call of weather has arguments .* other words"):
            agent.ask("How warm is Oslo?")
        thread = agent.threads.latest()
        assert agent.ask("And?", thread=thread).text == "It is cold."
    assert [m.type for m in model.seen[-1]] == ["system", "human", "ai", "tool", "human"]


def test_a_fallback_answers_what_the_model_broke_twice(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "agentkit.toml").write_text('fallbacks = ["scripted:b"]\n')
    monkeypatch.setattr("agentkit.models.spec_of", lambda *_: None)
    monkeypatch.setattr("agentkit.models.create", lambda *_: ScriptedChatModel(script=["It is cold."]))
    with Agent(ScriptedChatModel(script=[broken()]), plugins=[Plugin()]) as agent:
        reply = agent.ask("How warm is Oslo?")
    assert (reply.text, reply.model) == ("It is cold.", "scripted:b")


def test_both_steps_are_counted_and_the_async_twin_does_the_same() -> None:
    async def ask() -> Any:
        model = ScriptedChatModel(script=[used(broken(), 100, 10), used("It is cold.", 120, 5)])
        with Agent(model, plugins=[Plugin()]) as agent:
            asked = {"messages": [("user", "How warm is Oslo?")]}
            result = await agent.graph.ainvoke(asked, {"configurable": {"thread_id": "t"}})
        return result["messages"]

    last = asyncio.run(ask())[-1]
    assert last.text == "It is cold."
    assert last.usage_metadata["total_tokens"] == 235


def test_a_broken_call_beside_a_whole_one_is_left_out_of_the_thread() -> None:
    both = call("weather", city="Oslo").model_copy(
        update={"invalid_tool_calls": broken(args="Rome").invalid_tool_calls}
    )
    events, seen = run(both, "It is cold.")
    assert not any(isinstance(e, Notice) for e in events)
    (asked,) = (m for m in seen[1] if isinstance(m, AIMessage))
    assert (len(asked.tool_calls), asked.invalid_tool_calls) == (1, [])


def test_the_command_fails_with_one_line_where_no_answer_came(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ScriptedChatModel(script=[broken()])
    monkeypatch.setattr("agentkit.cli.chat.make_agent", lambda *_: Agent(model, plugins=[Plugin()]))
    for options in ([], ["--json"]):
        outcome = cli("chat", "How warm is Oslo?", *options)
        assert (outcome.code, outcome.out) == (1, "")
        assert "the model gave no answer, asked twice" in outcome.err.splitlines()[-1]
