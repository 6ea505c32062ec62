"""Loading plugins: each one's failure stays its own, and is told with its cause."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentkit import plugins as plugins_module
from agentkit.cli import COMMANDS
from agentkit.errors import PluginError
from agentkit.hookspecs import hookimpl
from agentkit.plugins import Plugins
from agentkit.settings import load_settings
from agentkit.specs import ToolSpec
from agentkit.trust import trust

BUILT_IN = ["anthropic", "drift", "local", "ml", "openai", "rag", "sql"]
GOOD = """
    @hookimpl
    def register_tools():
        return [ToolSpec("greet", "good:greet", "Greet somebody")]
"""


@pytest.fixture(autouse=True)
def _no_modules_left() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("agentkit_plugin_") or name in ("weather", "other", "tidy"):
            del sys.modules[name]


def write(folder: Path, name: str, source: str) -> str:
    """A plugin module `name`.py; gives the path as `[plugins] paths` takes it."""
    head = (
        "from agentkit import Decision, MiddlewareSpec, ModelSpec, PromptSource, ToolSpec, hookimpl\n"
        "from pathlib import Path\n"
    )
    (folder / f"{name}.py").write_text(head + textwrap.dedent(source), encoding="utf-8")
    return f"{name}.py"


def install(folder: Path, name: str, source: str, version: str = "1.2") -> None:
    """A distribution with the module `name` and its entry point, as pip would leave it in `folder`."""
    folder.mkdir(exist_ok=True)
    write(folder, name, source)
    info = folder / f"agentkit_{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: agentkit-{name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[agentkit]\n{name} = {name}\n")


def load(*paths: str, strict: bool = False, **chosen: Any) -> Plugins:
    return Plugins(load_settings(plugins={"paths": list(paths), **chosen}, strict_plugins=strict))


def contributions(plugins: Plugins, name: str) -> list[str]:
    """Everything that the manager holds from one plugin."""
    tables = (plugins.tools, plugins.models, plugins.middleware, plugins.commands)
    found = [key for table in tables for key, given in table.items() if given.plugin == name]
    return found + [str(g.spec.folder) for g in plugins.prompts if g.plugin == name]


def test_the_built_in_plugins_load_and_say_their_version() -> None:
    from agentkit import __version__

    plugins = load()
    assert sorted(plugins.reports) == BUILT_IN
    assert {r.status for r in plugins.reports.values()} == {"OK"}
    assert {r.version for r in plugins.reports.values()} == {__version__}


BROKEN = {
    "import": ("raise RuntimeError('no licence')", ["RuntimeError", "no licence"]),
    "missing module": ("import surely_not_installed", ["ModuleNotFoundError", "surely_not_installed"]),
    "syntax": ("def f(:\n", ["SyntaxError"]),
    "exit": ("raise SystemExit(3)", ["SystemExit", "3"]),
    "raises in a hook": (
        (
            "@hookimpl\ndef register_prompts():\n    return [PromptSource(Path('p'))]\n"
            "@hookimpl\ndef register_middleware():\n    raise ValueError('out of order')\n"
        ),
        ["ValueError", "out of order"],
    ),
    "raises half way": (
        "@hookimpl\ndef register_tools():\n    yield ToolSpec('first', 'm:f', 's')\n    raise KeyError('second')\n",
        ["KeyError", "second"],
    ),
    "wrong items": (
        "@hookimpl\ndef register_tools():\n    return ['first']\n",
        ["register_tools", "must return ToolSpec items, not str"],
    ),
    "no items": ("@hookimpl\ndef register_models():\n    pass\n", ["register_models", "ModelSpec", "NoneType"]),
    "wrong mapping": (
        "@hookimpl\ndef register_commands():\n    return ['hello']\n",
        ["register_commands must return a mapping, not list"],
    ),
    "wrong target of a command": (
        "@hookimpl\ndef register_commands():\n    return {'hello': 3}\n",
        ["register_commands", "'hello'", "3"],
    ),
    "command of agentkit": (
        "@hookimpl\ndef register_commands():\n    return {'chat': 'm:c'}\n",
        ["'chat' is a command of agentkit itself"],
    ),
    "misspelt argument": (
        "@hookimpl\ndef register_tools(setings):\n    return []\n",
        ["register_tools: argument 'setings' is not part of the hook (it has: settings)."],
    ),
    "unknown hook": (
        "@hookimpl\ndef register_tols():\n    return []\n",
        ["there is no hook 'register_tols'. The nearest name is 'register_tools'. Hooks: "],
    ),
    "unknown risk": (
        "@hookimpl\ndef register_tools():\n    return [ToolSpec('first', 'm:f', 's', risk='wirte')]\n",
        ["'wirte'", "read, write, costly"],
    ),
    "bad tool name": (
        "@hookimpl\ndef register_tools():\n    return [ToolSpec('first tool', 'm:f', 's')]\n",
        ["'first tool' cannot be a tool's name"],
    ),
    "taken tool name": (
        (
            "@hookimpl\ndef register_models():\n    return [ModelSpec('mine', 'm:f', 's')]\n"
            "@hookimpl\ndef register_tools():\n"
            "    return [ToolSpec('fresh', 'm:f', 's'), ToolSpec('profile_data', 'm:f', 's')]\n"
        ),
        ["register_tools", "'profile_data' is already taken by plugin 'ml'"],
    ),
    "taken provider": (
        "@hookimpl\ndef register_models():\n    return [ModelSpec('openai', 'm:f', 's')]\n",
        ["'openai' is already taken by plugin 'openai'"],
    ),
    "twice the same tool": (
        "@hookimpl\ndef register_tools():\n    return [ToolSpec('one', 'm:f', 's'), ToolSpec('one', 'm:g', 's')]\n",
        ["'one' is already taken by plugin 'broken'"],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_failed_with_the_cause_and_leaves_nothing(workspace: Path, case: str) -> None:
    source, causes = BROKEN[case]
    alone = load()
    plugins = load(write(workspace, "broken", source), write(workspace, "good", GOOD))
    assert plugins.reports["broken"].status == "FAILED"
    for cause in causes:
        assert cause in plugins.reports["broken"].cause
    assert "\n" not in plugins.reports["broken"].cause
    assert contributions(plugins, "broken") == []
    assert [r.name for r in plugins.failed] == ["broken"]
    assert list(plugins.tools) == [*alone.tools, "greet"]
    assert list(plugins.models) == list(alone.models)
    assert not list(plugins.call("on_event", run=None, event=None))


def test_a_failed_plugin_is_said_on_stderr_and_in_the_list(
    workspace: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(workspace / "site", "weather", "raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(workspace / "site")
    tools = cli("tools")
    assert tools.code == 0
    assert tools.err == "agentkit: plugin 'weather' FAILED: RuntimeError: no licence\n"
    assert "profile_data" in tools.out
    lines = cli("plugins").out.splitlines()
    assert "FAILED    weather  1.2  (weather)  RuntimeError: no licence" in lines
    assert sum(line.startswith("OK ") for line in lines) == len(BUILT_IN)


def test_a_plugin_that_cannot_be_hashed_is_refused() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(PluginError, match="plugin 'Unhashable' failed: TypeError: unhashable"):
        Plugins(load_settings(), [Unhashable()])


def test_a_hook_of_another_version_may_be_marked_optional(workspace: Path) -> None:
    source = "@hookimpl(optionalhook=True)\ndef register_dreams():\n    return []\n"
    assert load(write(workspace, "ahead", source), write(workspace, "good", GOOD)).failed == []


def test_a_class_is_no_plugin_but_its_instance_is() -> None:
    class Weather:
        @hookimpl
        def register_tools(self) -> list[ToolSpec]:
            return [ToolSpec("forecast", "weather:forecast", "Look out of the window")]

    with pytest.raises(PluginError, match="Weather is a class: a plugin is an instance of it, or a module"):
        Plugins(load_settings(), [Weather])
    assert Plugins(load_settings(), [Weather()]).tools["forecast"].plugin == "Weather"


def test_an_installed_plugin_is_found_with_its_version(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(workspace / "site", "weather", GOOD, version="3.4.5")
    monkeypatch.syspath_prepend(workspace / "site")
    plugins = load()
    assert plugins.reports["weather"].status == "OK"
    assert plugins.reports["weather"].version == "3.4.5"
    assert plugins.tools["greet"].plugin == "weather"


def test_built_in_plugins_load_before_all_others(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(workspace / "site", "aardvark", GOOD.replace("greet", "profile_data"))
    monkeypatch.syspath_prepend(workspace / "site")
    plugins = load()
    assert list(plugins.reports) == [*BUILT_IN, "aardvark"]
    assert plugins.tools["profile_data"].plugin == "ml"
    assert plugins.reports["aardvark"].status == "FAILED"
    del sys.modules["aardvark"]


class TestChoosing:
    def test_a_disabled_plugin_is_not_even_imported(self, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        install(workspace / "site", "weather", "raise RuntimeError('imported')")
        monkeypatch.syspath_prepend(workspace / "site")
        plugins = load(disabled=["weather", "ml"])
        assert plugins.reports["weather"].status == plugins.reports["ml"].status == "DISABLED"
        assert plugins.failed == []
        assert contributions(plugins, "ml") == []

    def test_enabled_leaves_only_those_named(self, workspace: Path) -> None:
        plugins = load(enabled=["ml"])
        assert {n: r.status for n, r in plugins.reports.items()} == {
            name: "OK" if name == "ml" else "DISABLED" for name in BUILT_IN
        }
        assert plugins.models == {}

    def test_an_empty_list_enables_none(self, workspace: Path) -> None:
        assert {r.status for r in load(enabled=[]).reports.values()} == {"DISABLED"}

    def test_enabling_what_is_not_there_names_the_nearest(self, workspace: Path) -> None:
        with pytest.raises(PluginError, match=r"no plugin 'opnai'\. The nearest name is 'openai'"):
            load(enabled=["ml", "opnai"])

    def test_a_plugin_asked_for_by_name_that_fails_is_an_error(
        self, workspace: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(workspace / "site", "weather", "raise RuntimeError('no licence')")
        monkeypatch.syspath_prepend(workspace / "site")
        with pytest.raises(PluginError, match="plugin 'weather' failed: RuntimeError: no licence"):
            load(enabled=["ml", "weather"])

    def test_a_plugin_handed_over_that_fails_is_an_error(self, workspace: Path) -> None:
        class Thief:
            @hookimpl
            def register_tools(self) -> list[ToolSpec]:
                return [ToolSpec("train", "m:f", "s")]

        with pytest.raises(PluginError, match=r"plugin 'Thief' failed: .*'train' is already taken by plugin 'ml'"):
            Plugins(load_settings(), [Thief()])

    def test_strict_mode_makes_every_failure_an_error(self, workspace: Path) -> None:
        path = write(workspace, "broken", "raise RuntimeError('no licence')")
        with pytest.raises(PluginError, match="plugin 'broken' failed: RuntimeError: no licence"):
            load(path, strict=True)

    @pytest.mark.parametrize(("value", "strict"), [("1", True), ("true", True), ("0", False), ("", False)])
    def test_strict_mode_comes_from_the_environment(
        self, workspace: Path, monkeypatch: pytest.MonkeyPatch, value: str, strict: bool
    ) -> None:
        monkeypatch.setenv("AGENTKIT_STRICT_PLUGINS", value)
        assert load_settings().strict_plugins is strict


class TestPaths:
    def test_files_load_only_after_trust(self, workspace: Path) -> None:
        write(workspace, "good", GOOD)
        file = workspace / "agentkit.toml"
        file.write_text('[plugins]\npaths = ["good.py"]\n', encoding="utf-8")
        assert "good" not in Plugins(load_settings()).reports
        trust(file, file.read_bytes())
        assert Plugins(load_settings()).tools["greet"].plugin == "good"

    def test_a_path_may_name_a_module(self, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (workspace / "tidy").mkdir()
        (workspace / "tidy" / "__init__.py").touch()
        for name in ("one", "two"):
            write(workspace / "tidy", name, GOOD.replace("greet", name))
        monkeypatch.syspath_prepend(workspace)
        plugins = load("tidy.one", "tidy.two")
        assert plugins.reports["tidy.one"].status == plugins.reports["tidy.two"].status == "OK"
        for name in ("tidy.one", "tidy.two"):
            del sys.modules[name]

    def test_a_file_that_is_missing_is_named(self, workspace: Path) -> None:
        assert "there is no file 'nowhere.py'" in load("nowhere.py").reports["nowhere"].cause

    def test_the_second_plugin_of_a_name_is_failed_and_the_first_stays(self, workspace: Path) -> None:
        (workspace / "more").mkdir()
        write(workspace / "more", "good", GOOD.replace("greet", "other"))
        plugins = load(write(workspace, "good", GOOD), "more/good.py")
        assert plugins.reports["good"].status == "OK"
        assert "already taken by the plugin from good.py" in plugins.reports["good (more/good.py)"].cause
        assert "greet" in plugins.tools
        assert "other" not in plugins.tools

    def test_a_file_that_fails_leaves_no_module_behind(self, workspace: Path) -> None:
        load(write(workspace, "broken", "raise RuntimeError"))
        assert "agentkit_plugin_broken" not in sys.modules


class TestWrappers:
    def test_a_wrapper_sees_and_changes_what_later_plugins_give(self, workspace: Path) -> None:
        doubling = """
            @hookimpl(wrapper=True)
            def register_tools(settings):
                answers = yield
                return [[ToolSpec(t.name, t.target, t.summary + "!", t.risk) for t in tools] for tools in answers]
        """
        plugins = load(write(workspace, "wrapping", doubling), write(workspace, "good", GOOD))
        assert plugins.failed == []
        assert plugins.tools["greet"].plugin == "good"
        assert plugins.tools["greet"].spec.summary == "Greet somebody!"
        assert not plugins.tools["profile_data"].spec.summary.endswith("!")

    def test_a_plugin_that_only_wraps_is_fine_on_its_own(self, workspace: Path) -> None:
        source = "@hookimpl(wrapper=True)\ndef register_tools():\n    return (yield)\n"
        plugins = load(write(workspace, "wrapping", source))
        assert plugins.reports["wrapping"].status == "OK"


class TestSlowPlugins:
    def test_one_that_takes_long_is_named_while_it_loads(
        self, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(plugins_module, "SLOW_SECONDS", 0.05)
        plugins = load(write(workspace, "sluggish", "import time\ntime.sleep(0.4)"))
        assert "agentkit: plugin 'sluggish' has been loading for 0 s\n" in capsys.readouterr().err
        assert plugins.reports["sluggish"].seconds >= 0.4

    def test_interrupting_says_which_plugin_was_loading(
        self, workspace: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write(workspace, "hanging", "raise KeyboardInterrupt")
        with pytest.raises(KeyboardInterrupt):
            load(path)
        assert "agentkit: interrupted while loading plugin 'hanging' (" in capsys.readouterr().err

    def test_ctrl_c_ends_a_command_that_hangs_in_a_plugin(self, workspace: Path) -> None:
        import signal

        install(workspace / "site", "hanging", "import time\nprint('hanging', flush=True)\ntime.sleep(60)")
        command = [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, 'site'); from agentkit.cli import main; main()",
        ]
        with subprocess.Popen(
            [*command, "tools"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "hanging\n"
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "agentkit: interrupted while loading plugin 'hanging'" in err
        assert "Traceback" not in err


def test_no_plugin_can_take_the_name_of_a_built_in_command() -> None:
    assert set(COMMANDS) == plugins_module.COMMANDS
