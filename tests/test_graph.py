"""`Agent.graph` is called as any LangGraph graph: nothing but messages and a thread."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.types import Command

from agentkit import Agent, TextResult, ToolSpec, hookimpl
from agentkit.testing import ScriptedChatModel, call

CONFIG: Any = {"configurable": {"thread_id": "graph-1"}}


def stamp(text: str) -> TextResult:
    """Stamp a text."""
    return TextResult(text=f"stamped {text}")


class Stamps:
    @hookimpl
    def register_tools(self) -> list[ToolSpec]:
        return [ToolSpec("stamp", f"{__name__}:stamp", "Stamp a text", risk="write")]


def agent(*script: Any) -> Agent:
    return Agent(ScriptedChatModel(script=list(script)), plugins=[Stamps()])


def test_it_needs_only_messages_and_keeps_the_thread() -> None:
    with agent("Hello.", "You said hi.") as made:
        first = made.graph.invoke({"messages": [("user", "hi")]}, CONFIG)
        second = made.graph.invoke({"messages": HumanMessage("what did I say?")}, CONFIG)
        assert next(t for t in made.threads.recent() if t["thread_id"] == "graph-1")["title"] == "hi"
    assert [m.text for m in first["messages"]] == ["hi", "Hello."]
    assert [m.text for m in second["messages"]] == ["hi", "Hello.", "what did I say?", "You said hi."]


def test_the_model_is_told_the_files_as_it_is_by_ask(workspace: Path) -> None:
    (workspace / "beans.csv").write_text("a\n1\n")
    with agent("Fine.") as made:
        made.graph.invoke({"messages": [("user", "what is there?")]}, CONFIG | {"configurable": {"thread_id": "g-2"}})
        assert "beans.csv" in made.services.model.seen[0][-1].text  # type: ignore[attr-defined]


def test_a_call_that_needs_approval_interrupts_and_goes_on_with_a_command() -> None:
    config: Any = {"configurable": {"thread_id": "graph-3"}}
    with agent(call("stamp", text="a letter"), "Done.") as made:
        paused = made.graph.invoke({"messages": [("user", "stamp it")]}, config)
        (waiting,) = paused["__interrupt__"]
        assert waiting.value["name"] == "stamp"
        done = made.graph.invoke(Command(resume={waiting.id: {"verdict": "approve", "args": {}}}), config)
    assert [m.text for m in done["messages"]][-2:] == ["stamped a letter", "Done."]


def test_async_and_streamed() -> None:
    config: Any = {"configurable": {"thread_id": "graph-4"}}

    async def stream(made: Agent) -> list[str]:
        parts = made.graph.astream({"messages": [("user", "hi")]}, config, stream_mode="messages")
        return [m.text async for m, _ in parts if isinstance(m, AIMessage)]

    with agent("one two three") as made:
        assert "".join(asyncio.run(stream(made))) == "one two three"


def test_servers_can_describe_it() -> None:
    with agent("-") as made:
        assert "messages" in made.graph.get_input_jsonschema()["properties"]
        assert "messages" in made.graph.get_output_jsonschema()["properties"]
        assert made.graph.get_context_jsonschema() is None
        assert {"model", "tools"} <= set(made.graph.get_graph().nodes)
