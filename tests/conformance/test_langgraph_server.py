"""`langgraph.json`: the graph is found, loaded and run as LangGraph's server does it, with the embedded model."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from agentkit import graph as exported

ROOT = Path(__file__).parent.parent.parent
ALLOWED_IN_ITS_LOOP = ("os.stat", "os.listdir", "os.path.", "io.BufferedReader.read", "io.TextIOWrapper.read")
"""What LangGraph's server lets pass: small reads of files."""


@pytest.fixture
def factory() -> Iterator[Any]:
    """What langgraph.json names."""
    config = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
    module, _, name = config["graphs"]["agentkit"].partition(":")
    yield getattr(importlib.import_module(module), name)
    if exported._agent_graph.cache_info().currsize:
        exported._agent_graph().services.close()
        exported._agent_graph.cache_clear()


def test_the_server_runs_a_turn_with_its_own_checkpointer_and_nothing_blocks_its_event_loop(
    factory: Any, workspace: Path
) -> None:
    (workspace / "beans.csv").write_text("size,kind\n1,a\n2,b\n")
    config: Any = {"configurable": {"thread_id": "server-1"}}

    async def turn() -> dict[str, Any]:
        made = await factory()
        graph = made.copy(update={"checkpointer": InMemorySaver(), "store": None})
        given = {"messages": [{"role": "user", "content": "Which models have been trained?"}]}
        async for _ in graph.astream(given, config, context={}, stream_mode="messages", durability="sync"):
            pass
        return dict((await graph.aget_state(config)).values)

    with blockbuster_ctx("agentkit") as blocking:
        for name, function in blocking.functions.items():
            if name.startswith(ALLOWED_IN_ITS_LOOP):
                function.deactivate()
        asked, called, result, answered = asyncio.run(turn())["messages"]
    assert isinstance(asked, HumanMessage)
    assert asked.additional_kwargs == {"agentkit_files": ["beans.csv"]}
    assert isinstance(called, AIMessage)
    assert [c["name"] for c in called.tool_calls] == ["list_models"]
    assert isinstance(result, ToolMessage)
    assert result.status == "success"
    assert answered.text


def test_the_graph_is_made_once(factory: Any) -> None:
    async def twice() -> bool:
        return await factory() is await factory()

    assert asyncio.run(twice())
