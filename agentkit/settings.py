"""`agentkit.toml` and the environment, read once into one frozen `Settings`.

Precedence, first that holds: arguments of `load_settings`, environment variables, `agentkit.toml`, defaults.
Tables that the core does not know belong to plugins, which validate them with `Settings.section`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from agentkit.errors import SettingsError, suggest

FILE_NAME = "agentkit.toml"

Verdict = Literal["allow", "ask", "deny"]
Section = TypeVar("Section", bound=msgspec.Struct)


class PluginSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`enabled` (None: all), `disabled`: plugin names. `paths`: Python files or modules to load as plugins."""

    enabled: tuple[str, ...] | None = None
    disabled: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class WorkspaceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`root`: the workspace, relative to the settings file. `allow`: folders outside it that tools may open."""

    root: str = "."
    allow: tuple[str, ...] = ()


Count = Annotated[int, msgspec.Meta(gt=0)]
Amount = Annotated[float, msgspec.Meta(gt=0)]


class ThreadLimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all runs of one thread may use together (None: no limit).

    `tokens` are read and written ones together, `money` is in the currency of `[prices]`, `seconds` are those in which
    the model or a tool worked.
    """

    model_calls: Count | None = None
    tool_calls: Count | None = None
    tokens: Count | None = None
    money: Amount | None = None
    seconds: Amount | None = None


class LimitSettings(ThreadLimitSettings, frozen=True, forbid_unknown_fields=True):
    """What one run may use; `thread`: all runs of a thread together.

    `context`: tokens that the model takes, if it does not tell or less is wanted. Older turns are then left out.
    """

    model_calls: Count | None = 16
    tool_calls: Count | None = 24
    context: Count | None = None
    thread: ThreadLimitSettings = ThreadLimitSettings()


class PriceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Price of a million tokens: read, written, and read from the provider's cache (None: like `input`)."""

    input: Annotated[float, msgspec.Meta(ge=0)]
    output: Annotated[float, msgspec.Meta(ge=0)]
    cache_read: Annotated[float, msgspec.Meta(ge=0)] | None = None


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a remote model may take for one answer, in seconds.

    `silence_seconds`: without a byte. `answer_seconds`: in all, retries included. `retries` of one call that fails
    with an error that may pass, and `retry_seconds`: what it waits for them together.
    """

    silence_seconds: Annotated[float, msgspec.Meta(gt=0)] = 120
    answer_seconds: Annotated[float, msgspec.Meta(gt=0)] = 300
    retries: Annotated[int, msgspec.Meta(ge=0)] = 2
    retry_seconds: Annotated[float, msgspec.Meta(ge=0)] = 20


class PrivacySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`send_values = false` keeps cell values of data sets out of prompts."""

    send_values: bool = True


class TraceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`hide_inputs`, `hide_outputs`: keep contents out of traces. `enabled = false`: no traces at all."""

    enabled: bool = True
    hide_inputs: bool = False
    hide_outputs: bool = False


class DatabaseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A database and what may be read of it (docs/sql-safety.md).

    `url` may hold `${NAME}` for a variable of the environment, so that no password stands in the file.
    `allow` (None: everything) and `deny`: tables and columns as `table`, `schema.table`, `table.column`, with `*`.
    `filters`: table -> SQL condition on its rows. `masks`: column -> how its values are shown. `meaning`: what its
    names do not tell (docs/sql.md). `seconds` and `rows` are the limits of one statement, data sets included; None
    leaves each to its defaults.
    """

    url: str
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    filters: dict[str, str] = {}
    masks: dict[str, Literal["null", "hash", "partial"]] = {}
    seconds: Amount | None = None
    rows: Count | None = None
    meaning: dict[str, Any] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. `folder` is where `agentkit.toml` was looked for."""

    folder: Path
    home: Path
    model: str | None = None
    fallbacks: tuple[str, ...] = ()
    embeddings: str | None = None
    database_url: str | None = None
    strict_plugins: bool = False
    plugins: PluginSettings = PluginSettings()
    workspace: WorkspaceSettings = WorkspaceSettings()
    approvals: dict[str, Verdict] = {}
    limits: LimitSettings = LimitSettings()
    prices: dict[str, PriceSettings] = {}
    models: ModelSettings = ModelSettings()
    privacy: PrivacySettings = PrivacySettings()
    traces: TraceSettings = TraceSettings()
    databases: dict[str, str | DatabaseSettings] = {}
    sections: dict[str, dict[str, Any]] = {}
    untrusted: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The workspace's folder, absolute."""
        return (self.folder / self.workspace.root).resolve()

    def section(self, name: str, shape: type[Section]) -> Section:
        """A plugin's own table of `agentkit.toml`, validated. Raises SettingsError."""
        return _convert(self.sections.get(name, {}), shape, f"[{name}]")


