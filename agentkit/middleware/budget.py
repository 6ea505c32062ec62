"""What a run and a thread may use. At a limit the run ends with the reason, and the thread keeps what was done.

Everything is counted from the thread's messages: a run that resumes in another process goes on counting where it was.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tracers.context import register_configure_hook
from langgraph.types import Command

from agentkit.errors import BudgetExceeded, Cancelled, SettingsError
from agentkit.middleware.tool_calls import AsyncHandler, Handler
from agentkit.runs import Run, this_turn
from agentkit.settings import PriceSettings, Settings, ThreadLimitSettings

SECONDS = "seconds"
"""Where a message keeps how long it took: `response_metadata` of the model's, `artifact` of a tool's."""
USAGE = "usage"
"""Where a tool message's artifact keeps the tokens that the tool itself used, by model."""
_LIMITS = ThreadLimitSettings.__struct_fields__
_PLACES = {"run": "[limits]", "thread": "[limits.thread]"}

_tool_usage: ContextVar[UsageMetadataCallbackHandler | None] = ContextVar("agentkit_tool_usage", default=None)
# LangChain's own context manager registers a hook more at every use and never takes it back
register_configure_hook(_tool_usage, inheritable=True)


@dataclass(frozen=True, slots=True)
class Spent:
    """What some messages took; `money` is 0 without prices."""

    model_calls: int = 0
    tool_calls: int = 0
    tokens: int = 0
    money: float = 0.0
    seconds: float = 0.0


class Prices:
    """What tokens cost, from `[prices]`."""

    def __init__(self, prices: Mapping[str, PriceSettings]) -> None:
        self._prices = {short: price for name, price in prices.items() for short in _names(name)}

    def of(self, model: str) -> PriceSettings:
        """The price of a model: by its name, with or without the provider, or by that of which it is a version.

        Raises SettingsError if there is none.
        """
        asked = _names(model)
        fitting = [n for n in self._prices if any(a == n or a.startswith(f"{n}-") for a in asked)]
        if not fitting:
            raise SettingsError(
                f"[limits] has a limit of money, and model {model!r} has no price: write what a million tokens cost "
                f'as [prices."{model}"] input = ..., output = ... (0 if it is free) in agentkit.toml.'
            )
        return self._prices[max(fitting, key=len)]

    def cost(self, model: str, usage: Mapping[str, Any]) -> float:
        """The price of what a provider says that it used; 0 for a message of which nobody noted the model."""
        if not model:
            return 0.0
        price = self.of(model)
        cached = (usage.get("input_token_details") or {}).get("cache_read") or 0 if price.cache_read is not None else 0
        read = (usage["input_tokens"] - cached) * price.input + cached * (price.cache_read or 0)
        return float(read + usage["output_tokens"] * price.output) / 1_000_000


def spent(messages: Iterable[AnyMessage], prices: Prices | None = None) -> Spent:
    """What these messages took: tokens as the providers count them, money if there are prices."""
    listed = list(messages)
    answers = [m for m in listed if isinstance(m, AIMessage)]
    used = [pair for m in listed for pair in _usages(m)]
    return Spent(
        model_calls=len(answers),
        tool_calls=sum(len(m.tool_calls) for m in answers),
        tokens=sum(usage.get("total_tokens", 0) for _, usage in used),
        money=sum(prices.cost(model, usage) for model, usage in used) if prices else 0.0,
        seconds=_seconds(listed),
    )


