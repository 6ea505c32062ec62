"""What the README shows works: its commands are run in its order, on files of the names that it uses."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
AGENTKIT = Path(sys.executable).with_name("agentkit")
SECONDS = 300


def section(heading: str) -> str:
    """The text below a heading, up to the next one."""
    return README.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def python_in(text: str) -> str:
    """The one block of Python."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return str(block)


def run(command: list[str]) -> str:
    """Its output, with somebody at the terminal who types /exit; a command that fails is a failure of the README."""
    person, terminal = pty.openpty()
    try:
        os.write(person, b"/exit\n")
        ended = subprocess.run(command, check=False, stdin=terminal, capture_output=True, text=True, timeout=SECONDS)
    finally:
        os.close(person)
        os.close(terminal)
    assert ended.returncode == 0, f"{shlex.join(command)}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.mark.usefixtures("customers")
def test_five_minutes(workspace: Path) -> None:
    (workspace / "notes").mkdir()
    (workspace / "notes" / "refunds.md").write_text("# Refunds\n\nRefunds take five working days.\n", encoding="utf-8")
    text = section("Five minutes")
    commands = [shlex.split(line) for line in re.findall(r"^    (agentkit .*)$", text, re.MULTILINE)]
    assert len(commands) > 10
    printed = {shlex.join(c): run([str(AGENTKIT), *c[1:]]) for c in commands}
    assert "visits" in printed["agentkit chat 'What is in churn.csv?'"]
    assert "COUNT(" in printed["agentkit sql 'How many customers have churned?' --show-sql"]
    assert "refunds.md" in printed["agentkit rag ask 'How long do refunds take?'"]
    assert len(pd.read_csv(workspace / "predictions.csv")) == 60
    assert "model:churn/1" in printed["agentkit tool list_models"]
    assert "What is in churn.csv?" in printed["agentkit threads list"]
    out = run([sys.executable, "-c", python_in(text)])
    assert re.match(r"model:churn/\d+ roc_auc 0\.\d+\n", out)


def test_a_plugin_in_ten_lines(workspace: Path) -> None:
    text = section("A plugin in ten lines")
    source = python_in(text)
    assert len([line for line in source.splitlines() if line]) <= 10
    (workspace / "shapes.py").write_text(source, encoding="utf-8")
    (workspace / "agentkit.toml").write_text('[plugins]\npaths = ["shapes.py"]\n', encoding="utf-8")
    run([str(AGENTKIT), "trust", "--yes"])
    (command,) = re.findall(r"`agentkit (tool area [^`]*)`", text)
    assert "6 square metres" in run([str(AGENTKIT), *shlex.split(command)])
