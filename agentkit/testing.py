"""For tests of agents and plugins: a chat model that says what it is told to, and the checks of a plugin."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, PrivateAttr, ValidationError

from agentkit.errors import AgentkitError, PluginError
from agentkit.plugins import Plugins
from agentkit.results import BRIEF_LIMIT, ToolResult
from agentkit.settings import Settings, load_settings
from agentkit.specs import resolve
from agentkit.toolbox import Tool, load_tool

if TYPE_CHECKING:
    from agentkit.specs import MiddlewareSpec, ModelSpec

SUMMARY_LIMIT = 200
"""Characters of a tool's summary: every request to a model carries all of them."""
HEAVY = frozenset(
    "anthropic duckdb langchain langchain_core langgraph langsmith lightgbm matplotlib mlflow numpy openai pandas"  # noqa: SIM905
    " polars pyarrow pydantic scipy sklearn sqlglot tensorflow torch transformers xgboost".split()
)
"""What a plugin must not import to register: `agentkit --help` loads every plugin."""


@dataclass(frozen=True)
class Slow:
    """A step that takes time: `seconds` before it begins, and as many before each further word of a stream."""

    step: Step
    seconds: float


@dataclass(frozen=True)
class Cut:
    """A stream that breaks: the words of `text` come, then `error`. Not streamed, it is the error alone."""

    text: str
    error: Exception


Step = str | AIMessage | Exception | Slow | Cut


