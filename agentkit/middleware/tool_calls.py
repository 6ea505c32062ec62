"""Run the tools: validated arguments in, a brief and the typed result out, errors as short messages.

The result of a call that is not `read` is stored under (thread, call) before the node returns, so that a run that
is killed and resumed does not do it twice.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langgraph.types import Command
from pydantic import SkipValidation

from agentkit.calls import CallContext, log_failure, run_tool
from agentkit.errors import AgentkitError, Cancelled, StorageError, ToolFailed
from agentkit.events import ToolFinished, ToolProgress, ToolStarted
from agentkit.redaction import redact, redacted
from agentkit.results import ToolResult
from agentkit.runs import Run
from agentkit.toolbox import Tool

Handler = Callable[[ToolCallRequest], ToolMessage | Command[Any]]
AsyncHandler = Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]


class GraphTool(BaseTool):
    """What the graph knows of a tool: name, summary and schema. `work` is set for one call at a time."""

    response_format: str = "content_and_artifact"  # type: ignore[assignment]
    work: SkipValidation[Callable[[], tuple[str, ToolResult]] | None] = None

    def _run(self, **_: Any) -> tuple[str, ToolResult]:
        if self.work is None:
            raise ToolException(f"tool {self.name!r} runs inside an agentkit agent only.")
        return self.work()


def graph_tool(tool: Tool) -> GraphTool:
    """The tool as `create_agent` takes it."""
    return GraphTool(name=tool.name, description=tool.spec.summary, args_schema=tool.schema)


class ToolCalls(AgentMiddleware[AgentState[Any], Run]):
    """The innermost middleware around a tool call: it does the call."""

    def wrap_tool_call(self, request: ToolCallRequest, handler: Handler) -> ToolMessage | Command[Any]:
        return _perform(request)

    async def awrap_tool_call(self, request: ToolCallRequest, handler: AsyncHandler) -> ToolMessage | Command[Any]:
        return await asyncio.to_thread(_perform, request)


def _perform(request: ToolCallRequest) -> ToolMessage:
    run: Run = request.runtime.context  # type: ignore[assignment]
    call_id, name, args = str(request.tool_call["id"]), request.tool_call["name"], request.tool_call["args"]
    start = time.perf_counter()
    run.emit(ToolStarted(call_id, name, args))
    result: ToolResult | None = None
    try:
        tool = run.services.toolbox.get(name)
        args = json.loads(tool.arguments.model_construct(**tool.validate(args)).model_dump_json(exclude_unset=True))
        result = _once(run, tool, call_id, args, request)
        brief, status = result.message(), "success"
    except (AgentkitError, ToolException) as error:
        if isinstance(error, Cancelled | StorageError):
            raise  # without the database nothing is stored of this call: the run ends, and can be resumed
        brief, status = str(error), "error"
    brief = redact(brief)
    seconds = time.perf_counter() - start
    run.emit(ToolFinished(call_id, name, args, status, brief, seconds, result))
    artifact = {"args": args, "seconds": round(seconds, 3)} | (
        {"result": result.model_dump(mode="json")} if result else {}
    )
    return ToolMessage(brief, name=name, tool_call_id=call_id, status=status, artifact=artifact)


def _once(run: Run, tool: Tool, call_id: str, args: dict[str, Any], request: ToolCallRequest) -> ToolResult:
    """Run the tool, or take the stored result of the same call."""
    if tool.risk == "read":
        return _traced(run, tool, call_id, args, request)
    pool = run.services.storage.pool()
    # ids of calls may repeat in a thread; the model's message that made the call is stored, and never repeats
    key = [run.thread_id, _asked_in(request), call_id]
    rows = pool.query(
        "select result from tool_results where thread_id = %s and message_id in (%s, '') and call_id = %s"
        " and name = %s and args = %s::jsonb",
        [*key, tool.name, json.dumps(redacted(args))],
    )
    if rows:
        return tool.result_type.model_validate(rows[0]["result"])
    start = time.perf_counter()

    def keep(result: ToolResult) -> None:
        pool.query(
            "insert into tool_results (thread_id, message_id, call_id, name, args, status, brief, result, seconds)"
            " values (%s, %s, %s, %s, %s, 'success', %s, %s, %s)"
            " on conflict (thread_id, message_id, call_id) do update set name = excluded.name, args = excluded.args,"
            " brief = excluded.brief, result = excluded.result, seconds = excluded.seconds",
            [
                *key,
                tool.name,
                json.dumps(redacted(args)),
                redact(result.message()),
                json.dumps(redacted(result.model_dump(mode="json"))),
                time.perf_counter() - start,
            ],
        )

    return _traced(run, tool, call_id, args, request, keep)


def _asked_in(request: ToolCallRequest) -> str:
    """The id of the model's message that made the call."""
    for message in reversed(request.state["messages"]):
        if isinstance(message, AIMessage) and any(c["id"] == request.tool_call["id"] for c in message.tool_calls):
            return str(message.id)
    return ""


def _traced(
    run: Run,
    tool: Tool,
    call_id: str,
    args: dict[str, Any],
    request: ToolCallRequest,
    keep: Callable[[ToolResult], None] = lambda _result: None,
) -> ToolResult:
    """Run the tool as a LangChain tool, so that every tracer sees it."""

    def report(message: str, fraction: float | None) -> None:
        run.emit(ToolProgress(call_id, tool.name, message, fraction))

    def work() -> tuple[str, ToolResult]:
        ctx = CallContext(run.services, by_model=True, on_progress=report, cancelled=run.cancelled)
        try:
            result = run_tool(tool.name, args, ctx)
        except (AgentkitError, ToolException):
            raise
        except Exception as error:
            raise ToolFailed(log_failure(run.services.settings, f"tool {tool.name!r}", error)) from error
        keep(result)  # at once: a kill between the tool's end and this would run it again
        return result.message(), result

    bound = graph_tool(tool)
    bound.work = work
    message = bound.invoke(
        {"type": "tool_call", "id": call_id, "name": tool.name, "args": args}, config=request.runtime.config
    )
    result: ToolResult = message.artifact
    return result
