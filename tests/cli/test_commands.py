"""The commands that look at things: models, plugins, prompts, doctor, trust; and `run`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Outcome

Cli = Callable[..., Outcome]


def test_models_list_tells_what_is_ready_and_what_is_chosen(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-not-a-real-key")
    listed = json.loads(cli("models", "list", "--json").out)
    states = {m["name"]: m["state"] for m in listed["models"]}
    assert listed["chosen"] == "anthropic"
    assert states["openai"] == "set OPENAI_API_KEY"
    assert states["anthropic"] == "ANTHROPIC_API_KEY is set"
    plain = cli("models", "list")
    assert "not-a-real-key" not in plain.out + plain.err
    assert "chosen: anthropic" in plain.err


def test_models_check_reads_the_file_through(cli: Cli) -> None:
    done = cli("models", "check")
    assert done.code == 0
    assert "matches SHA-256" in done.out


def test_models_check_of_a_missing_file_says_how_to_get_it(
    cli: Cli, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTKIT_CACHE", str(workspace / "cache"))
    done = cli("models", "check")
    assert done.code == 1
    assert "`agentkit models pull" in done.err
    assert cli("models", "check", "nonesuch").code == 2


class TestWithoutTheEmbeddedModel:
    @pytest.fixture(autouse=True)
    def _empty_cache(self, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AGENTKIT_CACHE", str(workspace / "cache"))

    def test_a_script_is_told_the_command(self, cli: Cli) -> None:
        done = cli("chat", "Hello")
        assert done.code != 0
        assert "agentkit models pull" in done.err
        assert done.out == ""

    @pytest.mark.parametrize(("answer", "fetched"), [("y", True), ("n", False)])
    def test_a_person_is_asked(self, cli: Cli, monkeypatch: pytest.MonkeyPatch, answer: str, fetched: bool) -> None:
        asked: list[str] = []
        pulled: list[str] = []
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda text: asked.append(text) or answer)
        monkeypatch.setattr("agentkit.cli.models._fetch", lambda entry: pulled.append(entry.name))
        done = cli("chat", "Hello")
        assert "is not here yet. Fetch it?" in asked[0]
        assert bool(pulled) is fetched
        assert "agentkit models pull" in done.err  # nothing was really fetched here


def test_plugins_are_listed_with_version_and_time(cli: Cli) -> None:
    listed = json.loads(cli("plugins", "--json").out)
    ours = {p["name"]: p for p in listed}
    assert ours["ml"]["status"] == "OK"
    assert ours["ml"]["version"]
    assert " ms" in cli("plugins", "--timing").out


def test_a_broken_plugin_is_listed_with_its_cause_and_the_rest_works(cli: Cli, workspace: Path) -> None:
    (workspace / "bad.py").write_text("raise RuntimeError('out of order')\n")
    (workspace / "agentkit.toml").write_text('[plugins]\npaths = ["bad.py"]\n')
    assert cli("trust", "--yes").code == 0
    done = cli("plugins")
    assert "FAILED    bad" in done.out
    assert "out of order" in done.out
    assert "train" in cli("tools").out
    assert cli("doctor").code == 1


def test_prompts_are_listed_and_shown(cli: Cli, workspace: Path) -> None:
    folder = workspace / "prompts"
    folder.mkdir()
    (folder / "greet.prompt.md").write_text("---\ndescription: Greets\nversion: 3\n---\n# user\nHello\n")
    listed = {p["name"]: p for p in json.loads(cli("prompts", "list", "--json").out)}
    assert listed["greet"]["version"] == 3
    assert "agent" in listed
    assert "Hello" in cli("prompts", "show", "greet").out
    assert json.loads(cli("prompts", "show", "greet", "--json").out)["sections"] == [{"role": "user", "text": "Hello"}]
    assert cli("prompts", "show", "gret").code == 2


def test_doctor_checks_everything_and_says_what_is_wrong(
    cli: Cli, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = {c["check"]: c for c in json.loads(cli("doctor", "--json").out)}
    assert all(c["ok"] for c in checks.values()), checks
    assert "pgvector" in checks["postgres"]["detail"]
    monkeypatch.setenv("AGENTKIT_CACHE", str(workspace / "cache"))
    done = cli("doctor")
    assert done.code == 1
    assert "FAIL  model" in done.out
    assert "agentkit models pull" in done.out


def test_run_fills_a_prompt_file_and_prints_the_answer(cli: Cli, workspace: Path) -> None:
    (workspace / "scripted.py").write_text(
        "from agentkit import ModelSpec, hookimpl\n"
        "def model(name, settings):\n"
        "    from agentkit.testing import ScriptedChatModel\n"
        "    return ScriptedChatModel(script=['It is fine.'])\n"
        "@hookimpl\ndef register_models():\n"
        "    return [ModelSpec('scripted', f'{__name__}:model', 'for tests', remote=False)]\n"
    )
    (workspace / "agentkit.toml").write_text('model = "scripted:"\n[plugins]\npaths = ["scripted.py"]\n')
    (workspace / "ask.prompt.md").write_text(
        "---\ndescription: Asks\nversion: 1\ninputs:\n  times: {type: integer, description: How often}\n---\n"
        "# user\nIs it fine? {{ times }}\n"
    )
    assert cli("trust", "--yes").code == 0
    done = cli("run", "ask.prompt.md", "-i", "times=2")
    assert (done.code, done.out) == (0, "It is fine.\n")
    assert json.loads(cli("run", "ask.prompt.md", "-i", "times=2", "--json").out)["text"] == "It is fine."
    assert cli("run", "ask.prompt.md").code == 2
    assert cli("run", "ask.prompt.md", "-i", "times=often").code == 2
    assert cli("run", "ask.prompt.md", "-i", "times").code == 2
    assert cli("run", "none.prompt.md").code == 2


@pytest.mark.slow
def test_demo_is_a_conversation_that_trains_evaluates_and_remembers(cli: Cli, workspace: Path) -> None:
    done = cli("demo", "--folder", str(workspace / "tour"))
    assert done.code == 0, done.err
    for call in ("> profile_data(", "> train(", "> evaluate(", "> detect_drift("):
        assert call in done.err
    assert "docs/retrieval.md, characters" in done.out
    assert "The documents do not say it." in done.out
    assert "model:tumours/1" in done.out
    assert "  trace   " in done.out
    assert "agentkit traces show" in done.out


def test_help_says_what_a_plugins_command_does_without_importing_it(cli: Cli, workspace: Path) -> None:
    (workspace / "agentkit.toml").write_text('[plugins]\nenabled = ["ml"]\n')
    for name in [n for n in sys.modules if n.startswith("agentkit_ml.commands")]:
        del sys.modules[name]
    assert "ml  Promote trained models and read their cards." in cli("--help").out
    assert "agentkit_ml.commands" not in sys.modules


def test_a_command_whose_file_is_not_there_is_shown_by_its_target() -> None:
    from agentkit.cli import _summary

    assert _summary("agentkit_gone.commands:ml") == "agentkit_gone.commands:ml"
    assert _summary("agentkit.errors:suggest_nothing") == "agentkit.errors:suggest_nothing"