class ScriptedChatModel(BaseChatModel):
    """Answers with `script` in order: a text, an AIMessage (with tool calls perhaps), an exception to raise, or one of
    these `Slow`, or a stream that is `Cut`.

    When the script is used up the last step repeats. `seen` holds the messages of every call; `tools` those bound.
    """

    script: Sequence[Any]
    seen: list[list[BaseMessage]] = Field(default_factory=list)
    tools: list[Any] = Field(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Runnable[Any, AIMessage]:
        """Note the tools; the script already knows what to call."""
        self.tools[:] = tools
        return self

    def _next(self, messages: list[BaseMessage]) -> tuple[Step, float]:
        """The next step, and the seconds that it takes."""
        with self._lock:
            step = self.script[min(len(self.seen), len(self.script) - 1)]
            self.seen.append(messages)
        seconds = step.seconds if isinstance(step, Slow) else 0.0
        time.sleep(seconds)
        return (step.step if isinstance(step, Slow) else step), seconds

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        step = self._next(messages)[0]
        if isinstance(step, Cut):
            raise step.error
        return ChatResult(generations=[ChatGeneration(message=_message(step))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> Iterator[ChatGenerationChunk]:
        step, pause = self._next(messages)
        for i, chunk in enumerate(_chunks(_message(step.text if isinstance(step, Cut) else step))):
            time.sleep(pause if i else 0)
            made = ChatGenerationChunk(message=chunk)
            if run_manager and chunk.text:
                run_manager.on_llm_new_token(chunk.text, chunk=made)
            if isinstance(step, Cut) and chunk.chunk_position == "last":
                chunk.chunk_position = None
                yield made
                raise step.error
            yield made


def call(name: str, /, id: str = "call-1", **args: Any) -> AIMessage:  # noqa: A002
    """A step of a script: one tool call."""
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": id, "type": "tool_call"}])


def _message(step: Any) -> AIMessage:
    if isinstance(step, Exception):
        raise step
    return AIMessage(step) if isinstance(step, str) else step.model_copy(update={"id": None})


def _chunks(message: AIMessage) -> Iterator[AIMessageChunk]:
    """The message as a stream: a chunk a word, and what else it has in the last one."""
    made = [{"name": c["name"], "args": json.dumps(c["args"]), "id": c["id"]} for c in message.tool_calls]
    broken = [{"name": c["name"], "args": c["args"], "id": c["id"]} for c in message.invalid_tool_calls]
    *words, last = message.text.split(" ")
    for word in words:
        yield AIMessageChunk(content=f"{word} ")
    yield AIMessageChunk(
        content=last,
        tool_call_chunks=[{**c, "index": i} for i, c in enumerate([*made, *broken])],  # type: ignore[typeddict-item]
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        chunk_position="last",
    )


def check_plugin(
    plugin: ModuleType | object | str,
    *,
    calls: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Settings | None = None,
    light: bool = True,
) -> Plugins:
    """Check that a plugin keeps what agentkit and its users rely on; gives what it contributes.

    `plugin` is the module (or its name) or object. It is loaded alone and strictly; every target is imported; each tool
    needs a short summary, described arguments and a result type with a brief. `calls` (tool -> arguments) are made, and
    each result must fit its brief and survive storing. With `light`, a module must import nothing of HEAVY to register;
    say False for a plugin of one file. `settings`: default those of the current folder. Raises PluginError that lists
    all that is wrong.
    """
    module = importlib.import_module(plugin) if isinstance(plugin, str) else plugin
    settings = settings or load_settings(plugins={"enabled": []}, strict_plugins=True)
    plugins = Plugins(settings, [module])
    problems = [
        *(p for given in plugins.tools.values() for p in _tool_problems(plugins, given.spec.name)),
        *(p for given in plugins.models.values() for p in _model_problems(given.spec)),
        *(p for given in plugins.middleware.values() for p in _middleware_problems(given.spec, settings)),
        *(p for given in plugins.prompts for p in _prompt_problems(given.spec.folder)),
        *(p for name, given in plugins.commands.items() for p in _command_problems(name, given.spec)),
        *_call_problems(plugins, calls or {}),
        *(_heavy_imports(module) if light and isinstance(module, ModuleType) else ()),
    ]
    if problems:
        name = getattr(module, "__name__", type(module).__name__)
        raise PluginError(f"plugin {name!r}:\n" + "\n".join(f"- {p}" for p in problems))
    return plugins


def _tool_problems(plugins: Plugins, name: str) -> Iterator[str]:
    given = plugins.tools[name]
    try:
        tool = load_tool(given, plugins.settings)
    except PluginError as error:
        yield str(error)
        return
    summary = given.spec.summary.strip()
    if not 0 < len(summary) <= SUMMARY_LIMIT:
        yield f"tool {name!r}: its summary has {len(summary)} characters; a model chooses by 1 to {SUMMARY_LIMIT}."
    for argument, field in tool.arguments.model_fields.items():
        if not field.description:
            wanted = 'Annotated[..., Field(description="...")]'
            yield f"tool {name!r}: argument {argument!r} has no description; write it as {wanted}."
    if tool.result_type.brief is ToolResult.brief:
        yield f"tool {name!r}: {tool.result_type.__name__} does not say in brief() what the model reads."


def _model_problems(spec: ModelSpec) -> Iterator[str]:
    try:
        target = resolve(spec.target)
        inspect.signature(target).bind("", None)
    except PluginError as error:
        yield f"models {spec.provider!r}: {error}"
    except TypeError:
        yield f"models {spec.provider!r}: {spec.target!r} must take (name, settings)."


def _middleware_problems(spec: MiddlewareSpec, settings: Settings) -> Iterator[str]:
    from langchain.agents.middleware import AgentMiddleware

    try:
        made = resolve(spec.target)(settings)
    except PluginError as error:
        yield f"middleware {spec.name!r}: {error}"
        return
    if not isinstance(made, AgentMiddleware):
        yield f"middleware {spec.name!r}: {spec.target!r} must give an AgentMiddleware, not {type(made).__name__}."
        return
    for hook in ("wrap_model_call", "wrap_tool_call"):
        own = [n for n in (hook, f"a{hook}") if getattr(type(made), n) is not getattr(AgentMiddleware, n)]
        if len(own) == 1:
            yield f"middleware {spec.name!r}: {own[0]} needs its twin: agents run sync and async."


def _prompt_problems(folder: Any) -> Iterator[str]:
    from agentkit.prompts import read_prompt

    files = sorted(folder.glob("*.prompt.md"))
    if not files:
        yield f"prompts: there is no *.prompt.md in {str(folder)!r}."
    for file in files:
        try:
            read_prompt(file)
        except AgentkitError as error:
            yield f"prompts: {error}"


def _command_problems(name: str, target: str) -> Iterator[str]:
    import click

    try:
        command = resolve(target)
    except PluginError as error:
        yield f"command {name!r}: {error}"
        return
    if not isinstance(command, click.Command):
        yield f"command {name!r}: {target!r} is not a click command."
    elif not command.help:
        yield f"command {name!r} has no help: write its docstring."


def _call_problems(plugins: Plugins, calls: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    from agentkit.calls import CallContext, Services

    services = Services(plugins.settings, plugins=plugins)
    try:
        for name, args in calls.items():
            try:
                tool = services.toolbox.get(name)
            except PluginError:
                continue  # told already
            try:
                yield from _result_problems(tool, tool.call(args, CallContext(services)))
            except PluginError as error:
                yield str(error)
    finally:
        services.close()


def _result_problems(tool: Tool, result: ToolResult) -> Iterator[str]:
    brief = "" if tool.result_type.brief is ToolResult.brief else result.brief()
    if not 0 < len(brief.strip()) <= BRIEF_LIMIT:
        yield f"tool {tool.name!r}: its brief has {len(brief)} characters; the model reads 1 to {BRIEF_LIMIT}."
    try:
        read = tool.result_type.model_validate_json(result.model_dump_json())
    except ValidationError:
        read = None
    if read != result:
        yield f"tool {tool.name!r}: its result is not the same after it was stored as JSON and read again."


def _heavy_imports(module: ModuleType) -> Iterator[str]:
    """What a fresh process has imported after it loaded nothing but this plugin."""
    program = (
        "import importlib, sys\nfrom agentkit.plugins import Plugins\nfrom agentkit.settings import load_settings\n"
        f"plugin = importlib.import_module({module.__name__!r})\n"
        "Plugins(load_settings(plugins={'enabled': []}), [plugin])\nprint(*sys.modules)\n"
    )
    paths = os.pathsep.join(p for p in sys.path if p)
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        yield f"it cannot be loaded in a process of its own: {ended.stderr.strip().splitlines()[-1]}"
    if heavy := sorted(HEAVY & set(ended.stdout.split())):
        remedy = "import inside functions, or in the module that a target names"
        yield f"registering it imports {', '.join(heavy)}: {remedy}."
