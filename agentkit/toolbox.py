"""Tools by name: describe, validate, call. The one place where a tool's signature becomes a schema."""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agentkit.errors import AgentkitError, PluginError, ToolInputError, ToolNotFound, suggest, warn
from agentkit.plugins import Given, Plugins
from agentkit.specs import Risk, ToolSpec, resolve

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from agentkit.context import ToolContext
    from agentkit.results import ToolResult


@dataclass(frozen=True)
class Tool:
    """A loaded tool: its spec, its function and the model of its arguments."""

    spec: ToolSpec
    plugin: str
    function: Callable[..., Any]
    arguments: type[BaseModel]
    result_type: type[ToolResult]
    wants_context: bool

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def risk(self) -> Risk:
        return self.spec.risk

    @cached_property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments, without titles."""
        schema: dict[str, Any] = _without_titles(self.arguments.model_json_schema())
        return schema

    def describe(self) -> dict[str, Any]:
        """As `agentkit tools --json` prints it."""
        return {
            "name": self.name,
            "summary": self.spec.summary,
            "risk": self.risk,
            "plugin": self.plugin,
            "schema": self.schema,
        }

    def validate(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that were given, as their types want them. Raises ToolInputError."""
        from pydantic import ValidationError

        try:
            checked = self.arguments.model_validate(dict(args))
        except ValidationError as error:
            raise ToolInputError(self._problems(error)) from error
        return {name: getattr(checked, name) for name in type(checked).model_fields if name in checked.model_fields_set}

    async def acall(self, args: Mapping[str, Any], ctx: ToolContext) -> ToolResult:
        """Validate and run; a sync tool runs in a thread."""
        if inspect.iscoroutinefunction(self.function):
            return self._checked(await self.function(**self._arguments(args, ctx)))
        return await asyncio.to_thread(self.call, args, ctx)

    def call(self, args: Mapping[str, Any], ctx: ToolContext) -> ToolResult:
        """Validate and run; an async tool runs in an event loop of its own."""
        given = self._arguments(args, ctx)
        if inspect.iscoroutinefunction(self.function):
            return self._checked(_run_apart(self.function(**given)))
        return self._checked(self.function(**given))

    def _arguments(self, args: Mapping[str, Any], ctx: ToolContext) -> dict[str, Any]:
        return self.validate(args) | ({"ctx": ctx} if self.wants_context else {})

    def _checked(self, result: Any) -> ToolResult:
        if not isinstance(result, self.result_type):
            returned, declared = type(result).__name__, self.result_type.__name__
            raise PluginError(f"tool {self.name!r} of plugin {self.plugin!r} returned {returned}, not {declared}.")
        return result

    def _problems(self, error: ValidationError) -> str:
        known = list(self.arguments.model_fields)
        found = []
        for problem in error.errors()[:3]:
            name = str(problem["loc"][0]) if problem["loc"] else "arguments"
            if problem["type"] == "extra_forbidden":
                found.append(f"there is no argument {name!r} (it has: {', '.join(known)}).{suggest(name, known)}")
            elif problem["type"] == "missing":
                found.append(
                    f"the argument {name!r} is missing ({self.arguments.model_fields[name].description or 'required'})."
                )
            else:
                found.append(f"argument {name!r}: {problem['msg']}, not {_shown(problem['input'])}.")
        return f"tool {self.name!r}: " + " ".join(found)


