"""`agentkit new`: what it writes is a plugin that installs, works, and passes its own tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentkit.testing import check_plugin

Cli = Callable[..., Any]
PIP = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]


def run(*command: str, folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """A Python command that sees what was installed into `site`."""
    paths = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def test_the_new_plugin_conforms(cli: Cli, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cli("new", "--plugin", "fresh-bread")
    assert (made.code, made.out) == (0, "agentkit-fresh-bread\n")
    assert "pip install -e ." in made.err
    monkeypatch.syspath_prepend(workspace / "agentkit-fresh-bread")
    (workspace / "notes.txt").write_text("one two\n")
    plugins = check_plugin("agentkit_fresh_bread", calls={"fresh_bread_count": {"file": "notes.txt"}})
    assert list(plugins.tools) == ["fresh_bread_count"]


def test_it_installs_and_its_own_tests_pass(cli: Cli, workspace: Path) -> None:
    assert cli("new", "--plugin", "weather", "--folder", "mine").code == 0
    folder, site = workspace / "mine", workspace / "site"
    assert (
        run("-m", "pip", "install", *PIP, "--target", str(site), str(folder), folder=workspace, site=site).stderr == ""
    )
    tested = run("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=folder, site=site)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    (workspace / "notes.txt").write_text("sun\nrain sun\n")
    command = ["-c", "from agentkit.cli import main; main()", "tool", "weather_count", "--file", "notes.txt", "--json"]
    counted = run(*command, folder=workspace, site=site)
    assert json.loads(counted.stdout) == {"notes": [], "lines": 2, "words": 3}


@pytest.mark.parametrize("name", ["Weather", "1st", "a b", "", "x" * 41, "we/ather"])
def test_a_name_that_cannot_be_used_is_refused(cli: Cli, workspace: Path, name: str) -> None:
    made = cli("new", "--plugin", name)
    assert made.code == 2
    assert "cannot be a plugin's name" in made.err
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize("name", ["ml", "local"])
def test_a_name_that_is_taken_is_refused(cli: Cli, name: str) -> None:
    made = cli("new", "--plugin", name)
    assert (made.code, made.out) == (2, "")
    assert f"there is a plugin {name!r} already" in made.err


def test_a_folder_with_files_is_left_alone(cli: Cli, workspace: Path) -> None:
    (workspace / "agentkit-weather").mkdir()
    (workspace / "agentkit-weather" / "README.md").write_text("mine")
    made = cli("new", "--plugin", "weather")
    assert made.code == 2
    assert "is not empty" in made.err
    assert (workspace / "agentkit-weather" / "README.md").read_text() == "mine"


def test_without_a_name_it_says_what_is_missing(cli: Cli) -> None:
    made = cli("new")
    assert made.code == 2
    assert "--plugin" in made.err
