"""Discover plugins, load them one at a time, keep each one's failure its own, and tell what happened.

Built-in plugins come through the entry points of the group `agentkit`, the same door as anyone's.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import pluggy

from agentkit import hookspecs
from agentkit.context import Decision
from agentkit.entry_points import EntryPoint, entry_points
from agentkit.errors import PluginError, suggest, warn
from agentkit.redaction import redact
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

GROUP = "agentkit"
PACKAGE = "agentkit-ml"
COMMANDS = frozenset(
    "chat run tool tools eval models plugins prompts threads traces new doctor trust demo".split()  # noqa: SIM905
)
"""The names of agentkit's own commands, which no plugin can take."""
SLOW_SECONDS = 10.0
"""After this long a plugin that is still loading is named on stderr."""

HANDED_OVER = "given to Agent"
"""The origin of a plugin that a program passed as an object."""

Status = Literal["OK", "DISABLED", "FAILED"]
Spec = TypeVar("Spec")


@dataclass(frozen=True)
class Given(Generic[Spec]):
    """A contribution and the plugin that made it."""

    plugin: str
    spec: Spec


@dataclass
class PluginReport:
    """One line of `agentkit plugins`. `seconds`: importing and registering."""

    name: str
    origin: str
    status: Status = "OK"
    cause: str = ""
    seconds: float = 0.0
    error: BaseException | None = None
    entry: EntryPoint | None = field(default=None, repr=False)

    @property
    def version(self) -> str:
        """The version of the package that brings the plugin, '' without one. Looked up when asked for: it is slow."""
        return self.entry.version if self.entry else ""


