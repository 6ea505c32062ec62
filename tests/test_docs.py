"""The examples of the documentation run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from agentkit import Agent, load_settings
from agentkit.plugins import Plugins
from agentkit.prompts import read_prompt
from agentkit.specs import resolve
from agentkit.testing import ScriptedChatModel
from agentkit.toolbox import Toolbox

DOCS = Path(__file__).parent.parent / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


EXAMPLES = {
    block.partition("\n")[0].removeprefix("# ").removesuffix(".py"): block for block in blocks("plugins.md", "python")
}
PLUGINS = sorted(name for name in EXAMPLES if not name.startswith("test_"))


@pytest.fixture
def written(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every example as a file, importable."""
    folder = workspace / "examples"
    folder.mkdir()
    for name, source in EXAMPLES.items():
        assert re.fullmatch(r"\w+", name), f"{name!r}: an example of docs/plugins.md begins with `# FILE.py`"
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.mark.parametrize("name", PLUGINS)
def test_each_plugin_of_docs_plugins_loads_and_all_it_gives_can_be_used(
    written: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(plugins={"enabled": [], "paths": [f"examples/{name}.py"]}, strict_plugins=True)
    plugins = Plugins(settings)
    tools = list(Toolbox(plugins))
    assert [t.name for t in tools] == list(plugins.tools)
    models = [resolve(g.spec.target)("", settings) for g in plugins.models.values()]
    middleware = [resolve(g.spec.target)(settings) for g in plugins.middleware.values()]
    commands = [resolve(g.spec) for g in plugins.commands.values()]
    assert all(isinstance(c, click.Command) for c in commands)
    databases = [resolve(g.spec.target) for g in plugins.databases.values()]
    hooks = [h for h in ("review_tool_call", "on_event") if f"def {h}(" in EXAMPLES[name]]
    embeddings = [resolve(g.spec.target)("", settings).embed_query("oak") for g in plugins.embeddings.values()]
    stores = [resolve(g.spec.target) for g in plugins.vector_stores.values()]
    assert tools or models or embeddings or stores or databases or middleware or commands or plugins.prompts or hooks
    monkeypatch.delitem(sys.modules, f"agentkit_plugin_{name}")


def test_the_plugins_of_the_docs_work_together_in_one_run(
    written: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib

    from agentkit.testing import call

    loaded = [importlib.import_module(name) for name in PLUGINS]
    (workspace / "churn.csv").write_text("churned\nno\nyes\n")
    steps = [
        call("archive_file", "c1", name="churn.csv"),
        call("predict", "c2", model="model:m/1", dataset="churn.csv", output="elsewhere.csv"),
        "done",
    ]
    with Agent(ScriptedChatModel(script=steps), plugins=loaded) as agent:
        reply = agent.ask("compress it", yes=True)
    assert [(c.name, c.status) for c in reply.tool_calls] == [("archive_file", "success"), ("predict", "error")]
    assert "predictions are written to out/ only" in reply.tool_calls[1].result
    assert (workspace / "churn.csv.gz").is_file()
    assert '"tool": "archive_file"' in (workspace / "journal.jsonl").read_text()
    assert capsys.readouterr().err.count("agentkit: the model took ") == 3
    for name in PLUGINS:
        monkeypatch.delitem(sys.modules, name)


def test_the_tests_of_docs_plugins_pass(written: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(written), "-c", os.devnull]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(written)],
        cwd=written,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout


def test_the_prompt_of_docs_prompts_renders_and_runs(workspace: Path) -> None:
    (text,) = blocks("prompts.md", "markdown")
    folder = workspace / "prompts"
    folder.mkdir()
    file = folder / "review-data.prompt.md"
    file.write_text(text, encoding="utf-8")
    system, user = read_prompt(file).render(dataset="churn.csv", target="churned")
    assert "Name at most 3 problems" in system.text
    assert "Advice: ask for the source; impute only below 20%" in system.text
    assert user.text == "Look at churn.csv as training data for churned."
    assert read_prompt(file).text("user", dataset="churn.csv") == "Look at churn.csv."
    model = ScriptedChatModel(script=["looks fine"])
    with Agent(model) as agent:
        assert agent.run("review-data", {"dataset": "churn.csv"}).text == "looks fine"
    assert [t.name for t in model.tools] == ["profile_data"]
    assert model.seen[0][0].text == system.text


@pytest.mark.slow
def test_the_examples_of_docs_python_run_in_their_order(customers: None) -> None:
    source = "\n".join(blocks("python.md", "python"))
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False, timeout=280)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "calls evaluate" in ended.stdout
    assert (Path.cwd() / "out.csv").is_file()


def test_docs_python_names_what_an_agent_can_do() -> None:
    text = (DOCS / "python.md").read_text(encoding="utf-8")
    public = [name for name in vars(Agent) if not name.startswith("_")]
    assert [name for name in public if name not in text] == []
