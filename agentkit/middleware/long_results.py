"""A result that is longer than the model reads at once: the model gets its beginning, and a tool for the rest.

The whole text is kept in the thread under a handle. The tool `read_result` is offered only in threads that have such a
result, so that nobody else's prompt grows.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import AnyMessage, ToolMessage
from langgraph.types import Command
from pydantic import BaseModel, Field, ValidationError

from agentkit.events import ToolFinished, ToolStarted
from agentkit.middleware.tool_calls import AsyncHandler, GraphTool, Handler
from agentkit.redaction import redact
from agentkit.results import BRIEF_LIMIT
from agentkit.runs import Run
from agentkit.specs import READ_RESULT

_HANDLE, _TEXT = "handle", "text"
_PART = BRIEF_LIMIT - 100


class ReadResult(BaseModel):
    """Arguments of `read_result`."""

    result: Annotated[str, Field(description="The result's name as it was given, like result:1a2b3c")]
    part: Annotated[int, Field(description="Which part, from 2 on", ge=1)] = 2


class LongResults(AgentMiddleware[AgentState[Any], Run]):
    """Directly around the tools."""

    def __init__(self) -> None:
        super().__init__()
        summary = "Show a further part of an earlier result that was shortened"
        self.tools = [GraphTool(name=READ_RESULT, description=summary, args_schema=ReadResult)]

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        return handler(_offered(request))

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        return await handler(_offered(request))

    def wrap_tool_call(self, request: ToolCallRequest, handler: Handler) -> ToolMessage | Command[Any]:
        return _read(request) if request.tool_call["name"] == READ_RESULT else _shortened(request, handler(request))

    async def awrap_tool_call(self, request: ToolCallRequest, handler: AsyncHandler) -> ToolMessage | Command[Any]:
        return (
            _read(request) if request.tool_call["name"] == READ_RESULT else _shortened(request, await handler(request))
        )


def parts(text: str) -> list[str]:
    """The text in parts that the model can read, cut at lines where these are short enough."""
    found: list[str] = []
    while len(text) > _PART:
        cut = text.rfind("\n", 0, _PART)
        # a line that is longer than half a part is itself cut
        cut = cut + 1 if cut > _PART // 2 else _PART
        found.append(text[:cut].rstrip("\n"))
        text = text[cut:]
    return [*found, text]


def _offered(request: ModelRequest[Run]) -> ModelRequest[Run]:
    others = [t for t in request.tools if getattr(t, "name", "") != READ_RESULT]
    if not _kept(request.state["messages"]):
        return request.override(tools=others)
    # at the end: what stands before it in the prompt is as it was
    return request.override(tools=[*others, *(t for t in request.tools if getattr(t, "name", "") == READ_RESULT)])


def _kept(messages: Iterable[AnyMessage]) -> dict[str, str]:
    """Handle -> whole text of the long results of a thread."""
    artifacts = [m.artifact for m in messages if isinstance(m, ToolMessage) and m.artifact]
    return {a[_HANDLE]: a[_TEXT] for a in artifacts if _HANDLE in a}


def _shortened(request: ToolCallRequest, answer: ToolMessage | Command[Any]) -> ToolMessage | Command[Any]:
    if not isinstance(answer, ToolMessage):
        return answer
    whole = redact(_whole(request, answer))  # before it is cut: a part of a secret is not known as one
    if len(whole) <= BRIEF_LIMIT:
        return answer
    handle = f"result:{secrets.token_hex(3)}"
    artifact = {**(answer.artifact or {}), _HANDLE: handle, _TEXT: whole}
    return answer.model_copy(update={"content": _page(whole, handle, 1), "artifact": artifact})


def _whole(request: ToolCallRequest, answer: ToolMessage) -> str:
    """The uncut text: errors and results of other makers stand in the message as they are."""
    run: Run = request.runtime.context  # type: ignore[assignment]
    result = (answer.artifact or {}).get("result")
    if result is None:
        return answer.text
    return run.services.toolbox.get(str(answer.name)).result_type.model_validate(result).whole()


def _page(whole: str, handle: str, part: int) -> str:
    pages = parts(whole)
    text = f"{pages[part - 1]}\n[part {part} of {len(pages)} of {handle}"
    return f"{text}; {READ_RESULT} shows the next one]" if part < len(pages) else f"{text}]"


def _read(request: ToolCallRequest) -> ToolMessage:
    run: Run = request.runtime.context  # type: ignore[assignment]
    call_id, args = str(request.tool_call["id"]), request.tool_call["args"]
    start = time.perf_counter()
    run.emit(ToolStarted(call_id, READ_RESULT, args))
    text, status = _part_of(_kept(request.state["messages"]), args)
    seconds = time.perf_counter() - start
    run.emit(ToolFinished(call_id, READ_RESULT, args, status, text, seconds, None))
    artifact = {"args": args, "seconds": round(seconds, 3)}
    return ToolMessage(text, name=READ_RESULT, tool_call_id=call_id, status=status, artifact=artifact)


def _part_of(kept: dict[str, str], args: dict[str, Any]) -> tuple[str, str]:
    try:
        asked = ReadResult.model_validate(args)
    except ValidationError as error:
        problem = error.errors()[0]
        return f"tool {READ_RESULT!r}: argument {'.'.join(map(str, problem['loc']))!r}: {problem['msg']}.", "error"
    if asked.result not in kept:
        return f"there is no long result {asked.result!r} in this thread; there are: {', '.join(kept)}.", "error"
    count = len(parts(kept[asked.result]))
    if asked.part > count:
        return f"{asked.result} has {count} parts, not {asked.part}.", "error"
    return _page(kept[asked.result], asked.result, asked.part), "success"
