"""What a tool and a hook may see of the run that they are part of."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models import BaseChatModel

    from agentkit.databases import ToolDatabases
    from agentkit.datasets import Dataset
    from agentkit.prompts import Prompts
    from agentkit.results import ToolResult
    from agentkit.settings import Settings
    from agentkit.specs import Risk
    from agentkit.storage import Storage

cancellation: ContextVar[threading.Event | None] = ContextVar("cancellation", default=None)
"""Set when the run or the tool call that goes on here is asked to stop; None outside of both."""


class ToolContext(Protocol):
    """Given to a tool function that has an argument `ctx: ToolContext`; hidden from the schema."""

    @property
    def settings(self) -> Settings:
        """The settings of this run."""

    @property
    def storage(self) -> Storage:
        """Postgres (started on first use) and the MLflow address."""

    @property
    def prompts(self) -> Prompts:
        """Prompt files by name."""

    @property
    def model(self) -> BaseChatModel:
        """The chat model of this run, made on first use."""

    def embeddings(self, name: str | None = None) -> Embeddings:
        """The embeddings `provider:name` (None: those that the settings choose), made on first use.

        Raises ModelNotFound, ProviderError (a key is missing), MissingExtra.
        """

    def vector_store(self, kind: str) -> Any:
        """The store of document collections of this kind (docs/retrieval-store.md). Raises BadInput for none."""

    @property
    def by_model(self) -> bool:
        """True if a model asked for this call: names are then bounded more tightly than a person's."""

    def path(self, name: str) -> Path:
        """The absolute path of a workspace file or folder; it need not exist.

        Raises WorkspaceError if it lies outside the workspace.
        """

    def dataset(self, name: str) -> Dataset:
        """The data set of this name, checked to exist. Raises DatasetError or WorkspaceError."""

    @property
    def databases(self) -> ToolDatabases:
        """The databases of this run: `names()`, and `open(name)`, each behind the guard."""

    def call(self, tool: str, **args: Any) -> ToolResult:
        """Call another tool and get its typed result."""

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell the user how far the work is (`fraction` from 0 to 1). Raises Cancelled if asked to stop."""

    def note(self, message: str) -> None:
        """Add a sentence to the result's notes: what was repaired, dropped or assumed."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call under review, with validated arguments."""

    id: str
    name: str
    args: dict[str, Any]
    risk: Risk
    plugin: str


@dataclass(frozen=True, slots=True)
class RunContext:
    """The run that a hook is told about."""

    thread_id: str
    trace_id: str
    model: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of a review. Of several, the strictest wins: deny, then ask, then allow."""

    verdict: Literal["allow", "ask", "deny"]
    reason: str = ""
