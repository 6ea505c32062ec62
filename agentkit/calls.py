"""What tools run on: the services of one agent, and the context of one call."""

from __future__ import annotations

import secrets
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit import embeddings, models
from agentkit.context import cancellation
from agentkit.datasets import Dataset, Workspace, open_dataset, resolve_name
from agentkit.errors import AgentkitError, Cancelled, ToolFailed
from agentkit.plugins import Plugins
from agentkit.query_datasets import is_query, open_query
from agentkit.redaction import redact
from agentkit.settings import Settings
from agentkit.storage import Storage
from agentkit.toolbox import Toolbox

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models import BaseChatModel

    from agentkit.databases import Databases, ToolDatabases
    from agentkit.prompts import Prompts
    from agentkit.results import ToolResult

Progress = Callable[[str, float | None], None]


class Services:
    """Everything that an agent, a command or a tool call works with, each made on first use."""

    def __init__(
        self,
        settings: Settings,
        *,
        model: str | BaseChatModel | None = None,
        plugins: Plugins | Iterable[object] = (),
        prompts: Path | None = None,
    ) -> None:
        self.settings = settings
        self.plugins = plugins if isinstance(plugins, Plugins) else Plugins(settings, plugins)
        self.toolbox = Toolbox(self.plugins)
        self._model = model
        self._prompts = prompts
        self._embeddings: dict[str, Embeddings] = {}
        self._vector_stores: dict[str, Any] = {}

    @property
    def model_given(self) -> bool:
        """True if the caller chose the model, which then goes before the one that a prompt file names."""
        return self._model is not None

    @cached_property
    def model_name(self) -> str:
        """`provider:name` of the chat model, or the class of the one that was given."""
        if self._model is None or isinstance(self._model, str):
            return models.choose(self.settings, self.plugins, self._model)
        return type(self._model).__name__

    @cached_property
    def model(self) -> BaseChatModel:
        """The chat model."""
        if self._model is None or isinstance(self._model, str):
            return models.create(self.model_name, self.settings, self.plugins)
        return self._model

    def prepare_model(self) -> None:
        """Let the chat model begin what takes long: it will be used in a moment."""
        if "model" not in self.__dict__ and (self._model is None or isinstance(self._model, str)):
            models.prepare(self.model_name, self.settings, self.plugins)

    @property
    def remote(self) -> bool:
        """True if prompts leave this machine."""
        if not (self._model is None or isinstance(self._model, str)):
            return False
        return models.spec_of(self.model_name, self.plugins).remote

    def embeddings(self, name: str | None = None) -> Embeddings:
        """The embeddings of this name (None: those that the settings choose)."""
        chosen = embeddings.choose(self.settings, name)
        if chosen not in self._embeddings:
            self._embeddings[chosen] = embeddings.create(chosen, self.settings, self.plugins)
        return self._embeddings[chosen]

    def vector_store(self, kind: str) -> Any:
        """The store of document collections of this kind, opened once."""
        if kind not in self._vector_stores:
            from agentkit.vector_stores import open_store

            self._vector_stores[kind] = open_store(kind, self.settings, self.plugins, self.storage)
        return self._vector_stores[kind]

    @cached_property
    def storage(self) -> Storage:
        return Storage(self.settings)

    @cached_property
    def workspace(self) -> Workspace:
        return Workspace(self.settings.root, self.settings.workspace.allow)

    @cached_property
    def databases(self) -> Databases:
        from agentkit.databases import Databases

        return Databases(self.settings, self.workspace, self.plugins)

    @cached_property
    def prompts(self) -> Prompts:
        from agentkit.prompts import Prompts, search_folders

        given = [g.spec.folder for g in self.plugins.prompts]
        return Prompts(search_folders(self.settings.folder, given, self._prompts))

    def close(self) -> None:
        """Close what was opened. The embedded Postgres stops with its last user."""
        if "databases" in self.__dict__:
            self.databases.close()
        if "storage" in self.__dict__:
            self.storage.close()


