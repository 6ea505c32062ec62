"""A second look of the embedded model at its answer, if that has a figure which nothing in the thread says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.messages.ai import add_usage

from agentkit import models
from agentkit.events import Notice
from agentkit.figures import unknown_figures
from agentkit.runs import Run, this_turn


class SecondLook(AgentMiddleware[AgentState[Any], Run]):
    """Asks once more, with the figures named. The answer with fewer such figures stands.

    Larger models compute figures of their own, and rightly so: only the embedded model is asked again.
    """

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        first = handler(request)
        again = _asked_again(request, first)
        return first if again is None else _better(request, first, handler(again))

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        first = await handler(request)
        again = _asked_again(request, first)
        return first if again is None else _better(request, first, await handler(again))


def _asked_again(request: ModelRequest[Run], response: ModelResponse[Any]) -> ModelRequest[Run] | None:
    run = request.runtime.context
    if run.services.model_name.partition(":")[0] != models.EMBEDDED or not (wrong := _wrong(request, response)):
        return None
    run.emit(Notice(f"no result says {', '.join(wrong)}: the model is asked to look again."))
    text = run.services.prompts.get("second_look").text("user", figures=wrong)
    answer: Any = response.result[-1]
    return request.override(messages=[*request.messages, answer, HumanMessage(text)])


def _wrong(request: ModelRequest[Run], response: ModelResponse[Any]) -> list[str]:
    """Figures of an answer that follows calls of tools, and stand in no message before it."""
    answer = response.result[-1] if response.result else None
    called = any(m.type == "tool" for m in this_turn(request.state["messages"]))
    if not called or not isinstance(answer, AIMessage) or answer.tool_calls:
        return []
    return unknown_figures(answer.text, "\n".join(_text(m) for m in request.messages))


def _text(message: AnyMessage) -> str:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return f"{message.text} {[c['args'] for c in calls]}"


def _better(request: ModelRequest[Run], first: ModelResponse[Any], second: ModelResponse[Any]) -> ModelResponse[Any]:
    """The answer that stands, with what both cost. A second look that calls tools, or says nothing, is none."""
    one, two = first.result[-1], second.result[-1]
    if not isinstance(one, AIMessage) or not isinstance(two, AIMessage):
        return first
    better = bool(two.text) and not two.tool_calls and len(_wrong(request, second)) < len(_wrong(request, first))
    kept, response = (two, second) if better else (one, first)
    kept.usage_metadata = add_usage(one.usage_metadata, two.usage_metadata)
    return response
