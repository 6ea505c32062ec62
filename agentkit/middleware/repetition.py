"""Stop a model that repeats itself: an identical call in the same turn is answered without running it."""

from __future__ import annotations

from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.types import Command

from agentkit.middleware.tool_calls import AsyncHandler, Handler
from agentkit.runs import Run, this_turn


class Repetition(AgentMiddleware[AgentState[Any], Run]):
    """Answers a repeated call with a reminder of the first one's result."""

    def wrap_tool_call(self, request: ToolCallRequest, handler: Handler) -> ToolMessage | Command[Any]:
        return _reminder(request) or handler(request)

    async def awrap_tool_call(self, request: ToolCallRequest, handler: AsyncHandler) -> ToolMessage | Command[Any]:
        return _reminder(request) or await handler(request)


def _reminder(request: ToolCallRequest) -> ToolMessage | None:
    call = request.tool_call
    turn = this_turn(request.state["messages"])
    asked = [c for m in turn if isinstance(m, AIMessage) for c in m.tool_calls if c["id"] != call["id"]]
    same = [c["id"] for c in asked if c["name"] == call["name"] and c["args"] == call["args"]]
    first = next((m for m in turn if isinstance(m, ToolMessage) and m.tool_call_id in same), None)
    if first is None:
        return None
    text = f"This call was already made and is not repeated. Its result was: {first.content}\nAnswer the user now."
    return ToolMessage(
        text, name=call["name"], tool_call_id=str(call["id"]), status="error", artifact={"args": call["args"]}
    )
