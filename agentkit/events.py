"""What a run tells while it goes on. `Agent.stream` yields these; plugins get them in `on_event`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentkit.agent import Reply
    from agentkit.results import ToolResult


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text, as it is decoded."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool begins, with the arguments as they are executed."""

    call_id: str
    name: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolProgress:
    """A running tool reports: `fraction` of the work done (0 to 1, None if unknown) and a message."""

    call_id: str
    name: str
    message: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool ended. `status` is 'success' or 'error'; `brief` is what the model reads."""

    call_id: str
    name: str
    args: dict[str, Any]
    status: str
    brief: str
    seconds: float
    result: ToolResult | None = None


@dataclass(frozen=True, slots=True)
class ApprovalNeeded:
    """The run pauses until a person approves, edits or refuses this call."""

    call_id: str
    name: str
    args: dict[str, Any]
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know, such as what leaves the machine or a fallback that was taken."""

    message: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over or paused; `reply` is what `ask` would have returned."""

    reply: Reply = field(repr=False)


Event = TextDelta | ToolStarted | ToolProgress | ToolFinished | ApprovalNeeded | Notice | Finished
