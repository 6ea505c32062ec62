"""One run of the agent: what its middleware share while it goes on, and the reply at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from agentkit.calls import Services
from agentkit.context import RunContext
from agentkit.events import ApprovalNeeded, Event
from agentkit.results import Artifact, TextResult, ToolResult

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage, ToolMessage

    from agentkit.toolbox import Toolbox


@dataclass
class Run:
    """LangGraph's context of a run (`runtime.context`): never stored, made anew for every turn and resume."""

    services: Services
    thread_id: str
    trace_id: str
    yes: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)
    listener: Callable[[Event], None] | None = None

    @property
    def context(self) -> RunContext:
        """What hooks may see."""
        return RunContext(self.thread_id, self.trace_id, self.services.model_name, self.services.settings)

    def emit(self, event: Event) -> None:
        """Tell the listener and the plugins. A plugin that raises does not disturb the run."""
        if self.listener is not None:
            self.listener(event)
        for _ in self.services.plugins.call("on_event", run=self.context, event=event):
            pass


@dataclass(frozen=True)
class Answer:
    """A person's word on a call that waits: `approve`, `edit` with the arguments to run instead, or `refuse`."""

    verdict: Literal["approve", "edit", "refuse"]
    args: Mapping[str, Any] | None = None
    message: str = ""


@dataclass(frozen=True)
class ToolCallRecord:
    """A finished call: `args` as executed, `result` as the model read it, `value` typed (None if it failed)."""

    id: str
    name: str
    args: dict[str, Any]
    status: str
    result: str
    seconds: float = 0.0
    value: ToolResult | None = None

    def as_json(self) -> dict[str, Any]:
        """As `agentkit chat --json` prints it."""
        return {"name": self.name, "args": self.args, "status": self.status, "result": self.result}


@dataclass(frozen=True)
class Reply:
    """What one turn came to. `pending` holds the calls that wait for approval; then `text` is ''.

    `output` is the structured answer as the asked type, None if what the model gave (`raw_output`) does not fit it.
    """

    text: str
    thread_id: str
    trace_id: str
    model: str
    tool_calls: list[ToolCallRecord] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)
    pending: list[ApprovalNeeded] = field(default_factory=list)
    output: Any = None
    raw_output: Any = field(default=None, repr=False)

    @property
    def artifacts(self) -> list[Artifact]:
        """Tables, figures and files of all calls, in order."""
        return [a for call in self.tool_calls if call.value for a in call.value.artifacts]

    def as_json(self) -> dict[str, Any]:
        """As `agentkit chat --json` prints it."""
        output = self.output.model_dump(mode="json") if hasattr(self.output, "model_dump") else self.output
        return {
            "text": self.text,
            "tool_calls": [c.as_json() for c in self.tool_calls],
            "usage": self.usage,
            "thread_id": self.thread_id,
            "trace_id": self.trace_id,
            "model": self.model,
            "pending": [{"id": p.call_id, "name": p.name, "args": p.args, "reason": p.reason} for p in self.pending],
            **({} if self.output is None else {"output": output}),
        }


def this_turn(messages: list[AnyMessage]) -> list[AnyMessage]:
    """The messages after the last one of the user."""
    last = max((i for i, m in enumerate(messages) if m.type == "human"), default=-1)
    return messages[last + 1 :]


def records(messages: Iterable[AnyMessage], toolbox: Toolbox) -> list[ToolCallRecord]:
    """The tool calls that these messages tell of, typed again where the tool is still there."""
    return [_record(m, toolbox) for m in messages if m.type == "tool"]


def _record(message: ToolMessage, toolbox: Toolbox) -> ToolCallRecord:
    kept = message.artifact or {}
    name, text = message.name or "", str(message.content)
    value = None
    if message.status != "error":
        kind = toolbox.get(name).result_type if name in toolbox.specs and "result" in kept else TextResult
        value = kind.model_validate(kept.get("result", {"text": text}))
    return ToolCallRecord(
        message.tool_call_id, name, kept.get("args", {}), message.status, text, kept.get("seconds", 0.0), value
    )


def usage(messages: Iterable[AnyMessage]) -> dict[str, int]:
    """Tokens as the providers count them, and the number of calls of the model."""
    total = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "model_calls": 0}
    for message in messages:
        if message.type == "ai":
            total["model_calls"] += 1
            for key, value in (message.usage_metadata or {}).items():
                if key in total and isinstance(value, int):
                    total[key] += value
    return total
