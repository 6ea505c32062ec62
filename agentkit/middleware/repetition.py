"""Stop a model that repeats itself: a call that would change nothing is answered without being made.

A call may be made again if it can come to something else: it failed once, something succeeded since it failed, or it
only reads and something was made since.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from itertools import takewhile
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import AIMessage, AnyMessage, ToolCall, ToolMessage
from langgraph.types import Command

from agentkit.events import TextDelta
from agentkit.middleware.budget import not_run, why_not
from agentkit.middleware.tool_calls import AsyncHandler, Handler
from agentkit.runs import Run, this_turn

FAILURES = 2
"""How often the same call may fail before it is stopped, unless another one succeeds between."""
STOPS = 3
"""How many calls in a row are stopped before the run itself is."""


class Repetition(AgentMiddleware[AgentState[Any], Run]):
    """Answers a repeated call with the reason and the earlier result; ends a run that does not listen."""

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        return _ended(request) or handler(request)

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        return _ended(request) or await handler(request)

    def wrap_tool_call(self, request: ToolCallRequest, handler: Handler) -> ToolMessage | Command[Any]:
        reason = _reason(request)
        return not_run(request.tool_call, reason, "repeated") if reason else handler(request)

    async def awrap_tool_call(self, request: ToolCallRequest, handler: AsyncHandler) -> ToolMessage | Command[Any]:
        reason = _reason(request)
        return not_run(request.tool_call, reason, "repeated") if reason else await handler(request)


def _ended(request: ModelRequest[Run]) -> ModelResponse[Any] | None:
    run = request.runtime.context
    turn = this_turn(request.state["messages"])
    answers = [m for m in reversed(turn) if isinstance(m, ToolMessage)]
    stopped = list(takewhile(lambda m: why_not(m) == "repeated", answers))
    if len(stopped) < STOPS:
        return None
    names = ", ".join(sorted({str(m.name) for m in stopped}))
    text = f"I stopped here: the same calls were asked for again and again ({names})."
    found = next((m.text for m in answers if m.status == "success"), "")
    if found:
        text = f"{text} The last result was:\n{found}"
    run.emit(TextDelta(text))
    return ModelResponse(result=[AIMessage(text)])


def _reason(request: ToolCallRequest) -> str:
    """Why this call is not made again, '' if it is."""
    run: Run = request.runtime.context  # type: ignore[assignment]
    call, messages = request.tool_call, request.state["messages"]
    if _stands_before(call, messages[-1]):
        return "The same call stands twice in this step; it is made once."
    made = [(c, m) for c, m in _made(this_turn(messages)) if why_not(m) is None]
    same = [at for at, (c, _) in enumerate(made) if _equal(c, call)]
    if not same:
        return ""
    last = made[same[-1]][1]
    since = [c["name"] for c, m in made[same[-1] + 1 :] if m.status == "success"]
    if last.status == "error" and "seconds" in (last.artifact or {}):
        successes = [at for at, (_, m) in enumerate(made) if m.status == "success"]
        failures = [at for at in same if at > (successes[-1] if successes else -1)]
        if len(failures) < FAILURES:
            return ""
        return f"This call failed {len(failures)} times and is not made again. The error was: {last.content}"
    reads = _risk(run, call["name"]) == "read"
    if last.status == "success" and reads and any(_risk(run, name) != "read" for name in since):
        return ""
    return f"This call was already made and is not repeated. Its result was: {last.content}\nAnswer the user now."


def _made(turn: list[AnyMessage]) -> Iterator[tuple[ToolCall, ToolMessage]]:
    """The calls with their answers. Ids may come again in a later step, so they are paired step by step."""
    asked: dict[str | None, ToolCall] = {}
    for message in turn:
        if isinstance(message, AIMessage):
            asked = {c["id"]: c for c in message.tool_calls}
        elif isinstance(message, ToolMessage) and message.tool_call_id in asked:
            yield asked[message.tool_call_id], message


def _stands_before(call: ToolCall, step: AnyMessage) -> bool:
    beside = step.tool_calls if isinstance(step, AIMessage) else []
    place = next((i for i, c in enumerate(beside) if c["id"] == call["id"]), 0)
    return any(_equal(c, call) for c in beside[:place])


def _equal(one: ToolCall, other: ToolCall) -> bool:
    return one["name"] == other["name"] and one["args"] == other["args"]


def _risk(run: Run, name: str) -> str:
    specs = run.services.toolbox.specs
    return specs[name].spec.risk if name in specs else "read"
