"""What plugin authors test with: the scripted model, and the checks that find what is wrong with a plugin."""

from __future__ import annotations

import asyncio
import importlib
import re
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk

from agentkit.errors import PluginError
from agentkit.testing import HEAVY, Cut, ScriptedChatModel, Slow, call, check_plugin

ROOT = Path(__file__).parent.parent
BUILT_IN = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["agentkit"]
CALLS: dict[str, Any] = {"ml": {"list_models": {}, "profile_data": {"dataset": "beans.csv"}}}

GOOD = """
from typing import Annotated

from pydantic import Field

from agentkit import ToolResult, ToolSpec, hookimpl


class Greeting(ToolResult):
    text: str

    def brief(self):
        return self.text


def greet(name: Annotated[str, Field(description="Whom")]) -> Greeting:
    return Greeting(text=f"Hello {name}.")


@hookimpl
def register_tools():
    return [ToolSpec("greet", f"{__name__}:greet", "Greet somebody.")]
"""


@pytest.fixture
def written(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Write a plugin of one file and import it."""

    def write(source: str) -> ModuleType:
        name = f"written_{abs(hash(source))}"
        (workspace / f"{name}.py").write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(workspace)
        return importlib.import_module(name)

    return write


class TestScriptedChatModel:
    def test_a_stream_tells_words_calls_and_usage(self) -> None:
        step = AIMessage("let me see", tool_calls=call("look", where="here").tool_calls)
        step.usage_metadata = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
        chunks = list(ScriptedChatModel(script=[step]).stream("?"))
        assert [c.text for c in chunks] == ["let ", "me ", "see"]
        whole = sum(chunks[1:], chunks[0])
        assert isinstance(whole, AIMessageChunk)
        assert [(c["name"], c["args"]) for c in whole.tool_calls] == [("look", {"where": "here"})]
        assert whole.usage_metadata == step.usage_metadata

    def test_a_broken_call_stays_broken(self) -> None:
        broken = {"name": "look", "args": '{"where": ', "id": "c", "error": None, "type": "invalid_tool_call"}
        model = ScriptedChatModel(script=[AIMessage("", invalid_tool_calls=[broken])])
        assert model.invoke("?").invalid_tool_calls[0]["args"] == '{"where": '
        (chunk,) = model.stream("?")
        assert [c["args"] for c in chunk.tool_call_chunks] == ['{"where": ']

    def test_a_cut_stream_breaks_after_its_words(self) -> None:
        model = ScriptedChatModel(script=[Cut("one two", ConnectionError("gone"))])
        heard = []
        with pytest.raises(ConnectionError, match="gone"):
            for chunk in model.stream("?"):
                heard.append(chunk.text)  # noqa: PERF401 - what came before the error counts
        assert heard == ["one ", "two"]
        with pytest.raises(ConnectionError, match="gone"):
            model.invoke("?")

    def test_a_slow_step_takes_its_time_in_both_ways(self) -> None:
        model = ScriptedChatModel(script=[Slow("one two three", 0.05)])
        start = time.perf_counter()
        assert model.invoke("?").text == "one two three"
        assert time.perf_counter() - start >= 0.05
        start = time.perf_counter()
        assert len(list(model.stream("?"))) == 3
        assert time.perf_counter() - start >= 0.15

    def test_the_async_twins_say_the_same(self) -> None:
        async def both() -> list[str]:
            model = ScriptedChatModel(script=["one two"])
            return [(await model.ainvoke("?")).text, "".join([c.text async for c in model.astream("?")])]

        assert asyncio.run(both()) == ["one two", "one two"]


class TestCheckPlugin:
    @pytest.mark.parametrize("name", BUILT_IN)
    def test_the_built_in_plugins_conform(self, name: str, workspace: Path) -> None:
        (workspace / "beans.csv").write_text("size,kind\n" + "\n".join(f"{i},{'ab'[i % 2]}" for i in range(40)))
        plugins = check_plugin(BUILT_IN[name], calls=CALLS.get(name))
        assert plugins.tools or plugins.models

    def test_a_good_plugin_of_one_file_conforms(self, written: Callable[[str], ModuleType]) -> None:
        plugins = check_plugin(written(GOOD), calls={"greet": {"name": "Ada"}}, light=False)
        assert list(plugins.tools) == ["greet"]

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            (('Annotated[str, Field(description="Whom")]', "str"), "argument 'name' has no description"),
            (("Greet somebody.", "x" * 201), "its summary has 201 characters"),
            (("Greet somebody.", " "), "its summary has 0 characters"),
            ((":greet", ":great"), "target 'written_"),
            (("-> Greeting", "-> str"), "must be a subclass of ToolResult"),
            (("def brief", "def brief_"), "Greeting does not say in brief()"),
            (('f"Hello {name}."', '"x" * 1201'), "its brief has 1201 characters"),
            (("    text: str", "    text: str\n    at: float = float('nan')"), "not the same after it was stored"),
            (("register_tools()", "register_tools(setings)"), "'setings' is not part of the hook"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, written: Callable[[str], ModuleType], change: tuple[str, str], problem: str
    ) -> None:
        with pytest.raises(PluginError) as raised:
            check_plugin(written(GOOD.replace(*change)), calls={"greet": {"name": "Ada"}}, light=False)
        assert problem in str(raised.value)

    def test_all_that_is_wrong_is_told_at_once(self, written: Callable[[str], ModuleType]) -> None:
        source = GOOD.replace('Annotated[str, Field(description="Whom")]', "str").replace("Greet somebody.", "")
        with pytest.raises(PluginError) as raised:
            check_plugin(written(source))
        assert "no description" in str(raised.value)
        assert "its summary has 0 characters" in str(raised.value)
        assert "registering it imports pydantic" in str(raised.value)

    def test_other_contributions_are_checked(self, written: Callable[[str], ModuleType], workspace: Path) -> None:
        (workspace / "prompts").mkdir()
        (workspace / "prompts" / "bad.prompt.md").write_text("---\ndescription: x\nnonsense: 1\n---\n# user\nHi\n")
        source = """
from pathlib import Path

from langchain.agents.middleware import AgentMiddleware

from agentkit import MiddlewareSpec, ModelSpec, PromptSource, hookimpl


class Half(AgentMiddleware):
    def wrap_model_call(self, request, handler):
        return handler(request)


def half(settings):
    return Half()


def model(name):
    return None


def command():
    pass


@hookimpl
def register_middleware():
    return [MiddlewareSpec("half", f"{__name__}:half"), MiddlewareSpec("none", f"{__name__}:model")]


@hookimpl
def register_models():
    return [ModelSpec("mine", f"{__name__}:model", "a model")]


@hookimpl
def register_commands():
    return {"mine": f"{__name__}:command"}


@hookimpl
def register_prompts():
    return [PromptSource(Path(__file__).parent / "prompts"), PromptSource(Path(__file__).parent / "nowhere")]
"""
        with pytest.raises(PluginError) as raised:
            check_plugin(written(source), light=False)
        for problem in (
            "wrap_model_call needs its twin",
            "must give an AgentMiddleware, not NoneType",
            "must take (name, settings)",
            "is not a click command",
            "nonsense",
            "there is no *.prompt.md",
        ):
            assert problem in str(raised.value)

    def test_what_is_heavy_for_start_up_is_heavy_here(self) -> None:
        from tests.test_house import HEAVY as AT_START_UP

        assert set(AT_START_UP) <= HEAVY


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_of_docs_testing_run(workspace: Path, number: int) -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(examples) == 2
    exec(compile(examples[number], "docs/testing.md", "exec"), {})