class Plugins:
    """The loaded plugins and what they contribute, by name."""

    def __init__(self, settings: Settings, extra: Iterable[object] = ()) -> None:
        self.settings = settings
        self.reports: dict[str, PluginReport] = {}
        self.tools: dict[str, Given[ToolSpec]] = {}
        self.models: dict[str, Given[ModelSpec]] = {}
        self.embeddings: dict[str, Given[EmbeddingSpec]] = {}
        self.vector_stores: dict[str, Given[VectorStoreSpec]] = {}
        self.databases: dict[str, Given[DatabaseSpec]] = {}
        self.prompts: list[Given[PromptSource]] = []
        self.middleware: dict[str, Given[MiddlewareSpec]] = {}
        self.commands: dict[str, Given[str]] = {}
        self._said: set[tuple[str, str]] = set()
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        for report, load in [*self._discover(), *_given(extra)]:
            self._add(report, load)
        self._require_enabled()
        for name in set(settings.plugins.disabled) - set(self.reports):
            warn(f"[plugins] disabled: there is no plugin {name!r}.{suggest(name, self.reports)}")
        for report in self.failed:
            warn(redact(f"plugin {report.name!r} FAILED: {report.cause}"))

    @property
    def failed(self) -> list[PluginReport]:
        """The plugins that could not be loaded or registered."""
        return [r for r in self.reports.values() if r.status == "FAILED"]

    def call(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any, BaseException | None]]:
        """Call a hook plugin by plugin: (plugin, answer, error). One failure stays one plugin's, and is said once."""
        for name, plugin in self._manager.list_name_plugin():
            if plugin is None or not self._implements(plugin, hook):
                continue
            try:
                answer, failure = self._checked(hook, self._call_one(plugin, hook, arguments)), None
            except Exception as error:  # noqa: BLE001 - a plugin's failure stays its own
                answer, failure = None, error
                self._say_once(name, hook, error)
            yield name, answer, failure

    def _checked(self, hook: str, answer: Any) -> Any:
        if hook == "review_tool_call" and answer is not None:
            if not isinstance(answer, Decision):
                raise PluginError(f"{hook} must return a Decision or None, not {type(answer).__name__}.")
            if answer.verdict not in ("allow", "ask", "deny"):
                raise PluginError(f"{hook}: a verdict is allow, ask or deny, not {answer.verdict!r}.")
        return answer

    def _say_once(self, name: str, hook: str, error: Exception) -> None:
        if (name, hook) not in self._said:
            self._said.add((name, hook))
            warn(redact(f"plugin {name!r}: {hook} failed: {_cause(error)}"))

    def _discover(self) -> Iterator[tuple[PluginReport, Callable[[], object]]]:
        found = sorted(entry_points(GROUP), key=lambda e: (e.package != PACKAGE, e.name))
        chosen, banned = self.settings.plugins.enabled, self.settings.plugins.disabled
        for entry in found:
            report = PluginReport(entry.name, entry.value, entry=entry)
            if entry.name in banned or (chosen is not None and entry.name not in chosen):
                report.status = "DISABLED"
                self.reports[entry.name] = report
            else:
                yield report, entry.load
        for path in self.settings.plugins.paths:
            yield PluginReport(_path_name(path), path), partial(_load_path, self.settings.folder, path)

    def _add(self, report: PluginReport, load: Callable[[], object]) -> None:
        """Load and register one plugin; on any failure nothing of it stays."""
        start = time.perf_counter()
        before = self._snapshot()
        known = self.reports.get(report.name)
        try:
            self._check_free(report.name)
            with _named_while_loading(report.name):
                plugin = load()
                self._check_hooks(plugin)
                self._manager.register(plugin, report.name)
                self._register(report.name, plugin)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's failure stays its own
            self._restore(before)
            if self._manager.has_plugin(report.name) and (known is None or known.status == "DISABLED"):
                self._manager.unregister(name=report.name)
            report.status, report.error, report.cause = "FAILED", error, _cause(error)
        report.seconds = time.perf_counter() - start
        key = report.name if known is None or known.status == "DISABLED" else f"{report.name} ({report.origin})"
        self.reports[key] = report

    def _check_free(self, name: str) -> None:
        known = self.reports.get(name)
        if known is not None and known.status != "DISABLED":
            raise PluginError(f"the name is already taken by the plugin from {known.origin}.")

    def _check_hooks(self, plugin: object) -> None:
        """Every marked function must be a hook, with no argument that the hook lacks."""
        if inspect.isclass(plugin):
            raise PluginError(f"{plugin.__name__} is a class: a plugin is an instance of it, or a module.")
        hash(plugin)  # pluggy keeps plugins in sets: one that cannot be hashed would fail the others' calls
        specs = {name: caller.spec for name, caller in vars(self._manager.hook).items() if caller.spec}
        for attribute in dir(plugin):
            options = self._manager.parse_hookimpl_opts(plugin, attribute)
            hook = (options and options["specname"]) or attribute
            if options is None or (options["optionalhook"] and hook not in specs):
                continue
            if hook not in specs:
                raise PluginError(f"there is no hook {hook!r}.{suggest(hook, specs)} Hooks: {', '.join(specs)}.")
            for name, parameter in inspect.signature(getattr(plugin, attribute)).parameters.items():
                if parameter.default is parameter.empty and name not in specs[hook].argnames:
                    known = ", ".join(specs[hook].argnames) or "none"
                    raise PluginError(f"{hook}: argument {name!r} is not part of the hook (it has: {known}).")

    def _register(self, name: str, plugin: object) -> None:
        """Take in what one plugin contributes; a name that is taken fails the plugin as a whole."""
        tables: list[tuple[str, type[Any], str, dict[str, Any]]] = [
            ("register_tools", ToolSpec, "name", self.tools),
            ("register_models", ModelSpec, "provider", self.models),
            ("register_embeddings", EmbeddingSpec, "provider", self.embeddings),
            ("register_vector_stores", VectorStoreSpec, "kind", self.vector_stores),
            ("register_databases", DatabaseSpec, "kind", self.databases),
            ("register_middleware", MiddlewareSpec, "name", self.middleware),
        ]
        for hook, kind, key, table in tables:
            for spec in self._specs(plugin, hook, kind, {"settings": self.settings}):
                _put(table, getattr(spec, key), Given(name, spec), hook)
        for source in self._specs(plugin, "register_prompts", PromptSource, {}):
            self.prompts.append(Given(name, source))
        if self._implements(plugin, "register_commands"):
            commands = self._call_one(plugin, "register_commands", {})
            if not isinstance(commands, Mapping):
                raise PluginError(f"register_commands must return a mapping, not {type(commands).__name__}.")
            for command, target in commands.items():
                if command in COMMANDS:
                    raise PluginError(f"register_commands: {command!r} is a command of agentkit itself.")
                if not (isinstance(command, str) and isinstance(target, str) and ":" in target):
                    raise PluginError(
                        f"register_commands: {command!r}: {target!r} is not NAME: 'module:click_command'."
                    )
                _put(self.commands, command, Given(name, target), "register_commands")

    def _specs(self, plugin: object, hook: str, kind: type[Spec], arguments: dict[str, Any]) -> list[Spec]:
        if not self._implements(plugin, hook):
            return []
        answer = self._call_one(plugin, hook, arguments)
        specs = list(answer) if isinstance(answer, Iterable) else [answer]
        for spec in specs:
            if not isinstance(spec, kind):
                raise PluginError(f"{hook} must return {kind.__name__} items, not {type(spec).__name__}.")
        return specs

    def _implements(self, plugin: object, hook: str) -> bool:
        return any(i.plugin is plugin and not (i.wrapper or i.hookwrapper) for i in self._implementations(hook))

    def _call_one(self, plugin: object, hook: str, arguments: dict[str, Any]) -> Any:
        """Call the hook on one plugin only; wrappers of other plugins still run around it."""
        others = [
            p
            for _, p in self._manager.list_name_plugin()
            if p is not None and p is not plugin and not self._wraps(p, hook)
        ]
        answers = self._manager.subset_hook_caller(hook, others)(**arguments)
        return answers[0] if answers else None

    def _wraps(self, plugin: object, hook: str) -> bool:
        return any(i.plugin is plugin and (i.wrapper or i.hookwrapper) for i in self._implementations(hook))

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        implementations: list[pluggy.HookImpl] = getattr(self._manager.hook, hook).get_hookimpls()
        return implementations

    def _snapshot(self) -> tuple[Any, ...]:
        return [dict(table) for table in self._tables()], list(self.prompts)

    def _restore(self, before: tuple[Any, ...]) -> None:
        tables, self.prompts = before
        for table, content in zip(self._tables(), tables, strict=True):
            table.clear()
            table.update(content)

    def _tables(self) -> tuple[dict[str, Any], ...]:
        return (
            self.tools, self.models, self.embeddings, self.vector_stores, self.databases, self.middleware,
            self.commands,
        )  # fmt: skip

    def _require_enabled(self) -> None:
        """A plugin that was asked for by name or handed over must be there and work; strict mode asks for all."""
        wanted = self.settings.plugins.enabled or ()
        for name in wanted:
            if name not in self.reports:
                raise PluginError(f"[plugins] enabled: there is no plugin {name!r}.{suggest(name, self.reports)}")
        for report in self.failed:
            if self.settings.strict_plugins or report.name in wanted or report.origin == HANDED_OVER:
                raise PluginError(f"plugin {report.name!r} failed: {report.cause}") from report.error


