"""What one turn may use. At the limit the run ends with the reason, instead of going round for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage

from agentkit.runs import Run, this_turn
from agentkit.settings import LimitSettings


class Budget(AgentMiddleware[AgentState[Any], Run]):
    """Counts from the messages themselves, so that a resumed run goes on counting where it was."""

    def __init__(self, limits: LimitSettings) -> None:
        super().__init__()
        self._limits = limits

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        return self._ended(request) or handler(request)

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        return self._ended(request) or await handler(request)

    def _ended(self, request: ModelRequest[Run]) -> ModelResponse[Any] | None:
        turn = this_turn(request.messages)
        model_calls = sum(m.type == "ai" for m in turn)
        tool_calls = sum(m.type == "tool" for m in turn)
        for used, limit, name in (
            (model_calls, self._limits.model_calls, "model_calls"),
            (tool_calls, self._limits.tool_calls, "tool_calls"),
        ):
            if used >= limit:
                counted = name.replace("_", " ")
                reason = f"I stopped here: this turn reached its limit of {limit} {counted} ([limits] {name})."
                return ModelResponse(result=[AIMessage(reason)])
        return None
