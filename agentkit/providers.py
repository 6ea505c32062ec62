"""Calls of a chat model over a network: bounded in time, retried here and nowhere else, ended at once by Ctrl-C.

A provider's plugin puts `Bounded` before the chat model of its SDK, whose own retries are switched off.
"""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from typing import Any, Literal, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from agentkit.context import cancellation
from agentkit.errors import AgentkitError, Cancelled, ProviderError
from agentkit.models import NOT_A_MODEL, explain, is_passing, retry_after
from agentkit.redaction import redact
from agentkit.settings import ModelSettings

FIRST_WAIT = 0.5
"""Seconds before the first retry where the provider asks for no other time; each further wait is twice as long."""
CONNECT_SECONDS = 10.0
"""How long to wait for a connection."""
_GLANCE = 0.1
"""Seconds between two looks at whether the run was stopped."""
_ENDS = ("finish_reason", "stop_reason", "status")
_Piece = TypeVar("_Piece")


class Bounded(BaseChatModel):
    """What every call of a remote chat model keeps to. Raises ProviderError, Cancelled.

    `called` is the model's name as the user knows it, `bounds` the `[models]` table of the settings.
    """

    called: str
    bounds: ModelSettings = ModelSettings()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        generate = super()._generate  # type: ignore[safe-super]

        def whole() -> Iterator[ChatResult]:
            yield self._checked(generate(messages, stop=stop, run_manager=run_manager, **kwargs))

        (result,) = self._tries(whole)
        return result

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        stream = super()._stream

        def chunks() -> Iterator[ChatGenerationChunk]:
            ended: bool | None = None
            for chunk in stream(messages, stop=stop, **kwargs):
                ended = ended or _says_why_it_ends(chunk)
                yield chunk
            self._check_end(ended)

        for chunk in self._tries(chunks):
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        generate = super()._agenerate

        async def whole() -> AsyncIterator[ChatResult]:
            yield self._checked(await generate(messages, stop=stop, run_manager=run_manager, **kwargs))

        results = [result async for result in self._atries(whole)]
        return results[0]

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        stream = super()._astream

        async def chunks() -> AsyncIterator[ChatGenerationChunk]:
            ended: bool | None = None
            async for chunk in stream(messages, stop=stop, **kwargs):
                ended = ended or _says_why_it_ends(chunk)
                yield chunk
            self._check_end(ended)

        async for chunk in self._atries(chunks):
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _tries(self, attempt: Callable[[], Iterator[_Piece]]) -> Iterator[_Piece]:
        patience = _Patience(self.bounds, self.called)
        while True:
            begun = False
            try:
                for piece in patience.pieces(attempt):
                    begun = True
                    yield piece
            except AgentkitError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever an SDK raises becomes one sentence
                failure = error
            else:
                return
            time_to_wait = self._wait(patience, failure, begun)
            patience.sleep(time_to_wait)

    async def _atries(self, attempt: Callable[[], AsyncIterator[_Piece]]) -> AsyncIterator[_Piece]:
        patience = _Patience(self.bounds, self.called)
        while True:
            begun = False
            try:
                async for piece in patience.apieces(attempt):
                    begun = True
                    yield piece
            except AgentkitError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever an SDK raises becomes one sentence
                failure = error
            else:
                return
            await asyncio.sleep(self._wait(patience, failure, begun))

    def _wait(self, patience: _Patience, failure: Exception, begun: bool) -> float:
        """Seconds to wait before the next try. Raises ProviderError if there is none: what was shown stays shown."""
        wait = None if begun else patience.wait_after(failure)
        if wait is None:
            raise explain(failure, self.called, self.bounds)
        return wait

    def _checked(self, result: ChatResult) -> ChatResult:
        self._check_end(True if result.generations else None)
        return result

    def _check_end(self, ended: bool | None) -> None:
        """`ended`: did the answer say why it ends? None: there was none. Raises ProviderError."""
        if not ended:
            problem = NOT_A_MODEL if ended is None else "the answer broke off before its end"
            raise ProviderError(
                f"model {redact(self.called)!r}: {problem}; try again, or name a fallback in `fallbacks`."
            )


def _says_why_it_ends(chunk: ChatGenerationChunk) -> bool:
    told = {**(chunk.generation_info or {}), **chunk.message.response_metadata}
    return any(told.get(key) for key in _ENDS)


class _Patience:
    """How long one call, its retries included, may still take."""

    def __init__(self, bounds: ModelSettings, called: str) -> None:
        self._bounds = bounds
        self._called = redact(called)
        self._deadline = time.monotonic() + bounds.answer_seconds
        self._waited = 0.0
        self._retries = 0
        self._stopped = cancellation.get() or threading.Event()

    def pieces(self, attempt: Callable[[], Iterator[_Piece]]) -> Iterator[_Piece]:
        """What the attempt gives, made in a thread of its own: a blocked socket listens to nobody."""
        given: queue.SimpleQueue[tuple[Literal["piece", "failed", "done"], Any]] = queue.SimpleQueue()
        left = threading.Event()

        def work() -> None:
            try:
                for piece in attempt():
                    given.put(("piece", piece))
                    if left.is_set():
                        return
                given.put(("done", None))
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                given.put(("failed", error))

        # a daemon: the call that nobody waits for any more must not hold up the end of the program
        threading.Thread(target=copy_context().run, args=(work,), name="agentkit-model", daemon=True).start()
        try:
            while True:
                try:
                    kind, value = given.get(timeout=min(self._left(), _GLANCE))
                except queue.Empty:
                    continue
                if kind == "failed":
                    raise value
                if kind == "done":
                    return
                yield value
        finally:
            left.set()

    async def apieces(self, attempt: Callable[[], AsyncIterator[_Piece]]) -> AsyncIterator[_Piece]:
        """The async twin of `pieces`."""
        given = attempt()
        while True:
            try:
                async with asyncio.timeout(self._left()) as bound:
                    piece = await anext(given)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if bound.expired():
                    raise self._too_slow() from None
                raise
            yield piece

    def wait_after(self, error: Exception) -> float | None:
        """Seconds to wait before trying again, None if this error will not pass or takes too long to."""
        if self._retries >= self._bounds.retries or not is_passing(error):
            return None
        asked = retry_after(error)
        wait = FIRST_WAIT * 2**self._retries * random.uniform(0.75, 1.0) if asked is None else asked  # noqa: S311
        if self._waited + wait > self._bounds.retry_seconds or time.monotonic() + wait >= self._deadline:
            return None
        self._retries += 1
        self._waited += wait
        return wait

    def sleep(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise Cancelled("the call of the model was stopped.")

    def _left(self) -> float:
        if self._stopped.is_set():
            raise Cancelled("the call of the model was stopped.")
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._too_slow()
        return left

    def _too_slow(self) -> ProviderError:
        return ProviderError(
            f"model {self._called!r}: no whole answer within {self._bounds.answer_seconds:g} s ([models]"
            " answer_seconds); try again, or name a fallback in `fallbacks`."
        )
