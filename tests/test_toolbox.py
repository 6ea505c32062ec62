"""A tool's signature is its contract: the schema that models read, the checks, and what may come back."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from langchain_core.tools import BaseTool, StructuredTool, tool
from pydantic import BaseModel, Field

from agentkit import Agent, Settings, ToolContext, ToolResult, ToolSpec, hookimpl, load_settings
from agentkit.calls import CallContext, Services
from agentkit.errors import PluginError, ToolInputError, ToolNotFound
from agentkit.results import TextResult
from agentkit.testing import ScriptedChatModel
from agentkit.toolbox import Tool, Toolbox


class Weighed(ToolResult):
    grams: float

    def brief(self) -> str:
        return f"{self.grams:g} g"


class Box(BaseModel):
    width: int
    height: int = 1


def weigh(
    things: Annotated[list[str], Field(description="What lies on the scales")],
    precision: Annotated[float, Field(gt=0, description="Grams")] = 0.5,
    unit: Literal["g", "kg"] = "g",
    box: Box | None = None,
    *,
    ctx: ToolContext,
) -> Weighed:
    """Weigh things."""
    ctx.note(f"weighed in {ctx.settings.folder.name}")
    return Weighed(grams=len(things) * precision * (1000 if unit == "kg" else 1) + (box.width if box else 0))


async def wait(seconds: float) -> Weighed:
    """Wait, then weigh."""
    await asyncio.sleep(seconds)
    return Weighed(grams=seconds)


def weigh_twice(thing: str, *, ctx: ToolContext) -> Weighed:
    """Call another tool."""
    first = ctx.call("weigh", things=[thing])
    assert isinstance(first, Weighed)
    return Weighed(grams=2 * first.grams)


def lie() -> Weighed:
    return "two pounds"  # type: ignore[return-value]


def no_return(thing: str):  # type: ignore[no-untyped-def]
    return Weighed(grams=len(thing))


def no_annotation(thing) -> Weighed:  # type: ignore[no-untyped-def]
    return Weighed(grams=len(thing))


def any_arguments(**things: str) -> Weighed:
    return Weighed(grams=len(things))


def without_schema(flag: threading.Event) -> Weighed:
    return Weighed(grams=flag.is_set())


def unknown_type(thing: Unknown) -> Weighed:  # type: ignore[name-defined]  # noqa: F821
    return Weighed(grams=len(thing))


@tool
def shout(text: str, times: int = 1) -> str:
    """Say it loudly."""
    return " ".join([text.upper()] * times)


def langchain_shout() -> BaseTool:
    return shout


def langchain_folder(settings: Settings) -> StructuredTool:
    def name_of() -> str:
        """The folder's name."""
        return settings.folder.name

    return StructuredTool.from_function(name_of)


def langchain_broken() -> BaseTool:
    raise ConnectionError("the tool's server is down")


SPECS = {
    "weigh": "weigh",
    "wait": "wait",
    "weigh_twice": "weigh_twice",
    "lie": "lie",
    "shout": "langchain_shout",
    "folder": "langchain_folder",
}
BROKEN = {
    "no_return": ("no_return", "return annotation must be a subclass of ToolResult or BaseTool"),
    "no_annotation": ("no_annotation", "argument 'thing' needs a type annotation"),
    "any_arguments": ("any_arguments", "argument 'things' needs a type annotation"),
    "without_schema": ("without_schema", "threading.Event"),
    "unknown_type": ("unknown_type", "'Unknown' is not defined"),
    "server_down": ("langchain_broken", "ConnectionError: the tool's server is down"),
    "no_function": ("nothing_of_this_name", "nothing_of_this_name"),
}


class Scales:
    """A plugin with the tools of this file, good ones and bad ones."""

    def __init__(self, functions: dict[str, str], modules: dict[str, str] | None = None) -> None:
        self.targets = {name: f"{__name__}:{function}" for name, function in functions.items()} | (modules or {})

    @hookimpl
    def register_tools(self) -> list[ToolSpec]:
        return [ToolSpec(name, target, f"summary of {name}") for name, target in self.targets.items()]