_INTERNAL = {"folder", "home", "database_url", "strict_plugins", "sections", "untrusted"}
_FILE_KEYS = [f for f in Settings.__struct_fields__ if f not in _INTERNAL]


def load_settings(folder: Path | str | None = None, **overrides: Any) -> Settings:
    """Read the settings of `folder` (default: the current one). Raises SettingsError."""
    base = Path(folder or Path.cwd()).resolve()
    content = _content(base / FILE_NAME)
    values = _parse(base / FILE_NAME, content) if content else {}
    sections = {k: values.pop(k) for k in list(values) if k not in _FILE_KEYS and isinstance(values[k], dict)}
    # a table is a plugin's own unless it begins like one of ours: then it is a misspelling
    misspelt = [k for k in sections if any(k[:3] == known[:3] for known in _FILE_KEYS)]
    for key in [*(k for k in values if k not in _FILE_KEYS), *misspelt]:
        raise SettingsError(f"{FILE_NAME}: {key!r} is not a setting.{suggest(key, _FILE_KEYS)}")
    untrusted: tuple[str, ...] = ()
    if risky := _risky(values):
        from agentkit.trust import is_trusted

        if not is_trusted(base / FILE_NAME, content):
            untrusted = tuple(risky)
            _drop(values, risky)
    values.update(_environment())
    _check_known(overrides)
    values.update({k: v for k, v in overrides.items() if v is not None})
    home = values.pop("home", None)
    return _convert(
        values | {"folder": base, "home": Path(home).expanduser().absolute() if home else base / ".agentkit",
                  "sections": sections, "untrusted": untrusted},
        Settings, FILE_NAME,
    )  # fmt: skip


def _check_known(overrides: dict[str, Any]) -> None:
    known = [*_FILE_KEYS, "home", "database_url", "strict_plugins"]
    for key in overrides:
        if key not in known:
            raise SettingsError(f"load_settings: {key!r} is not a setting.{suggest(key, known)}")


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def _content(path: Path) -> bytes:
    """The bytes of a settings file, b'' if there is none."""
    try:
        return path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def _environment() -> dict[str, Any]:
    names = {
        "AGENTKIT_MODEL": "model",
        "AGENTKIT_EMBEDDINGS": "embeddings",
        "AGENTKIT_HOME": "home",
        "AGENTKIT_DATABASE_URL": "database_url",
    }
    found: dict[str, Any] = {key: os.environ[name] for name, key in names.items() if os.environ.get(name)}
    if os.environ.get("AGENTKIT_STRICT_PLUGINS", "").lower() in ("1", "true", "yes"):
        found["strict_plugins"] = True
    return found


def _risky(values: dict[str, Any]) -> list[str]:
    """The settings that run code, open other folders or send data and keys elsewhere."""
    found: list[str] = []
    plugins, workspace = values.get("plugins"), values.get("workspace")
    if isinstance(plugins, dict) and plugins.get("paths"):
        found.append("plugins.paths")
    if isinstance(workspace, dict):
        found += [f"workspace.{k}" for k in ("root", "allow") if workspace.get(k)]
    found += [key for key in ("model", "fallbacks", "embeddings") if "://" in str(values.get(key, ""))]
    databases = values.get("databases")
    if isinstance(databases, dict):
        found += [f"databases.{name}" for name, database in databases.items() if _leads_out(database)]
    approvals = values.get("approvals")
    if isinstance(approvals, dict) and "allow" in approvals.values():
        found.append("approvals")
    return found


def _leads_out(database: Any) -> bool:
    """True for a database whose URL takes a variable of the environment along, or names a file outside the folder."""
    url = str(database.get("url", "") if isinstance(database, dict) else database)
    path = url.partition(":///")[2]
    return "${" in url or path.startswith(("/", "~")) or ".." in path.split("/")


def _drop(values: dict[str, Any], keys: list[str]) -> None:
    for key in keys:
        table, _, leaf = key.partition(".")
        (values[table] if leaf else values).pop(leaf or table)


def _convert(values: dict[str, Any], shape: type[Section], where: str) -> Section:
    try:
        return msgspec.convert(values, shape, strict=True, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}") from error