def _given(extra: Iterable[object]) -> Iterator[tuple[PluginReport, Callable[[], object]]]:
    for plugin in extra:
        name = getattr(plugin, "__name__", type(plugin).__name__)
        yield PluginReport(name, HANDED_OVER), partial(_same, plugin)


def _same(plugin: object) -> object:
    return plugin


def _path_name(path: str) -> str:
    """The name of a plugin of `[plugins] paths`: the file's without its ending, or the module's."""
    return Path(path).stem if path.endswith(".py") else path


def _load_path(folder: Path, path: str) -> object:
    """A plugin from `[plugins] paths`: a Python file relative to the settings file, or a module's name."""
    file = (folder / path).resolve()
    if not path.endswith(".py"):
        return importlib.import_module(path)
    spec = importlib.util.spec_from_file_location(f"agentkit_plugin_{file.stem}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise PluginError(f"there is no file {path!r} in {folder}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # tools of this file are resolved by import string
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _put(table: dict[str, Any], key: str, given: Given[Any], hook: str) -> None:
    if key in table:
        raise PluginError(f"{hook}: {key!r} is already taken by plugin {table[key].plugin!r}.")
    table[key] = given


def _cause(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}".replace("\n", " ")


@contextmanager
def _named_while_loading(name: str) -> Iterator[None]:
    """Say on stderr which plugin is slow to load, and name it when the user interrupts."""
    start = time.perf_counter()
    slow = f"plugin {name!r} has been loading for {SLOW_SECONDS:.0f} s"
    timer = threading.Timer(SLOW_SECONDS, warn, [slow])
    timer.daemon = True
    timer.start()
    try:
        yield
    except KeyboardInterrupt:
        warn(f"interrupted while loading plugin {name!r} ({time.perf_counter() - start:.1f} s)")
        raise
    finally:
        timer.cancel()
