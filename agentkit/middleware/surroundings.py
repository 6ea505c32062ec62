"""Tell the model which files there are, so that names are copied and not invented.

A message that names a file of the workspace needs no list, and a small model that gets one takes its first entry.
What there is stands with the user's message (as `additional_kwargs`, so that the stored text stays the user's own)
and is rendered the same way in every later turn: the prompt's prefix never changes, and its cache holds.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AnyMessage, HumanMessage

from agentkit.calls import Services
from agentkit.runs import Run

KEY = "agentkit_files"
FILES_LIMIT = 40
"""Names of files told with one message."""


def user_message(text: str, services: Services, id: str) -> HumanMessage:  # noqa: A002
    """The user's words, with the data files of the workspace beside them if the words name none of these."""
    names = services.workspace.names()
    named = any(re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", text) for name in names)
    return HumanMessage(text, id=id, additional_kwargs={} if named else {KEY: names[:FILES_LIMIT]})


class Surroundings(AgentMiddleware[AgentState[Any], Run]):
    """Shows the model each user message with the files that were there."""

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        return handler(_shown(request))

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        return await handler(_shown(request))


def _shown(request: ModelRequest[Run]) -> ModelRequest[Run]:
    prompts = request.runtime.context.services.prompts
    return request.override(messages=[_with_files(m, prompts) for m in request.messages])


def _with_files(message: AnyMessage, prompts: Any) -> AnyMessage:
    files = message.additional_kwargs.get(KEY)
    if not (files and isinstance(message.content, str)):
        return message
    return message.model_copy(
        update={"content": prompts.get("request").text("user", request=message.content, files=files)}
    )
