"""agentkit: a registry of typed tools with many faces.

Nothing heavy is imported here: `Agent` and the result types load when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from agentkit.agent import Agent as Agent
    from agentkit.agent import Answer as Answer
    from agentkit.agent import Reply as Reply
    from agentkit.context import Decision as Decision
    from agentkit.context import RunContext as RunContext
    from agentkit.context import ToolCall as ToolCall
    from agentkit.context import ToolContext as ToolContext
    from agentkit.results import Figure as Figure
    from agentkit.results import File as File
    from agentkit.results import Table as Table
    from agentkit.results import TextResult as TextResult
    from agentkit.results import ToolResult as ToolResult
    from agentkit.settings import Settings as Settings
    from agentkit.settings import load_settings as load_settings
    from agentkit.specs import DatabaseSpec as DatabaseSpec
    from agentkit.specs import EmbeddingSpec as EmbeddingSpec
    from agentkit.specs import MiddlewareSpec as MiddlewareSpec
    from agentkit.specs import ModelSpec as ModelSpec
    from agentkit.specs import PromptSource as PromptSource
    from agentkit.specs import ToolSpec as ToolSpec
    from agentkit.specs import VectorStoreSpec as VectorStoreSpec

__version__ = "0.1.0"

_HOME_OF = {
    "agentkit.agent": ("Agent", "Answer", "Reply"),
    "agentkit.context": ("Decision", "RunContext", "ToolCall", "ToolContext"),
    "agentkit.results": ("Figure", "File", "Table", "TextResult", "ToolResult"),
    "agentkit.settings": ("Settings", "load_settings"),
    "agentkit.specs": (
        "DatabaseSpec",
        "EmbeddingSpec",
        "MiddlewareSpec",
        "ModelSpec",
        "PromptSource",
        "ToolSpec",
        "VectorStoreSpec",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME_OF.items() for name in names}

__all__ = ["__version__", "hookimpl", *_MODULE_OF]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'agentkit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULE_OF[name]), name)
