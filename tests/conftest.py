"""Every test runs in a workspace of its own, with no keys, its own user configuration and one shared database."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

# before a test imports scikit-learn: threads that spin make small fits many times slower
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
_VARIABLES = (
    "OPENAI_",
    "ANTHROPIC_",
    "LANGSMITH_",
    "LANGCHAIN_",
    "AGENTKIT_MODEL",
    "AGENTKIT_HOME",
    "AGENTKIT_DATABASE_URL",
    "AGENTKIT_STRICT_PLUGINS",
)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agentkit home that tests share: one embedded Postgres for the whole session."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session", autouse=True)
def _shared_server(home: Path) -> Iterator[None]:
    """Keep the shared server running between tests: otherwise each test would start and stop it."""
    from agentkit.settings import load_settings
    from agentkit.storage import Storage

    with Storage(load_settings(home, home=str(home))) as storage:
        _ = storage.url
        yield


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """An empty current folder, and an environment without keys."""
    for name in list(os.environ):
        if name.startswith(_VARIABLES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGENTKIT_HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path.parent / f"{tmp_path.name}-config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def customers(workspace: Path) -> None:
    """churn.csv and the files of later months, in a workspace where training is short."""
    import numpy as np
    import pandas as pd

    (workspace / "agentkit.toml").write_text("[ml]\nbudget_seconds = 5\n")
    random = np.random.default_rng(5)
    for name, rows in (("churn.csv", 300), ("may.csv", 80), ("june.csv", 60)):
        visits, age = random.integers(0, 30, rows), random.integers(18, 80, rows)
        churned = np.where(visits + random.normal(0, 5, rows) < 10, "yes", "no")
        frame = pd.DataFrame(
            {"visits": visits, "age": age, "plan": random.choice(["a", "b"], rows), "churned": churned}
        )
        (frame.drop(columns="churned") if name == "june.csv" else frame).to_csv(workspace / name, index=False)


class Outcome(NamedTuple):
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `agentkit ARGS` in this process."""
    from agentkit.cli import common, main

    def run(*args: str) -> Outcome:
        common.settings.cache_clear()
        common.plugins.cache_clear()
        monkeypatch.setattr(sys, "argv", ["agentkit", *args])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, printed.out, printed.err)

    return run