class Toolbox:
    """The tools of the loaded plugins. A tool's module is imported when the tool is first described or called."""

    def __init__(self, plugins: Plugins) -> None:
        self._specs = plugins.tools
        self._settings = plugins.settings
        self._loaded: dict[str, Tool] = {}
        self._broken: set[str] = set()

    @property
    def specs(self) -> dict[str, Given[ToolSpec]]:
        """Name -> spec and plugin, in the order of registration, with nothing imported."""
        return self._specs

    def get(self, name: str) -> Tool:
        """Load a tool. Raises ToolNotFound with the nearest name, PluginError if it cannot be loaded."""
        if name not in self._specs:
            known = ", ".join(self._specs) or "none"
            raise ToolNotFound(f"there is no tool {name!r}.{suggest(name, self._specs)} Tools: {known}.")
        if name not in self._loaded:
            self._loaded[name] = load_tool(self._specs[name], self._settings)
        return self._loaded[name]

    def __iter__(self) -> Iterator[Tool]:
        """Every tool that can be loaded; one that cannot is said once on stderr and left out."""
        for name in self._specs:
            try:
                yield self.get(name)
            except PluginError as error:
                if name not in self._broken:
                    self._broken.add(name)
                    warn(str(error))


def load_tool(given: Given[ToolSpec], settings: Any = None) -> Tool:
    """Import a tool's target and read its signature. Raises PluginError that names plugin and tool."""
    spec = given.spec
    try:
        function = resolve(spec.target)
        hints = typing.get_type_hints(function, include_extras=True)
        returned = hints.pop("return", None)
        if _is_langchain_tool(returned):
            tool = _from_langchain(given, function(settings) if inspect.signature(function).parameters else function())
        else:
            tool = _from_function(given, function, hints, returned)
        _ = tool.schema  # types that have none are found now, not in the middle of a run
    except AgentkitError as error:
        raise PluginError(f"tool {spec.name!r} of plugin {given.plugin!r}: {error}") from error
    except (NameError, TypeError) as error:
        raise PluginError(
            f"tool {spec.name!r} of plugin {given.plugin!r}: its type hints cannot be read: {error}"
        ) from error
    except Exception as error:
        reason = (str(error) or "no reason given").splitlines()[0]
        raise PluginError(
            f"tool {spec.name!r} of plugin {given.plugin!r} cannot be loaded: {type(error).__name__}: {reason}"
        ) from error
    return tool


def _from_function(given: Given[ToolSpec], function: Callable[..., Any], hints: dict[str, Any], returned: Any) -> Tool:
    from pydantic import ConfigDict, create_model

    from agentkit.results import ToolResult

    if not (isinstance(returned, type) and issubclass(returned, ToolResult)):
        raise PluginError(f"its return annotation must be a subclass of ToolResult or BaseTool, not {returned!r}.")
    parameters = inspect.signature(function).parameters
    fields: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name == "ctx":
            continue
        if name not in hints or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise PluginError(f"argument {name!r} needs a type annotation.")
        fields[name] = (hints[name], ... if parameter.default is parameter.empty else parameter.default)
    arguments = create_model(given.spec.name, __config__=ConfigDict(extra="forbid", protected_namespaces=()), **fields)
    return Tool(given.spec, given.plugin, function, arguments, returned, "ctx" in parameters)


def _is_langchain_tool(annotation: Any) -> bool:
    return isinstance(annotation, type) and any(
        c.__module__.startswith("langchain_core.tools") for c in annotation.__mro__
    )


def _from_langchain(given: Given[ToolSpec], tool: Any) -> Tool:
    from agentkit.results import TextResult

    async def run(**args: Any) -> TextResult:
        return TextResult(text=str(await tool.ainvoke(args)))

    arguments = tool.args_schema
    if not (isinstance(arguments, type) and hasattr(arguments, "model_validate")):
        raise PluginError("its LangChain tool must have a pydantic model as args_schema.")
    return Tool(given.spec, given.plugin, run, arguments, TextResult, wants_context=False)


def _run_apart(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, in a thread of its own where this one has a running loop, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, asyncio.run, work).result()


def _without_titles(schema: Any) -> Any:
    if isinstance(schema, dict):
        properties = schema.get("properties")
        cleaned = {k: _without_titles(v) for k, v in schema.items() if k != "title" or not isinstance(v, str)}
        if isinstance(properties, dict):
            cleaned["properties"] = {k: _without_titles(v) for k, v in properties.items()}
        return cleaned
    return [_without_titles(s) for s in schema] if isinstance(schema, list) else schema


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
