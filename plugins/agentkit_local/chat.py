"""The embedded chat model: LangChain's interface over llama.cpp, every step with tools decoded under a schema."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from agentkit.errors import ProviderError
from agentkit.settings import load_settings
from agentkit_local import schema as schemas
from agentkit_local.choice import offered
from agentkit_local.located import located
from agentkit_local.mentions import asked_for, told
from agentkit_local.names import with_names
from agentkit_local.rendering import render, request_of
from agentkit_local.server import STREAMED, Engine, EngineKey, engine
from agentkit_local.steps import REPETITION, Answer, Piece
from agentkit_local.threads import in_thread

if TYPE_CHECKING:
    from agentkit.settings import Settings

ToolChoice = Literal["auto", "any", "required", "none"]
_CHOICES = ("auto", "any", "required", "none")


def chat_model(name: str, settings: Settings) -> LocalChatModel:
    """The chat model of a manifest entry ('' for the default) or of a `PATH.gguf`.

    Raises ModelNotFound if there is no such entry or its file is not on this machine.
    """
    name, key = located(name, settings)
    return LocalChatModel(
        model=name, file=key.file, identity=key.identity, context=key.context, threads=key.threads, settings=settings
    )


class LocalChatModel(BaseChatModel):
    """A model file run by llama.cpp in this process; instances of the same file and settings share one engine.

    `context` is the longest prompt and answer in tokens, `max_tokens` the longest answer. With tools bound, one
    call gives one tool call or an answer. `identity` names the contents of `file`. A call with `model=NAME` is answered
    by that manifest entry or file of `settings` (default: those of the current folder) instead.
    """

    model: str
    file: Path
    identity: str
    context: int = 8192
    threads: int | None = None
    temperature: float = 0.0
    max_tokens: int = 1024
    seed: int | None = None
    stop: list[str] | None = None
    settings: Any = Field(default=None, exclude=True, repr=False)

    def model_post_init(self, context: Any, /) -> None:
        """Tell LangChain that an answer can be decoded under a schema, beside tools."""
        super().model_post_init(context)
        if self.profile is None:
            self.profile = {"structured_output": True, "tool_calling": True, "max_input_tokens": self.context}

    @property
    def _llm_type(self) -> str:
        return "agentkit-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        known = super()._get_ls_params(stop=stop, **kwargs)
        own = LangSmithParams(ls_provider="local", ls_model_name=str(kwargs.get("model", self.model)))
        return LangSmithParams(**(known | own))

    @property
    def engine(self) -> Engine:
        """The shared engine, loaded on first use (1-6 s). Raises MissingExtra, ProviderError."""
        return engine(EngineKey(self.file, self.identity, self.context, self.threads))

    def _engine_of(self, name: str) -> Engine:
        if name == self.model:
            return self.engine
        _, key = located(name, self.settings or load_settings())
        return engine(replace(key, context=self.context, threads=self.threads))

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: ToolChoice | str | bool | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the model call tools. `tool_choice`: 'auto', 'any' or 'required', 'none', or the name of a tool.

        Raises ProviderError for a choice that is not among the tools, or a tool named 'respond'.
        """
        shapes = [convert_to_openai_tool(tool) for tool in tools]
        names = [shape["function"]["name"] for shape in shapes]
        choice = _choice(tool_choice)
        if schemas.RESPOND in names:
            raise ProviderError(f"A tool of the embedded model cannot be named {schemas.RESPOND!r}: rename it.")
        if choice not in (*_CHOICES, *names):
            raise ProviderError(f"tool_choice {choice!r} is none of the tools: {', '.join(names)}.")
        return self.bind(tools=shapes, tool_choice=choice, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for piece in self._pieces(messages, stop, kwargs):
            chunk = self._chunk(piece, kwargs)
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for piece in in_thread(lambda end: self._pieces(messages, stop, kwargs, end)):
            chunk = self._chunk(piece, kwargs)
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._result(list(self._pieces(messages, stop, kwargs)), kwargs)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        pieces = [piece async for piece in in_thread(lambda end: self._pieces(messages, stop, kwargs, end))]
        return self._result(pieces, kwargs)

    def _pieces(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        options: dict[str, Any],
        end: threading.Event | None = None,
    ) -> Iterator[Piece]:
        tools = options.get("tools") or []
        choice = options.get("tool_choice") or "auto"
        answer_shape = _answer_shape(options)
        forced = choice not in ("auto", "none")
        prompt, fixed = render(messages, tools, forced=forced, answer=answer_shape)
        stops = stop or options.get("stop") or self.stop or []
        request: dict[str, Any] = {
            "messages": prompt,
            "temperature": options.get("temperature", self.temperature),
            "max_tokens": options.get("max_tokens") or self.max_tokens,
            **STREAMED,
        }
        seed = options.get("seed", self.seed)
        if seed is not None:
            request["seed"] = seed
        constrained = (bool(tools) and choice != "none") or answer_shape is not None
        if constrained:
            request["grammar"] = schemas.grammar(_step_schema(tools, choice, messages, answer_shape))
        elif stops:
            request["stop"] = list(stops)
        answer = Answer(constrained, tuple(stops) if constrained else (), structured=answer_shape is not None)
        with closing(self._engine_of(options.get("model", self.model)).stream(request, fixed, end)) as chunks:
            for piece in answer.read(chunks):
                yield replace(piece, arguments=_told(piece, tools)) if piece.arguments else piece

    def _chunk(self, piece: Piece, options: Mapping[str, Any]) -> ChatGenerationChunk:
        message = AIMessageChunk(content=piece.text)
        if piece.tool:
            # a call that was cut must not be repaired by a lenient parser: a JSON string is never arguments
            args = json.dumps(piece.arguments_text if piece.arguments is None else piece.arguments, ensure_ascii=False)
            message = AIMessageChunk(
                content="", tool_call_chunks=[tool_call_chunk(name=piece.tool, args=args, id=_call_id(), index=0)]
            )
        if piece.last:
            message.usage_metadata = _usage(piece.usage)
            message.response_metadata = self._metadata(piece, options)
            message.chunk_position = "last"
        return ChatGenerationChunk(message=message, generation_info=dict(message.response_metadata) or None)

    def _result(self, pieces: list[Piece], options: Mapping[str, Any]) -> ChatResult:
        last = pieces[-1]
        message = AIMessage(content="".join(p.text for p in pieces), response_metadata=self._metadata(last, options))
        message.usage_metadata = _usage(last.usage)
        for piece in pieces:
            if piece.tool and piece.arguments is not None:
                message.tool_calls.append(tool_call(name=piece.tool, args=piece.arguments, id=_call_id()))
            elif piece.tool:
                message.invalid_tool_calls.append(
                    invalid_tool_call(name=piece.tool, args=piece.arguments_text, id=_call_id(), error=_cut(last))
                )
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=self._metadata(last, options))])

    def _metadata(self, last: Piece, options: Mapping[str, Any]) -> dict[str, Any]:
        name = options.get("model", self.model)
        return {"model_name": name, "model_provider": "agentkit-local", "finish_reason": last.finish}


