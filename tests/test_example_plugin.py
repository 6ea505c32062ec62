"""The plugin in examples/plugin, installed the way its users install it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "plugin"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed by pip into a folder of its own, from a copy: a build leaves files behind."""
    import shutil

    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(EXAMPLE, source)
    target = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target


@pytest.fixture
def agentkit(site: Path) -> Run:
    """Run `agentkit ARGS` in a process that sees the installed plugin."""

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from agentkit.cli import main; main()", *args]
        return subprocess.run(command, env=environment(site), capture_output=True, text=True, timeout=120, check=False)

    return run


def environment(site: Path) -> dict[str, str]:
    """This process's environment, with the installed plugin on the path."""
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def test_it_is_loaded_and_its_tool_is_listed(agentkit: Run) -> None:
    plugins = {p["name"]: p for p in json.loads(agentkit("plugins", "--json").stdout)}
    assert (plugins["units"]["status"], plugins["units"]["version"]) == ("OK", "0.1.0")
    tools = {t["name"]: t for t in json.loads(agentkit("tools", "--json").stdout)}
    assert tools["convert_units"]["plugin"] == "units"
    assert list(tools["convert_units"]["schema"]["properties"]) == ["value", "unit", "to"]


def test_its_tool_can_be_called(agentkit: Run) -> None:
    called = agentkit("tool", "convert_units", "--value", "26.2", "--unit", "mi", "--to", "km", "--json")
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout)["value"] == pytest.approx(42.165, abs=1e-3)


def test_its_errors_end_with_code_2_and_the_remedy(agentkit: Run) -> None:
    called = agentkit("tool", "convert_units", "--value", "1", "--unit", "kgg", "--to", "g")
    assert called.returncode == 2
    assert called.stdout == ""
    assert "there is no unit 'kgg'" in called.stderr
    assert "The nearest name is 'kg'." in called.stderr


def test_its_command_works(agentkit: Run) -> None:
    assert "units" in agentkit("--help").stdout
    assert agentkit("units", "--kind", "time").stdout == "time: s, min, h\n"
    assert agentkit("units", "--kind", "taste").returncode == 2


def test_its_prompt_is_listed(agentkit: Run) -> None:
    prompts = {p["name"]: p for p in json.loads(agentkit("prompts", "list", "--json").stdout)}
    assert prompts["to-si"]["description"] == "Convert every quantity of a text to SI units"


def test_its_own_tests_pass(site: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(EXAMPLE / "pyproject.toml")]
    ended = subprocess.run(
        [*command, str(EXAMPLE / "tests")], env=environment(site), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
