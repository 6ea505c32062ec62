"""Reading a step while it is decoded: which tool, or the answer's text as far as it is certain."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentkit_local.loops import Unrepeated
from agentkit_local.schema import RESPOND

REPETITION = "repetition"
"""Why a completion ended that went round in a loop."""

_HEAD = re.compile(r'\s*\{\s*"tool"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*')
_ANSWER = re.compile(r'\s*\{\s*"answer"\s*:\s*"')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass
class JsonText:
    """Decodes the inside of a JSON string that arrives in pieces; `done` after the closing quote."""

    done: bool = False
    _rest: str = ""
    _high: str = ""

    def feed(self, piece: str) -> str:
        """The text that is certain after this piece; half escapes and half surrogate pairs wait."""
        data, self._rest = self._rest + piece, ""
        out: list[str] = []
        at = 0
        while at < len(data) and not self.done:
            char = data[at]
            if char == '"':
                self.done = True
            elif char != "\\":
                out.append(self._flush() + char)
                at += 1
            else:
                width = 6 if data[at + 1 : at + 2] == "u" else 2
                if at + width > len(data):
                    self._rest = data[at:]
                    break
                out.append(self._escape(data[at : at + width]))
                at += width
        if self.done:
            out.append(self._flush())
        return "".join(out)

    def _escape(self, escape: str) -> str:
        if escape[1] != "u":
            return self._flush() + _ESCAPES.get(escape[1], escape[1])
        code = int(escape[2:], 16)  # noqa: FURB166
        if 0xD800 <= code < 0xDC00:
            lone, self._high = self._flush(), chr(code)
            return lone
        if 0xDC00 <= code < 0xE000 and self._high:
            pair, self._high = self._high + chr(code), ""
            return pair.encode("utf-16", "surrogatepass").decode("utf-16")
        return self._flush() + ("\N{REPLACEMENT CHARACTER}" if 0xDC00 <= code < 0xE000 else chr(code))

    def _flush(self) -> str:
        lone, self._high = self._high, ""
        return "\N{REPLACEMENT CHARACTER}" if lone else ""


@dataclass
class Step:
    """One step of the model, read piece by piece. `tool` is '' until its name is complete."""

    raw: str = ""
    tool: str = ""
    answer: str = ""
    _arguments_at: int = 0
    _answer: JsonText | None = field(default=None, repr=False)

    def feed(self, piece: str) -> str:
        """Take the next piece; gives the new text of the answer, '' if the step calls a tool."""
        self.raw += piece
        if not self.tool:
            head = _HEAD.match(self.raw)
            if not head:
                return ""
            self.tool, self._arguments_at = json.loads(head[1]), head.end()
        if self.tool != RESPOND:
            return ""
        if self._answer is None:
            start = _ANSWER.match(self.raw, self._arguments_at)
            if not start:
                return ""
            self._answer, piece = JsonText(), self.raw[start.end() :]
        text = self._answer.feed(piece)
        self.answer += text
        return text

    @property
    def calls_tool(self) -> bool:
        """True unless the step answers (a step cut before its tool's name calls none)."""
        return bool(self.tool) and self.tool != RESPOND

    def arguments(self) -> dict[str, Any] | None:
        """The call's arguments, None if the step was cut before its end."""
        try:
            arguments = json.loads(self.raw)["arguments"]
        except (ValueError, KeyError, TypeError):
            return None
        return arguments if isinstance(arguments, dict) else None

    @property
    def arguments_json(self) -> str:
        """The arguments as JSON text; what there is of them if the step was cut."""
        arguments = self.arguments()
        return self.arguments_text if arguments is None else json.dumps(arguments, ensure_ascii=False)

    @property
    def arguments_text(self) -> str:
        """What there is of the arguments' JSON."""
        return self.raw[self._arguments_at :].strip()


@dataclass(frozen=True, slots=True)
class Piece:
    """The next part of the model's output: text, a tool call (`arguments` None if it was cut), or the end."""

    text: str = ""
    tool: str = ""
    arguments: dict[str, Any] | None = None
    arguments_text: str = ""
    last: bool = False
    finish: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)


class Answer:
    """Turns llama.cpp's chunks into pieces; `stops` end the text before their first occurrence.

    A `structured` answer is the JSON of its arguments, and comes whole. A model that says the same over and over is
    not listened to any longer: its text ends before the loop, its call is cut, and it finished with REPETITION.
    """

    def __init__(self, constrained: bool, stops: tuple[str, ...] = (), *, structured: bool = False) -> None:
        self._step = Step() if constrained else None
        self._structured = structured
        self._stops = stops
        self._held = ""
        self._stopped = False
        self._text, self._call = Unrepeated(), Unrepeated()

    def read(self, chunks: Iterable[Mapping[str, Any]]) -> Iterator[Piece]:
        """The pieces of one completion; the last one has `last` set."""
        finish = ""
        usage: Mapping[str, Any] = {}
        for chunk in chunks:
            usage = _usage(chunk, usage)
            for choice in chunk.get("choices") or ():
                finish = choice.get("finish_reason") or finish
                if text := self._hold(self._unrepeated(choice.get("delta", {}).get("content") or "")):
                    yield Piece(text)
            if self._text.loops or self._call.loops:
                finish = REPETITION
                break
        if text := self._hold(self._text.rest()) + ("" if self._stopped else self._held):
            yield Piece(text)
        if self._step and self._structured and self._step.tool == RESPOND:
            yield Piece(self._step.arguments_json)
        if self._step and self._step.calls_tool:
            arguments = self._step.arguments()
            yield Piece(tool=self._step.tool, arguments=arguments, arguments_text=self._step.arguments_text)
            finish = "tool_calls" if arguments is not None else finish
        yield Piece(last=True, finish="stop" if self._stopped else finish, usage=usage)

    def _unrepeated(self, content: str) -> str:
        """The text that this part of the output adds to the answer, for certain."""
        text = self._step.feed(content) if self._step else content
        if self._step is None or (self._step.tool == RESPOND and not self._structured):
            return self._text.feed(text)
        self._call.feed(content)
        return ""

    def _hold(self, text: str) -> str:
        """The text that no stop can still begin in; sets `_stopped` at a stop."""
        if self._stopped or not self._stops:
            return "" if self._stopped else text
        self._held += text
        found = [at for at in (self._held.find(s) for s in self._stops) if at >= 0]
        if found:
            self._stopped = True
            return self._held[: min(found)]
        keep = max(map(len, self._stops)) - 1
        sure = len(self._held) - keep
        text, self._held = (self._held[:sure], self._held[sure:]) if sure > 0 else ("", self._held)
        return text


def _usage(chunk: Mapping[str, Any], before: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the completion took so far: as llama.cpp counts it at the end, until then a token for each piece."""
    if chunk.get("usage"):
        return dict(chunk["usage"])
    read = chunk.get("prompt_progress")
    if read:
        return {"prompt_tokens": read["total"], "prompt_tokens_details": {"cached_tokens": read["cache"]}}
    written = sum(bool(choice.get("delta", {}).get("content")) for choice in chunk.get("choices") or ())
    return {**before, "completion_tokens": before.get("completion_tokens", 0) + written}