def _cut(last: Piece) -> str:
    why = "it said the same over and over" if last.finish == REPETITION else "more than max_tokens"
    return f"The call was cut before its end: {why}."


def _step_schema(
    tools: Sequence[Mapping[str, Any]], choice: str, messages: Sequence[BaseMessage], answer: dict[str, Any] | None
) -> dict[str, Any]:
    shapes: dict[str, Mapping[str, Any]] = {}
    request = request_of(messages)
    functions = [] if choice == "none" else [t["function"] for t in tools]
    if choice in _CHOICES:
        names = offered(functions, request, "\n".join(f"{m.name} {m.text}" for m in messages if m.type == "tool"))
    else:
        names = [choice]
    for function in (f for f in functions if f["name"] in names):
        shape = schemas.plain(function.get("parameters") or {})
        # a forced choice is how structured output is asked for: there every field counts
        if choice == "auto":
            shape = asked_for(shape, f"{function['name']} {function.get('description', '')}", request)
            shape = with_names(shape, messages, request)
        shapes[function["name"]] = shape
    return schemas.step_schema(shapes, may_respond=choice in ("auto", "none"), answer=answer)


def _told(piece: Piece, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    function = next(t["function"] for t in tools if t["function"]["name"] == piece.tool)
    return told(piece.arguments or {}, schemas.plain(function.get("parameters") or {}))


def _answer_shape(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """The plain schema that the answer has to have, from `response_format` in OpenAI's form."""
    wanted = options.get("response_format") or {}
    return schemas.plain(wanted["json_schema"]["schema"]) if wanted.get("type") == "json_schema" else None


def _choice(given: ToolChoice | str | bool | Mapping[str, Any] | None) -> str:
    if isinstance(given, Mapping):
        return str(given.get("function", given).get("name", "auto"))
    if isinstance(given, bool):
        return "any" if given else "auto"
    return given or "auto"


def _call_id() -> str:
    return f"call_{uuid.uuid4().hex[:16]}"


def _usage(usage: Mapping[str, Any]) -> UsageMetadata:
    read, written = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
    cached = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0))
    return UsageMetadata(
        input_tokens=read,
        output_tokens=written,
        total_tokens=read + written,
        input_token_details={"cache_read": cached},
    )
