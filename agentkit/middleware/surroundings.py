"""Tell the model which files and databases there are, so that names are copied and not invented.

A small model that gets a list takes its first entry. So a message that names a file is shown without one; a list is
not repeated; and once a thread has named a file, a list follows only on a word of another file's name. What there
is stands with the user's message (as `additional_kwargs`: the stored text stays the user's own) and is rendered the
same way in every later turn: the prompt's prefix never changes, and its cache holds.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AnyMessage, HumanMessage

from agentkit.calls import Services
from agentkit.prompts import Prompt
from agentkit.runs import Run

KEY = "agentkit_files"
DATABASES = "agentkit_databases"
SAID = "agentkit_said"
"""Where a chat model finds the user's own words in a message that was shown with files."""
FILES_LIMIT = 40
"""Names of files told with one message."""


def user_message(text: str, services: Services, id: str) -> HumanMessage:  # noqa: A002
    """The user's words; beside them the data files and the databases, if the words name none of these files."""
    names = services.workspace.names()
    named = any(re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w-])", text) for name in names)
    if named:
        return HumanMessage(text, id=id)
    databases = services.databases.told() if services.settings.databases else []
    beside = {KEY: names[:FILES_LIMIT]} | ({DATABASES: databases} if databases else {})
    return HumanMessage(text, id=id, additional_kwargs=beside)


class Surroundings(AgentMiddleware[AgentState[Any], Run]):
    """Shows the model each user message with the files and databases that were there."""

    def wrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        return handler(_shown(request))

    async def awrap_model_call(
        self, request: ModelRequest[Run], handler: Callable[[ModelRequest[Run]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        return await handler(_shown(request))


def _shown(request: ModelRequest[Run]) -> ModelRequest[Run]:
    prompt = request.runtime.context.services.prompts.get("request")
    shown: list[AnyMessage] = []
    told, said, named = set[str](), "", False
    for message in request.messages:
        wanted: list[str] = []
        databases: list[str] = []
        if message.type == "human" and isinstance(message.content, str):
            files = message.additional_kwargs.get(KEY)
            new = [f for f in files or () if f not in told and f not in said]
            said, named = f"{said}\n{message.content}", named or files is None
            if files and new and (not named or _words(message.content) & _words(" ".join(new))):
                wanted = files
                told.update(files)
            databases = [d for d in message.additional_kwargs.get(DATABASES, ()) if d not in told]
            told.update(databases)
        shown.append(_beside(message, prompt, wanted, databases) if wanted or databases else message)
    return request.override(messages=shown)


def _beside(message: AnyMessage, prompt: Prompt, files: list[str], databases: list[str]) -> AnyMessage:
    text = prompt.text("user", request=message.content, files=files, databases=databases)
    kwargs = {**message.additional_kwargs, SAID: message.content}
    return message.model_copy(update={"content": text, "additional_kwargs": kwargs})


def _words(text: str) -> set[str]:
    return {w for w in re.findall(r"[^\W\d_]{3,}", text.lower()) if w not in {"csv", "data", "the"}}