class Budget(AgentMiddleware[AgentState[Any], Run]):
    """The outermost middleware: nothing is called that a limit forbids.

    Raises BudgetExceeded before a call of the model. A tool call over the limit is answered without being run.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        scopes: dict[str, ThreadLimitSettings] = {"run": settings.limits, "thread": settings.limits.thread}
        # a long thread is only counted where somebody set a limit for it
        self._limits = {
            s: limits for s, limits in scopes.items() if any(getattr(limits, n) is not None for n in _LIMITS)
        }
        money = any(limits.money is not None for limits in self._limits.values())
        self._prices = Prices(settings.prices) if money else None

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        self._check(request)
        start = time.perf_counter()
        with self._in_time(request.runtime.context, request.messages):
            return _noted(handler(request), request, start)

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        self._check(request)
        start = time.perf_counter()
        with self._in_time(request.runtime.context, request.messages):
            return _noted(await handler(request), request, start)

    def wrap_tool_call(self, request: ToolCallRequest, handler: Handler) -> ToolMessage | Command[Any]:
        if refusal := self._refusal(request):
            return refusal
        with self._in_time(_run(request), request.state["messages"]), _counted() as used:
            return _with_usage(handler(request), used)

    async def awrap_tool_call(self, request: ToolCallRequest, handler: AsyncHandler) -> ToolMessage | Command[Any]:
        if refusal := await asyncio.to_thread(self._refusal, request):
            return refusal
        with self._in_time(_run(request), request.state["messages"]), _counted() as used:
            return _with_usage(await handler(request), used)

    def _check(self, request: ModelRequest[Run]) -> None:
        if self._prices:
            self._prices.of(_model_name(request))
        thread_id = request.runtime.context.thread_id
        for scope, limits, used in self._used(request.messages):
            for name in _LIMITS:
                limit, amount = getattr(limits, name), getattr(used, name)
                # the calls of tools are all made: the model may still answer
                if limit is not None and (amount > limit if name == "tool_calls" else amount >= limit):
                    raise BudgetExceeded(_reason(scope, thread_id, name, amount, limit))

    def _used(self, messages: list[AnyMessage]) -> Iterator[tuple[str, ThreadLimitSettings, Spent]]:
        for scope, limits in self._limits.items():
            yield scope, limits, spent(this_turn(messages) if scope == "run" else messages, self._prices)

    def _refusal(self, request: ToolCallRequest) -> ToolMessage | None:
        """The answer to a call over the limit; the next call of the model then ends the run."""
        call, messages = request.tool_call, request.state["messages"]
        beside = messages[-1].tool_calls if isinstance(messages[-1], AIMessage) else []
        place = next((i for i, c in enumerate(beside) if c["id"] == call["id"]), 0)
        for scope, limits, used in self._used(messages):
            if limits.tool_calls is not None and used.tool_calls - len(beside) + place >= limits.tool_calls:
                text = f"{call['name']} was not run: this {scope} has its limit of {limits.tool_calls} tool calls."
                return not_run(call, text, "limit")
        return None

    @contextmanager
    def _in_time(self, run: Run, messages: list[AnyMessage]) -> Iterator[None]:
        """Ask the model or the tool to stop when the seconds are used up."""
        left = [
            (limits.seconds - used.seconds, limits.seconds, scope)
            for scope, limits, used in self._used(messages)
            if limits.seconds is not None
        ]
        if not left:
            yield
            return
        remaining, limit, scope = min(left)
        over = threading.Event()

        def stop() -> None:
            over.set()
            run.cancelled.set()

        timer = threading.Timer(max(remaining, 0), stop)
        timer.start()
        try:
            yield
        except Cancelled as error:
            if not over.is_set():
                raise
            raise BudgetExceeded(_reason(scope, run.thread_id, "seconds", limit, limit)) from error
        finally:
            timer.cancel()


def not_run(call: Mapping[str, Any], reason: str, why: Literal["limit", "repeated"]) -> ToolMessage:
    """The answer to a call that was not made; `why_not` tells it from one that failed."""
    artifact = {"args": call["args"], "not_run": why}
    return ToolMessage(reason, name=call["name"], tool_call_id=str(call["id"]), status="error", artifact=artifact)


def why_not(message: ToolMessage) -> str | None:
    """Why a call was not made, None if it was (or a person refused it)."""
    why: str | None = (message.artifact or {}).get("not_run")
    return why


def _run(request: ToolCallRequest) -> Run:
    run: Run = request.runtime.context  # type: ignore[assignment]
    return run


def _names(model: str) -> list[str]:
    """`openai:gpt-5` is also `gpt-5`, `http://host/v1#name` is also `name`."""
    tails = [model.partition("#")[2]] if "://" in model else [model.partition(":")[2]]
    return [model, *(t for t in tails if t)]


def _usages(message: AnyMessage) -> list[tuple[str, Mapping[str, Any]]]:
    if isinstance(message, AIMessage) and message.usage_metadata:
        return [(str(message.response_metadata.get("model_name", "")), dict(message.usage_metadata))]
    if isinstance(message, ToolMessage):
        return list(((message.artifact or {}).get(USAGE) or {}).items())
    return []


def _seconds(messages: list[AnyMessage]) -> float:
    """Time in which the model or a tool worked; calls of one step ran beside each other."""
    total = 0.0
    for kind, group in groupby(messages, key=lambda m: m.type):
        if kind == "ai":
            total += sum(m.response_metadata.get(SECONDS, 0.0) for m in group)
        elif kind == "tool":
            total += max((m.artifact or {}).get(SECONDS, 0.0) for m in group if isinstance(m, ToolMessage))
    return total


def _noted(response: ModelResponse[Any], request: ModelRequest[Run], start: float) -> ModelResponse[Any]:
    """The response with what it took, and with the model's name if the provider did not say it."""
    seconds = round(time.perf_counter() - start, 3)
    for message in response.result:
        if isinstance(message, AIMessage):
            known = {"model_name": _model_name(request), **message.response_metadata}
            message.response_metadata = {**known, SECONDS: seconds}
    return response


def _model_name(request: ModelRequest[Run]) -> str:
    # LangChain has no public name for the name that its own traces and middleware use
    return str(request.model._get_ls_params().get("ls_model_name") or type(request.model).__name__)  # noqa: SLF001


@contextmanager
def _counted() -> Iterator[UsageMetadataCallbackHandler]:
    """Count what chat models are used inside: a tool may ask one of its own."""
    used = UsageMetadataCallbackHandler()
    token = _tool_usage.set(used)
    try:
        yield used
    finally:
        _tool_usage.reset(token)


def _with_usage(answer: ToolMessage | Command[Any], used: UsageMetadataCallbackHandler) -> ToolMessage | Command[Any]:
    if used.usage_metadata and isinstance(answer, ToolMessage):
        answer.artifact = {**(answer.artifact or {}), USAGE: {m: dict(u) for m, u in used.usage_metadata.items()}}
    return answer


def _reason(scope: str, thread_id: str, name: str, used: float, limit: float) -> str:
    what = f"{_number(used)} of {_number(limit)} {name.replace('_', ' ')}"
    raised = f"raise {name} under {_PLACES[scope]} in agentkit.toml"
    if scope == "run":
        return f"This run has used {what}. What it did is kept: go on in thread {thread_id!r}, or {raised}."
    return f"Thread {thread_id!r} has used {what}. What it did is kept: {raised}, or start a new thread."


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
