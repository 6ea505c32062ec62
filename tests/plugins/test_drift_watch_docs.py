"""docs/drift-watch.md is true: its data are made, its watches are read, and every command of its sessions is run."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from agentkit_drift.reports import prometheus
from agentkit_drift.watching.config import Command, WatchFile, Webhook, load_watch

from tests.conftest import Outcome

PAGE = Path(__file__).parent.parent.parent / "docs" / "drift-watch.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def sessions() -> list[tuple[str, list[str]]]:
    """Commands, each with the lines that the page shows for it."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        elif line:
            found[-1][1].append(line)
    return found


def without_numbers(text: str) -> str:
    """What must be the same on every machine: the last digits of a model's figures are not."""
    return re.sub(r"[\d.,]*\d", "#", re.sub(r"(no clear change|better|worse)", "changed", text))


def test_every_command_of_the_sessions_prints_what_the_page_shows(workspace: Path, cli: Callable[..., Outcome]) -> None:
    exec(blocks("python")[0], {})
    for block in blocks("toml"):
        (workspace / block.partition("\n")[0].removeprefix("# ")).write_text(block)
    codes = {"3": 0, "0": 0}
    for line, shown in sessions():
        words = shlex.split(line)
        if words[0] == "cp":
            shutil.copyfile(words[1], words[2])
            continue
        if words[1:3] == ["drift", "watch"] and "--once" not in words:
            printed = first_line_of(words[1:])
        else:
            ended = cli(*words[1:])
            assert ended.code in (0, 3), (line, ended.err)
            codes[str(ended.code)] += 1
            printed = ended.out
        lines = [without_numbers(p) for p in printed.splitlines()]
        missing = [s for s in shown if without_numbers(s) not in lines]
        assert missing == [], (line, printed)
    assert codes["3"] >= 1
    for name in ("july.html", "july.png", "loans.html", "loans.prom", "history.png", "last.html"):
        assert (workspace / name).stat().st_size > 1_000, name


def first_line_of(words: list[str]) -> str:
    """The first line that a watch prints, which Ctrl-C then ends."""
    program = "from agentkit.cli import main\nmain()"
    child = subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout is not None
    line = child.stdout.readline()
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    return line


def test_the_watches_of_the_page_can_be_read(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block in blocks("toml"):
        path = workspace / block.partition("\n")[0].removeprefix("# ")
        path.write_text(block)
        assert load_watch(path).name == path.stem


def test_the_page_tells_every_key_and_every_metric() -> None:
    for key in (*WatchFile.__struct_fields__, *Webhook.__struct_fields__, *Command.__struct_fields__):
        assert f"`{key}`" in TEXT or f"`[{key}]`" in TEXT, key
    source = Path(prometheus.__file__).read_text(encoding="utf-8")
    names = re.findall(r'yield "(\w+)"', source) + [f"column_{n}" for n in prometheus._COLUMN]
    assert len(names) > 20
    assert [n for n in names if f"`{n}`" not in TEXT] == []
