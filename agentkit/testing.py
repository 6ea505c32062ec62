"""For tests of agents and plugins: a chat model that says what it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, PrivateAttr

Step = str | AIMessage | Exception


class ScriptedChatModel(BaseChatModel):
    """Answers with `script` in order: a text, an AIMessage (with tool calls perhaps), or an exception to raise.

    When the script is used up the last step repeats. `seen` holds the messages of every call; `tools` those bound.
    """

    script: Sequence[Any]
    seen: list[list[BaseMessage]] = Field(default_factory=list)
    tools: list[Any] = Field(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Runnable[Any, AIMessage]:
        """Note the tools; the script already knows what to call."""
        self.tools[:] = tools
        return self

    def _next(self, messages: list[BaseMessage]) -> AIMessage:
        with self._lock:
            step = self.script[min(len(self.seen), len(self.script) - 1)]
            self.seen.append(messages)
        if isinstance(step, Exception):
            raise step
        return AIMessage(step) if isinstance(step, str) else step.model_copy(update={"id": None})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> Iterator[ChatGenerationChunk]:
        step = self._next(messages)
        calls = [
            {"name": c["name"], "args": _json(c["args"]), "id": c["id"], "index": i}
            for i, c in enumerate(step.tool_calls)
        ]
        words = step.text.split(" ") if step.text else [""]
        for i, word in enumerate(words):
            last = i == len(words) - 1
            chunk = AIMessageChunk(
                content=word if last else word + " ",
                tool_call_chunks=calls if last else [],  # type: ignore[arg-type]
                usage_metadata=step.usage_metadata if last else None,
            )
            if run_manager and chunk.text:
                run_manager.on_llm_new_token(chunk.text, chunk=ChatGenerationChunk(message=chunk))
            yield ChatGenerationChunk(message=chunk)


def call(name: str, /, id: str = "call-1", **args: Any) -> AIMessage:  # noqa: A002
    """A step of a script: one tool call."""
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": id, "type": "tool_call"}])


def _json(value: Any) -> str:
    import json

    return json.dumps(value)