@dataclass
class CallContext:
    """The `ToolContext` of one tool call."""

    services: Services
    by_model: bool = False
    on_progress: Progress = lambda _message, _fraction: None
    cancelled: threading.Event = field(default_factory=threading.Event)
    notes: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.services.settings

    @property
    def storage(self) -> Storage:
        return self.services.storage

    @property
    def prompts(self) -> Prompts:
        return self.services.prompts

    @property
    def model(self) -> BaseChatModel:
        return self.services.model

    def embeddings(self, name: str | None = None) -> Embeddings:
        return self.services.embeddings(name)

    def vector_store(self, kind: str) -> Any:
        return self.services.vector_store(kind)

    def path(self, name: str) -> Path:
        return self.services.workspace.path(name)

    def dataset(self, name: str) -> Dataset:
        if is_query(name):
            return open_query(name, self.databases, self.settings.home, self.note)
        found, note = resolve_name(name, self.services.workspace, self.by_model)
        if note:
            self.note(note)
        return open_dataset(found, self.services.workspace)

    @property
    def databases(self) -> ToolDatabases:
        from agentkit.databases import ToolDatabases

        return ToolDatabases(self.services.databases, self.by_model)

    def call(self, tool: str, **args: Any) -> ToolResult:
        inner = CallContext(self.services, self.by_model, self.on_progress, self.cancelled)
        return run_tool(tool, args, inner)

    def progress(self, message: str, fraction: float | None = None) -> None:
        if self.cancelled.is_set():
            raise Cancelled("the call was stopped.")
        self.on_progress(message, fraction)

    def note(self, message: str) -> None:
        self.notes.append(message)


def run_tool(name: str, args: dict[str, Any], ctx: CallContext) -> ToolResult:
    """Call a tool and add the notes that it made on the way to its result."""
    return _noted(ctx.services.toolbox.get(name).call(args, ctx), ctx)


def call_directly(
    name: str, args: dict[str, Any], services: Services, on_progress: Progress | None = None
) -> ToolResult:
    """Call a tool with no model and no run around it: for Python and the command line."""
    ctx = CallContext(services, on_progress=on_progress or (lambda _message, _fraction: None))
    with guarded(services.settings, f"tool {name!r}", ctx.cancelled):
        return run_tool(name, args, ctx)


@contextmanager
def guarded(settings: Settings, what: str, cancelled: threading.Event) -> Iterator[None]:
    """Ctrl-C sets `cancelled`, which reaches tools and models, and nothing unexpected leaves as a bare exception."""
    before = cancellation.set(cancelled)
    try:
        with _interrupts_set(cancelled):
            yield
    except (AgentkitError, KeyboardInterrupt):
        raise
    except Exception as error:
        if cancelled.is_set():
            raise Cancelled(f"{what} was stopped.") from error
        raise ToolFailed(log_failure(settings, what, error)) from error
    finally:
        cancellation.reset(before)


@contextmanager
def _interrupts_set(cancelled: threading.Event) -> Iterator[None]:
    """While this lasts, Ctrl-C sets the event before it raises: LangGraph waits for its tools' threads."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: Any) -> None:
        cancelled.set()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _noted(result: ToolResult, ctx: CallContext) -> ToolResult:
    return result.model_copy(update={"notes": [*result.notes, *ctx.notes]}) if ctx.notes else result


def log_failure(settings: Settings, what: str, error: BaseException) -> str:
    """Write an unexpected error with its stack to the log, and return the sentence that people and models see."""
    reference = secrets.token_hex(4)
    folder = settings.home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "errors.log").open("a", encoding="utf-8") as log:
        stack = "".join(traceback.format_exception(error))
        log.write(redact(f"{datetime.now(UTC).isoformat()} {reference} {what}\n{stack}\n"))
    return f"{what} failed unexpectedly; error {reference} in logs/errors.log of {settings.home.name}/ has the details."
