"""Every error that a user can meet. Each says what was wrong, where, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from agentkit.redaction import redact

if TYPE_CHECKING:
    from agentkit.runs import Reply


class AgentkitError(Exception):
    """Base of all errors that are shown to people as one sentence, without a stack trace or a secret."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *args: Any) -> None:
        super().__init__(*(redact(a) if isinstance(a, str) else a for a in args))


class BadInput(AgentkitError):
    """What was asked for cannot be done as asked; the message names the remedy."""

    exit_code = 2


class SettingsError(BadInput):
    """`agentkit.toml` or an environment variable holds something that is not allowed."""


class WorkspaceError(BadInput):
    """A path leaves the workspace, or cannot be read or written there."""


class DatasetError(BadInput):
    """A data set is missing, unreadable, empty, or lacks what a tool needs of it."""


class TrainingError(BadInput):
    """The data cannot train a model for this target."""


class HandleError(BadInput):
    """A handle such as `model:churn/3` is malformed or names nothing."""


class ToolNotFound(BadInput):
    """No loaded plugin offers a tool of this name."""


class ToolInputError(BadInput):
    """The arguments of a tool call do not fit its schema."""


class PromptError(BadInput):
    """A prompt file is missing, malformed, or was given the wrong inputs."""


class ModelNotFound(BadInput):
    """No chat model of this name; the message lists those there are."""


class ThreadNotFound(BadInput):
    """No stored thread has this id."""


class ThreadBusy(AgentkitError):
    """Another run works on this thread, in this process or another."""


class TraceNotFound(BadInput):
    """No stored trace has this id."""


class EvaluationError(BadInput):
    """A suite of an evaluation cannot be read; the message names file and line."""


class PluginError(AgentkitError):
    """A plugin failed; the message names the plugin and the hook."""


class SqlRefused(BadInput):
    """A statement breaks a rule of the guard; `rule` is its short name. The message says what would be allowed."""

    rule: str = ""

    def __init__(self, message: str, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule


class SqlFailed(BadInput):
    """The database did not accept or could not finish a statement; the message has its own words, shortened.

    `code` is the engine's own (SQLSTATE with Postgres), '' where it has none.
    """

    code: str = ""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class SqlTimeout(AgentkitError):
    """A statement took longer than allowed and was stopped."""


class DatabaseUnavailable(AgentkitError):
    """A database cannot be reached or opened, or went away."""


class StorageError(AgentkitError):
    """Postgres, embedded or given, cannot be used."""


class ProviderError(AgentkitError):
    """A chat model's provider failed or refused; the key is never part of the message."""


class ContextExceeded(ProviderError):
    """A conversation has more tokens than the model takes."""


class DownloadError(AgentkitError):
    """A model file could not be fetched or did not match its hash."""


class MissingExtra(AgentkitError):
    """An optional dependency is not installed; the message has the command that installs it."""


class ToolFailed(AgentkitError):
    """A tool broke unexpectedly. The message carries an id that the trace and the log know."""


class BudgetExceeded(AgentkitError):
    """A run reached one of its limits. `reply` is what it came to until then, None where no run was begun."""

    reply: Reply | None = None


class ApprovalRequired(AgentkitError):
    """A run waits for a person's word; the message names the thread to resume."""


class Cancelled(AgentkitError):
    """The run or the tool was asked to stop."""

    exit_code = 130


def warn(message: str) -> None:
    """One line on stderr: something a person should know, and the program goes on."""
    sys.stderr.write(f"agentkit: {redact(message)}\n")


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest of `known`, or '' if none is near (ratio below 0.6)."""
    import difflib

    by_folded = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return f" The nearest name is {by_folded[near[0]]!r}." if near else ""
