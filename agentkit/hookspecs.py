"""The hooks: what a plugin may implement, and what each call gives and expects.

A plugin is a module or an object whose functions are marked with `from agentkit import hookimpl`. An
implementation may leave out arguments that it does not need. `register_*` hooks return an iterable of specs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from agentkit.context import Decision, RunContext, ToolCall
    from agentkit.events import Event
    from agentkit.settings import Settings
    from agentkit.specs import (
        DatabaseSpec,
        EmbeddingSpec,
        MiddlewareSpec,
        ModelSpec,
        PromptSource,
        ToolSpec,
        VectorStoreSpec,
    )

PROJECT = "agentkit"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_tools(settings: Settings) -> Iterable[ToolSpec]:  # type: ignore[empty-body]
    """Offer tools. A name that another plugin has already taken makes this plugin FAILED as a whole."""


@hookspec
def register_models(settings: Settings) -> Iterable[ModelSpec]:  # type: ignore[empty-body]
    """Offer providers of chat models, the `provider` in `provider:name`."""


@hookspec
def register_embeddings(settings: Settings) -> Iterable[EmbeddingSpec]:  # type: ignore[empty-body]
    """Offer providers of embeddings, the `provider` in `provider:name`."""


@hookspec
def register_vector_stores(settings: Settings) -> Iterable[VectorStoreSpec]:  # type: ignore[empty-body]
    """Offer stores of document collections, by their kind."""


@hookspec
def register_databases(settings: Settings) -> Iterable[DatabaseSpec]:  # type: ignore[empty-body]
    """Offer kinds of databases, by the schemes of their URLs."""


@hookspec
def register_prompts() -> Iterable[PromptSource]:  # type: ignore[empty-body]
    """Offer folders of prompt files. A project's own file of the same name goes first."""


@hookspec
def register_middleware(settings: Settings) -> Iterable[MiddlewareSpec]:  # type: ignore[empty-body]
    """Offer LangChain agent middleware, run inside the built-in ones, in the order in which plugins load."""


@hookspec
def register_commands() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Offer commands of `agentkit`: name -> "module:click_command", imported when the command is used."""


@hookspec
def review_tool_call(run: RunContext, call: ToolCall) -> Decision | None:
    """Judge a tool call before it runs. The strictest answer wins; None means no opinion.

    A review that raises counts as "ask": a broken guard must not open the door.
    """


@hookspec
def on_event(run: RunContext, event: Event) -> None:
    """Hear what a run does. What it raises is reported once and does not disturb the run."""
