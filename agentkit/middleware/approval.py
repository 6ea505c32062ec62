"""Who may run which call: settings, the tool's risk and the plugins' reviews decide; a person is asked.

The strictest answer wins. `ask` pauses the run; `--yes` answers for the person, but never overrules a `deny`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import ToolMessage
from langgraph.types import Command, interrupt

from agentkit.context import Decision, ToolCall
from agentkit.errors import BadInput, PluginError
from agentkit.events import ApprovalNeeded
from agentkit.middleware.tool_calls import AsyncHandler, Handler
from agentkit.runs import Run
from agentkit.toolbox import Tool

_STRICTNESS = {"allow": 0, "ask": 1, "deny": 2}


class Approval(AgentMiddleware[AgentState[Any], Run]):
    """Asks before a call runs, where that is wanted."""

    def wrap_tool_call(self, request: ToolCallRequest, handler: Handler) -> ToolMessage | Command[Any]:
        reviewed = _review(request)
        return reviewed if isinstance(reviewed, ToolMessage) else handler(reviewed)

    async def awrap_tool_call(self, request: ToolCallRequest, handler: AsyncHandler) -> ToolMessage | Command[Any]:
        reviewed = await asyncio.to_thread(_review, request)
        return reviewed if isinstance(reviewed, ToolMessage) else await handler(reviewed)


def _review(request: ToolCallRequest) -> ToolCallRequest | ToolMessage:
    """The request to run, edited perhaps, or the message that says why it does not run."""
    run: Run = request.runtime.context  # type: ignore[assignment]
    call = request.tool_call
    try:
        tool = run.services.toolbox.get(call["name"])
        tool.validate(call["args"])
    except (BadInput, PluginError):
        return request  # it cannot run as it is: the tool node says why, and nobody needs to be asked
    decision = decide(run, tool, str(call["id"]), call["args"])
    if decision.verdict == "ask" and not run.yes:
        needed = ApprovalNeeded(str(call["id"]), call["name"], call["args"], decision.reason)
        answer = interrupt(
            {"call_id": needed.call_id, "name": needed.name, "args": needed.args, "reason": needed.reason}
        )
        if answer["verdict"] == "edit":
            call = {**call, "args": answer["args"]}
            decision = decide(run, tool, str(call["id"]), call["args"])  # an edit may be denied like any call
        if answer["verdict"] == "refuse":
            decision = Decision("deny", answer.get("message") or "the user refused it")
    if decision.verdict == "deny":
        text = f"{call['name']} was not run: {decision.reason}. Do not try it again."
        return ToolMessage(
            text, name=call["name"], tool_call_id=str(call["id"]), status="error", artifact={"args": call["args"]}
        )
    return request.override(tool_call=call)


def decide(run: Run, tool: Tool, call_id: str, args: dict[str, Any]) -> Decision:
    """The strictest of: the settings for this tool (or its risk), and every plugin's review."""
    set_for_tool = run.services.settings.approvals.get(tool.name)
    verdict = set_for_tool or ("ask" if tool.risk == "write" else "allow")
    reason = (
        f"approvals.{tool.name} = {verdict!r} in agentkit.toml"
        if set_for_tool
        else f"{tool.name} writes"
        if verdict == "ask"
        else ""
    )
    strictest = Decision(verdict, reason)
    call = ToolCall(call_id, tool.name, args, tool.risk, tool.plugin)
    for plugin, answer, error in run.services.plugins.call("review_tool_call", run=run.context, call=call):
        # a review that breaks counts as "ask": a broken guard must not open the door
        opinion = (
            Decision("ask", f"the review of plugin {plugin!r} failed ({type(error).__name__})") if error else answer
        )
        if opinion is not None and _STRICTNESS[opinion.verdict] > _STRICTNESS[strictest.verdict]:
            strictest = opinion
    return strictest