def services(plugin: Scales) -> Services:
    return Services(load_settings(plugins={"enabled": []}), plugins=[plugin])


def get(name: str) -> Tool:
    return services(Scales(SPECS)).toolbox.get(name)


def run(name: str, **args: Any) -> ToolResult:
    made = services(Scales(SPECS))
    return made.toolbox.get(name).call(args, CallContext(made))


class TestSchema:
    def test_it_has_types_descriptions_defaults_and_bounds(self) -> None:
        schema = get("weigh").schema
        assert schema["required"] == ["things"]
        assert schema["additionalProperties"] is False
        assert schema["properties"]["things"] == {
            "description": "What lies on the scales",
            "items": {"type": "string"},
            "type": "array",
        }
        assert schema["properties"]["precision"] == {
            "default": 0.5,
            "description": "Grams",
            "exclusiveMinimum": 0,
            "type": "number",
        }
        assert schema["properties"]["unit"] == {"default": "g", "enum": ["g", "kg"], "type": "string"}

    def test_the_context_is_hidden(self) -> None:
        assert list(get("weigh").schema["properties"]) == ["things", "precision", "unit", "box"]

    def test_titles_are_left_out_but_an_argument_may_be_called_title(self) -> None:
        plugin = Scales({}, {"titled": f"{__name__}:titled"})
        schema = services(plugin).toolbox.get("titled").schema
        assert list(schema["properties"]) == ["title"]
        assert schema["properties"]["title"] == {"type": "string"}

    def test_a_tool_is_described_as_agentkit_tools_prints_it(self) -> None:
        described = get("wait").describe()
        assert described == {
            "name": "wait",
            "summary": "summary of wait",
            "risk": "read",
            "plugin": "Scales",
            "schema": {
                "additionalProperties": False,
                "properties": {"seconds": {"type": "number"}},
                "required": ["seconds"],
                "type": "object",
            },
        }


def titled(title: str) -> TextResult:
    return TextResult(text=title)


class TestValidation:
    @pytest.mark.parametrize(
        ("args", "message"),
        [
            ({}, "tool 'weigh': the argument 'things' is missing (What lies on the scales)."),
            (
                {"things": [], "precison": 1},
                (
                    "tool 'weigh': there is no argument 'precison' (it has: things, precision, unit, box)."
                    " The nearest name is 'precision'."
                ),
            ),
            (
                {"things": [], "precision": -1},
                "tool 'weigh': argument 'precision': Input should be greater than 0, not -1.",
            ),
            ({"things": [], "unit": "lb"}, "tool 'weigh': argument 'unit': Input should be 'g' or 'kg', not 'lb'."),
            (
                {"things": "egg", "ctx": 1},
                (
                    "tool 'weigh': argument 'things': Input should be a valid list, not 'egg'."
                    " there is no argument 'ctx' (it has: things, precision, unit, box)."
                ),
            ),
        ],
    )
    def test_arguments_that_do_not_fit_are_told_with_the_remedy(self, args: dict[str, Any], message: str) -> None:
        with pytest.raises(ToolInputError) as raised:
            get("weigh").validate(args)
        assert str(raised.value) == message

    def test_a_long_value_is_not_repeated_whole(self) -> None:
        with pytest.raises(ToolInputError) as raised:
            get("weigh").validate({"things": "x" * 10_000})
        assert len(str(raised.value)) < 250

    def test_only_what_was_given_comes_back_as_the_types_want_it(self) -> None:
        assert get("weigh").validate({"things": ("egg",), "box": {"width": "3"}}) == {
            "things": ["egg"],
            "box": Box(width=3),
        }

    def test_a_tool_that_is_not_there_names_the_nearest(self) -> None:
        with pytest.raises(ToolNotFound, match=r"there is no tool 'wiegh'\. The nearest name is 'weigh'\. Tools: "):
            get("wiegh")

    def test_a_call_with_bad_arguments_does_not_reach_the_tool(self) -> None:
        with pytest.raises(ToolInputError, match="'seconds' is missing"):
            run("wait")


