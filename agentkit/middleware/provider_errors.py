"""Turn what a provider's SDK raises into one sentence, with the key never in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langgraph.errors import GraphBubbleUp

from agentkit.errors import AgentkitError
from agentkit.models import explain
from agentkit.runs import Run


class ProviderErrors(AgentMiddleware[AgentState[Any], Run]):
    """Around everything that calls a model, fallbacks included."""

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        try:
            return handler(request)
        except (AgentkitError, GraphBubbleUp):
            raise
        except Exception as error:
            raise explain(error, request.runtime.context.services.model_name) from error

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        try:
            return await handler(request)
        except (AgentkitError, GraphBubbleUp):
            raise
        except Exception as error:
            raise explain(error, request.runtime.context.services.model_name) from error
