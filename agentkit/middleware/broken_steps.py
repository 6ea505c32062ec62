"""A step that is neither an answer nor a call that can be made is asked for once more, whatever the model.

A call that was cut, or whose arguments are not JSON, would otherwise end the run with an empty answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.ai import add_usage

from agentkit.errors import ProviderError
from agentkit.events import Notice
from agentkit.middleware.surroundings import SAID
from agentkit.runs import Run

_CUT = {"length", "max_tokens", "model_length", "repetition"}
"""Why a model stopped in the middle, in the words of the providers."""


class BrokenSteps(AgentMiddleware[AgentState[Any], Run]):
    """Asks again, with what was wrong. Raises ProviderError if that comes to nothing, too: a fallback may answer."""

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        first = handler(request)
        problem = _problem(first)
        return _mended(first, handler(_asked_again(request, problem))) if problem else _whole(first)

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        first = await handler(request)
        problem = _problem(first)
        return _mended(first, await handler(_asked_again(request, problem))) if problem else _whole(first)


def _problem(response: ModelResponse[Any]) -> str:
    """What is wrong with a step that leads nowhere, '' if it is an answer or a call."""
    step = response.result[-1] if response.result else None
    if not isinstance(step, AIMessage) or response.structured_response is not None:
        return ""
    finish = str(step.response_metadata.get("finish_reason") or step.response_metadata.get("stop_reason") or "")
    cut = f"was cut before its end ({finish})" if finish in _CUT else ""
    calls = [*step.tool_calls, *step.invalid_tool_calls]
    # LangChain closes the brackets of a streamed call that was cut: it looks whole, and its last value is not
    if calls and (cut or not step.tool_calls):
        return f"the call of {calls[-1]['name'] or 'a tool'} {cut or 'has arguments that are not valid JSON'}"
    if calls or step.text.strip():
        return ""
    return f"the answer {cut}" if cut else f"there was neither an answer nor a call{f' ({finish})' if finish else ''}"


def _asked_again(request: ModelRequest[Run], problem: str) -> ModelRequest[Run]:
    run = request.runtime.context
    run.emit(Notice(f"{problem}: the model is asked once more."))
    text = run.services.prompts.get("broken_step").text("user", problem=problem)
    # the broken step itself is left out: providers refuse a message without content, and a call without its result
    correction = HumanMessage(text, additional_kwargs={SAID: ""})
    return request.override(messages=[*request.messages, correction])


def _mended(first: ModelResponse[Any], second: ModelResponse[Any]) -> ModelResponse[Any]:
    """The second step, with what both cost."""
    if problem := _problem(second):
        raise ProviderError(
            f"the model gave no answer, asked twice: {problem}. Ask in other words or for less at once, or use another"
            " model. What was done before is kept in the thread."
        )
    one, two = first.result[-1], second.result[-1]
    if isinstance(one, AIMessage) and isinstance(two, AIMessage):
        two.usage_metadata = add_usage(one.usage_metadata, two.usage_metadata)
    return _whole(second)


def _whole(response: ModelResponse[Any]) -> ModelResponse[Any]:
    """Without broken calls beside others: nothing answers them, and providers refuse a thread with such calls."""
    for message in response.result:
        if isinstance(message, AIMessage):
            message.invalid_tool_calls = []
    return response
