"""What the model sees of a long thread: the first request, what came last, and a line for each turn between.

The thread itself keeps everything, and no model is asked for a summary. What is left out depends on the messages
alone and changes in big steps: the beginning of the prompt stays the same for many calls, so its cache holds.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from agentkit.errors import ContextExceeded
from agentkit.middleware.surroundings import SAID
from agentkit.runs import Run
from agentkit.settings import Settings

MARGIN = 0.8
"""Share of the context that is used: tokens are estimated, and a model's own template adds some."""
KEPT = 0.5
"""Share of the room that is still filled after a cut: the smaller, the more seldom a cut."""
LEAST_ROOM = 256
"""Tokens that messages get even where the tools fill the context."""
TRIES = 4
"""How often a request that the model finds too long is made shorter, each time by half."""
_NOTE_SHARE = 0.15
_FIRST_SHARE = 0.25
_REQUEST_LENGTH = 100
_ANSWER_LENGTH = 160
_MESSAGE_TOKENS = 5
_PICTURE_TOKENS = 1_000
_HANDLE = re.compile(r"\b(?:model|table|figure|result):[\w.-]*\w(?:/\d+)?")
_HANDLES = 10
_TOO_LONG = (ContextOverflowError, ContextExceeded)
# a short word, a digit, a run of punctuation or a character of another script: near what tokenizers make of them
_TOKEN = re.compile(r"[A-Za-z]{1,6}|\d|[^\w\s]{1,2}|[^\W\dA-Za-z]|\n+")


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, rather too many than too few; never more than its characters."""
    return sum(1 for _ in _TOKEN.finditer(text))


@dataclass(frozen=True)
class Unit:
    """What is kept or left out as a whole: a request, an answer, or calls with their results."""

    messages: tuple[AnyMessage, ...]
    size: int

    @property
    def is_request(self) -> bool:
        return self.messages[0].type == "human"

    @property
    def is_step(self) -> bool:
        """Whether tools were called."""
        return len(self.messages) > 1

    def line(self) -> str:
        """The unit in a line, as it is told when it is left out."""
        message, *results = self.messages
        if self.is_request:
            return f"asked: {_one_line(str(message.additional_kwargs.get(SAID, message.text)), _REQUEST_LENGTH)}"
        if isinstance(message, AIMessage) and results:
            calls = ", ".join(f"{c['name']}({json.dumps(c['args'], ensure_ascii=False)})" for c in message.tool_calls)
            return f"called {_one_line(calls, _REQUEST_LENGTH)}: {_one_line(results[-1].text, _ANSWER_LENGTH)}"
        return f"answered: {_one_line(message.text, _ANSWER_LENGTH)}"


class History(AgentMiddleware[AgentState[Any], Run]):
    """The innermost middleware around the model: it sees the model that is really called, a fallback perhaps."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._context = settings.limits.context
        self._found: dict[str, int] = {}
        self._tools: dict[tuple[str, ...], int] = {}

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        for _ in range(TRIES):
            shown = self._shown(request)
            try:
                return handler(shown)
            except Exception as error:
                if not self._shorter(request, shown, error):
                    raise
        return handler(self._shown(request))

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        for _ in range(TRIES):
            shown = self._shown(request)
            try:
                return await handler(shown)
            except Exception as error:
                if not self._shorter(request, shown, error):
                    raise
        return await handler(self._shown(request))

    def _shown(self, request: ModelRequest[Run]) -> ModelRequest[Run]:
        room = self._room(request)
        if room is None:
            return request
        prompts = request.runtime.context.services.prompts

        def note(**left_out: Any) -> str:
            return prompts.get("history").text("user", **left_out)

        messages = fitting(request.messages, room, note)
        return request if messages is request.messages else request.override(messages=messages)

    def _room(self, request: ModelRequest[Run]) -> int | None:
        """Tokens that are left for the messages, None if nothing tells how many there are."""
        found, context = self._found.get(_key(request)), self._context or context_of(request.model)
        if context is None:
            return found
        room = max(int(context * MARGIN) - self._fixed(request), LEAST_ROOM)
        return room if found is None else min(room, found)

    def _fixed(self, request: ModelRequest[Run]) -> int:
        """Tokens of the system prompt and the tools."""
        names = tuple(str(getattr(tool, "name", tool)) for tool in request.tools)
        if names not in self._tools:
            shapes = json.dumps([convert_to_openai_tool(tool) for tool in request.tools], ensure_ascii=False)
            self._tools[names] = estimated_tokens(shapes)
        return self._tools[names] + estimated_tokens(request.system_message.text if request.system_message else "")

    def _shorter(self, request: ModelRequest[Run], shown: ModelRequest[Run], error: Exception) -> bool:
        """Whether the model refused the length and less can be sent: then half of what was sent is the limit."""
        if not isinstance(error, _TOO_LONG) and not isinstance(error.__cause__, _TOO_LONG):
            return False
        key, before = _key(request), self._found.get(_key(request))
        self._found[key] = max(sum(map(_size, shown.messages)) // 2, LEAST_ROOM)
        if len(self._shown(request).messages) < len(shown.messages):
            return True
        self._found.pop(key)
        if before is not None:
            self._found[key] = before
        return False


def context_of(model: Any) -> int | None:
    """Tokens that a chat model takes as input, from its profile or its `context`; None if it does not tell."""
    told = (getattr(model, "profile", None) or {}).get("max_input_tokens")
    if told:
        return int(told)
    context = getattr(model, "context", None)
    return int(context) - int(getattr(model, "max_tokens", None) or 0) if context else None


class Note(Protocol):
    """Tells what is left out: a line for each part, how many lines before these are not told, and handles."""

    def __call__(self, *, lines: list[str], unlisted: int, handles: list[str]) -> str: ...


def fitting(messages: list[AnyMessage], room: int, note: Note) -> list[AnyMessage]:
    """The messages that fit into `room` tokens; the same list if all do.

    Kept are the first request with its answer, the latest unit with the request that it belongs to, and as many
    units before it as fit. The note stands with the first request.
    """
    # a token has at least one character: a short thread needs no closer look
    if sum(_size(m, len) for m in messages) <= room:
        return messages
    thread = _Thread(messages, room)
    start = thread.start()
    if start == 0:
        return messages
    lines, handles = list(thread.left_out(start)), thread.handles(start)
    told = _within(lines, int(room * _NOTE_SHARE) - estimated_tokens(" ".join(handles)))
    text = note(lines=told, unlisted=len(lines) - len(told), handles=handles).strip() if lines or handles else ""
    units, first, head = thread.units, thread.first, thread.request_of(start)
    between = [units[i] for i in (thread.answer, head) if i is not None and first < i < start]
    limit = None if head == first else int(room * _FIRST_SHARE)
    shown = _with_note(units[first].messages[0], text, limit)
    return [shown, *(m for unit in [*between, *units[start:]] for m in unit.messages)]


class _Thread:
    """A thread as units, and where its tail begins that still fits."""

    def __init__(self, messages: list[AnyMessage], room: int) -> None:
        self.units = _units(messages)
        self.requests = [i for i, unit in enumerate(self.units) if unit.is_request]
        self.first = self.requests[0] if self.requests else 0
        self.answer = self._first_answer(room)
        self._room = room
        self._before = [0, *accumulate(unit.size for unit in self.units)]

    def start(self) -> int:
        """Where the tail begins: found by going through the thread as it grew, so that it moves only at an overflow."""
        start = 0
        for end in range(1, len(self.units) + 1):
            if self._cost(start, end) > self._room:
                while self._cost(start, end) > self._room * KEPT and start + 1 < end:
                    start = self._next(start, end)
        return start

    def request_of(self, unit: int) -> int:
        """The request that a unit answers; of a request itself, this one."""
        place = bisect_right(self.requests, unit) - 1
        return self.requests[place] if place >= 0 else self.first

    def left_out(self, start: int) -> Iterator[str]:
        """A line for each request and answer that is left out, and for the steps of the request at hand."""
        head = self.request_of(start)
        for i in range(self.first + 1, start):
            unit = self.units[i]
            if i not in (head, self.answer) and (i > head or not unit.is_step):
                yield unit.line()

    def handles(self, start: int) -> list[str]:
        """The last handles of results that are left out: a later request may mean one of them."""
        gone = [m.text for unit in self.units[self.first + 1 : start] for m in unit.messages if m.type == "tool"]
        return list(dict.fromkeys(h for text in reversed(gone) for h in _HANDLE.findall(text)))[:_HANDLES][::-1]

    def _first_answer(self, room: int) -> int | None:
        if len(self.requests) < 2:
            return None
        last = self.requests[1] - 1
        unit = self.units[last]
        return None if unit.is_request or unit.is_step or unit.size > room * _FIRST_SHARE else last

    def _next(self, start: int, end: int) -> int:
        """Whole turns go first, then the steps of the turn at hand."""
        present = self.request_of(end - 1)
        if start >= present:
            return start + 1
        return self.requests[bisect_right(self.requests, start)]

    def _cost(self, start: int, end: int) -> float:
        tail = self._before[end] - self._before[start]
        if start == 0:
            return tail
        head, first = self.request_of(start), self.units[self.first].size
        cost = tail + self._room * _NOTE_SHARE
        cost += first if head == self.first else min(first, self._room * _FIRST_SHARE)
        return cost + sum(self.units[i].size for i in (self.answer, head) if i is not None and self.first < i < start)


def _units(messages: list[AnyMessage]) -> list[Unit]:
    groups: list[list[AnyMessage]] = []
    for message in messages:
        if isinstance(message, ToolMessage) and groups and groups[-1][0].type == "ai":
            groups[-1].append(message)
        else:
            groups.append([message])
    return [Unit(tuple(group), sum(map(_size, group))) for group in groups]


def _size(message: AnyMessage, count: Callable[[str], int] = estimated_tokens) -> int:
    size = count(message.text) + _MESSAGE_TOKENS
    if isinstance(message, AIMessage) and message.tool_calls:
        size += count(json.dumps([[c["name"], c["args"]] for c in message.tool_calls], ensure_ascii=False))
    if isinstance(message, HumanMessage) and isinstance(message.content, list):
        size += _PICTURE_TOKENS * sum(isinstance(b, dict) and b.get("type") != "text" for b in message.content)
    return size


def _within(lines: list[str], room: int) -> list[str]:
    """The last lines that fit."""
    for at in range(len(lines) - 1, -1, -1):
        room -= estimated_tokens(lines[at]) + 2
        if room < 0:
            return lines[at + 1 :]
    return lines


def _with_note(message: AnyMessage, note: str, limit: int | None) -> AnyMessage:
    """The first request with the note after it, shortened if it has more than `limit` tokens."""
    content: Any = message.content
    said = str(message.additional_kwargs.get(SAID, message.text))
    if isinstance(content, str):
        if limit is not None and estimated_tokens(content) > limit:
            content, said = _short(content, limit * 2), _short(said, limit * 2)
        content = f"{content}\n\n{note}" if note else content
    elif note:
        content = [*content, {"type": "text", "text": note}]
    kwargs = {**message.additional_kwargs, SAID: said}
    return message.model_copy(update={"content": content, "additional_kwargs": kwargs})


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length].rstrip()} ..."


def _one_line(text: str, length: int) -> str:
    return _short(" ".join(text.split()), length)


def _key(request: ModelRequest[Run]) -> str:
    name = request.model._get_ls_params().get("ls_model_name")  # noqa: SLF001 - LangChain has no public name for it
    return f"{type(request.model).__name__} {name}"
