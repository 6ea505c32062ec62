"""What a plugin can contribute: plain frozen dataclasses, so that listing them imports nothing heavy.

A `target` is an import string, `"package.module:name"`, resolved when the thing is first used.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from agentkit.errors import AgentkitError, PluginError

Risk = Literal["read", "write", "costly"]
"""`read` changes nothing, `write` needs a person's approval by default, `costly` takes time or money."""
_TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""What every provider of chat models accepts as the name of a tool, and Python as the name of a function."""
READ_RESULT = "read_result"
"""The agent's own tool, which shows the rest of a long result: no plugin's tool can have this name."""


@dataclass(frozen=True)
class ToolSpec:
    """A tool: `target` names a typed function, or a factory annotated to return a LangChain tool.

    Raises PluginError for a name that models cannot call, or a risk that is none: a misspelt one would ask nobody.
    """

    name: str
    target: str
    summary: str
    risk: Risk = "read"

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and _TOOL_NAME.fullmatch(self.name)):
            raise PluginError(f"{self.name!r} cannot be a tool's name: at most 64 letters, digits and underscores.")
        if self.name == READ_RESULT:
            raise PluginError(f"{self.name!r} is the name of a tool of agentkit itself: choose another one.")
        if self.risk not in get_args(Risk):
            raise PluginError(
                f"tool {self.name!r}: risk must be one of {', '.join(get_args(Risk))}, not {self.risk!r}."
            )


@dataclass(frozen=True)
class ModelSpec:
    """A provider of chat models.

    `target` names a function `(name: str, settings: Settings) -> BaseChatModel`; `name` is what follows
    `provider:` in a model's name, '' for the provider's default, or the whole address if it is one.
    `key_variable` is the environment variable whose presence makes this provider a candidate when the user named
    no model. `remote` says whether prompts leave the machine. `prepare` names a function with the arguments of
    `target` that begins what takes long, and returns at once: it is called as soon as it is known that the model
    will be used, before LangChain is imported.
    """

    provider: str
    target: str
    summary: str
    key_variable: str | None = None
    remote: bool = True
    prepare: str | None = None


@dataclass(frozen=True)
class EmbeddingSpec:
    """A provider of embeddings, which make a vector of a text.

    `target` names a function `(name: str, settings: Settings) -> Embeddings` (LangChain); `name` is what follows
    `provider:`, '' for the provider's default. What it gives should have the attributes `model_name`, and `dimension`
    and `normalised` where they are known. `key_variable` is the environment variable that holds the key, `remote` says
    whether texts leave the machine. A key alone never chooses a provider: vectors of two models cannot be compared.
    """

    provider: str
    target: str
    summary: str
    key_variable: str | None = None
    remote: bool = True


@dataclass(frozen=True)
class DatabaseSpec:
    """A kind of database.

    `target` names a function `(opening: agentkit.databases.Opening) -> agentkit.databases.Engine`; `schemes` are those
    of the URLs that it opens, `suffixes` the endings of files (with the dot) that it opens. What it opens stands behind
    agentkit's guard: the engine gets only statements that passed it.
    """

    kind: str
    target: str
    schemes: tuple[str, ...]
    summary: str
    suffixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class VectorStoreSpec:
    """A store of document collections, chosen with `[rag] store = "kind"`.

    `target` names a function `(settings: Settings, storage: Storage) -> Store`; docs/retrieval-store.md has the
    contract of a store and its collections.
    """

    kind: str
    target: str
    summary: str


@dataclass(frozen=True)
class PromptSource:
    """A folder of `NAME.prompt.md` files."""

    folder: Path


@dataclass(frozen=True)
class MiddlewareSpec:
    """A LangChain agent middleware: `target` names a function `(settings: Settings) -> AgentMiddleware`.

    It must have the sync and the async twin of every hook it implements.
    """

    name: str
    target: str


def resolve(target: str) -> Any:
    """Import what a target names.

    Raises PluginError if the string is malformed, the module is missing, fails or lacks the name.
    """
    if not isinstance(target, str):
        raise PluginError(f"target {target!r} is not of the form 'package.module:name'.")
    module, colon, name = target.partition(":")
    if not (module and colon and name):
        raise PluginError(f"target {target!r} is not of the form 'package.module:name'.")
    try:
        return getattr(importlib.import_module(module), name)
    except AgentkitError:
        raise
    except Exception as error:
        raise PluginError(f"target {target!r} cannot be loaded: {type(error).__name__}: {error}") from error
