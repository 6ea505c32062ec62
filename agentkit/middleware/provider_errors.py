"""One model after the other until one answers; what a provider's SDK raises becomes one sentence without the key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage
from langgraph.errors import GraphBubbleUp

from agentkit import models
from agentkit.errors import AgentkitError, ProviderError
from agentkit.events import Notice
from agentkit.redaction import redact
from agentkit.runs import Run

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

ANSWERED_BY = "answered_by"
"""Where a message of a fallback keeps, in its `response_metadata`, the name of the model that wrote it."""


class ProviderErrors(AgentMiddleware[AgentState[Any], Run]):
    """Around everything that calls a model. `name` is the model's, `fallbacks` those to try when it fails, in order."""

    def __init__(self, name: str, fallbacks: Sequence[str] = ()) -> None:
        super().__init__()
        self._name = name
        self._fallbacks = tuple(f for f in fallbacks if f != name)
        self._made: dict[str, BaseChatModel] = {}

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        failures: list[ProviderError] = []
        for name in self._names(request, failures):
            try:
                return self._signed(name, handler(self._for(name, request)))
            except Exception as error:  # noqa: BLE001 - explained, or raised again
                failures.append(self._explained(error, name))
        raise _all(failures)

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        failures: list[ProviderError] = []
        for name in self._names(request, failures):
            try:
                return self._signed(name, await handler(self._for(name, request)))
            except Exception as error:  # noqa: BLE001 - explained, or raised again
                failures.append(self._explained(error, name))
        raise _all(failures)

    def _names(self, request: ModelRequest[Run], failures: list[ProviderError]) -> Iterator[str]:
        """The models to ask. That another one is asked, and why, is told first: a part of an answer may be shown."""
        yield self._name
        for name in self._fallbacks:
            request.runtime.context.emit(Notice(f"{failures[-1]} {redact(name)!r} is asked instead."))
            yield name

    def _for(self, name: str, request: ModelRequest[Run]) -> ModelRequest[Run]:
        if name == self._name:
            return request
        if name not in self._made:
            services = request.runtime.context.services
            try:
                self._made[name] = models.create(name, services.settings, services.plugins)
            except AgentkitError as error:
                # a fallback that cannot be made is one that does not answer: the next one may
                raise ProviderError(str(error)) from error
        return request.override(model=self._made[name])

    def _signed(self, name: str, response: ModelResponse[Any]) -> ModelResponse[Any]:
        if name != self._name:
            for message in response.result:
                if isinstance(message, AIMessage):
                    message.response_metadata[ANSWERED_BY] = redact(name)
        return response

    def _explained(self, error: Exception, name: str) -> ProviderError:
        """The error of a model that failed. Raises all others again: no other model would change them."""
        if isinstance(error, ProviderError):
            return error
        if isinstance(error, (AgentkitError, GraphBubbleUp)):
            raise error
        return models.explain(error, name)


def _all(failures: list[ProviderError]) -> ProviderError:
    """One error that tells of every model that was asked."""
    if len(failures) == 1:
        return failures[0]
    combined = ProviderError(" ".join(["no model answered.", *map(str, failures)]))
    combined.__cause__ = failures[0].__cause__
    return combined