class TestCalling:
    def test_a_sync_tool_gets_its_context(self, workspace: Path) -> None:
        with Agent(ScriptedChatModel(script=["-"]), plugins=[Scales(SPECS)]) as agent:
            result = agent.call("weigh", things=["egg", "ham"], unit="kg")
        assert result == Weighed(grams=1000, notes=[f"weighed in {workspace.name}"])

    def test_a_tool_calls_another_tool(self) -> None:
        assert run("weigh_twice", thing="egg") == Weighed(grams=1)

    def test_an_async_tool_runs_where_there_is_no_loop(self) -> None:
        assert run("wait", seconds=0.01) == Weighed(grams=0.01)

    def test_an_async_tool_runs_where_there_is_a_loop(self) -> None:
        async def cell_of_a_notebook() -> ToolResult:
            return run("wait", seconds=0.01)

        assert asyncio.run(cell_of_a_notebook()) == Weighed(grams=0.01)

    @pytest.mark.parametrize(("name", "args"), [("wait", {"seconds": 0.01}), ("weigh_twice", {"thing": "egg"})])
    def test_both_kinds_can_be_awaited(self, name: str, args: dict[str, Any]) -> None:
        made = services(Scales(SPECS))
        assert isinstance(asyncio.run(made.toolbox.get(name).acall(args, CallContext(made))), Weighed)

    def test_a_wrong_return_type_names_tool_and_plugin(self) -> None:
        with pytest.raises(PluginError, match="tool 'lie' of plugin 'Scales' returned str, not Weighed"):
            run("lie")


class TestLangChainTools:
    def test_a_factory_gives_a_tool_with_the_schema_of_the_langchain_tool(self) -> None:
        schema = get("shout").schema
        assert schema["properties"]["times"] == {"default": 1, "type": "integer"}
        assert schema["required"] == ["text"]

    def test_its_answer_is_a_text(self) -> None:
        assert run("shout", text="hey", times=2) == TextResult(text="HEY HEY")

    def test_its_arguments_are_checked(self) -> None:
        with pytest.raises(ToolInputError, match=r"argument 'times': .*, not 'often'"):
            run("shout", text="hey", times="often")

    def test_a_factory_may_take_the_settings(self, workspace: Path) -> None:
        assert run("folder") == TextResult(text=workspace.name)


class TestBrokenTools:
    @pytest.mark.parametrize("name", BROKEN)
    def test_the_error_names_plugin_and_tool_and_what_is_wrong(self, name: str) -> None:
        target, problem = BROKEN[name]
        with pytest.raises(PluginError) as raised:
            services(Scales({name: target})).toolbox.get(name)
        assert f"tool {name!r} of plugin 'Scales'" in str(raised.value)
        assert problem in str(raised.value)

    @pytest.mark.parametrize(
        ("source", "problem"),
        [
            ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
            ("import surely_not_installed", "No module named 'surely_not_installed'"),
            ("def f(:", "SyntaxError"),
        ],
    )
    def test_a_broken_module_leaves_the_other_tools(
        self,
        workspace: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        source: str,
        problem: str,
    ) -> None:
        (workspace / "fragile.py").write_text(source)
        monkeypatch.syspath_prepend(workspace)
        plugin = Scales({"wait": "wait"}, {"fragile": "fragile:f"})
        toolbox = services(plugin).toolbox
        assert [t.name for t in toolbox] == ["wait"]
        assert [t.name for t in toolbox] == ["wait"]
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "tool 'fragile' of plugin 'Scales'" in said
        assert problem in said

    def test_an_agent_works_with_the_tools_that_load(self) -> None:
        plugin = Scales({"wait": "wait"} | {name: target for name, (target, _) in BROKEN.items()})
        model = ScriptedChatModel(script=["hello"])
        with Agent(model, plugins=[plugin], settings=load_settings(plugins={"enabled": []})) as agent:
            assert agent.ask("hi").text == "hello"
        assert [t.name for t in model.tools] == ["wait"]


def test_listing_tools_imports_none_of_them(workspace: Path) -> None:
    plugin = Scales({}, {"fragile": "a_module_that_is_not_there:f"})
    made: Toolbox = services(plugin).toolbox
    assert list(made.specs) == ["fragile"]
