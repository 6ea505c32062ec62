"""`agentkit.toml` and the environment: what wins, what is an error, and what waits for a person's trust."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentkit.errors import SettingsError
from agentkit.settings import FILE_NAME, Settings, load_settings
from agentkit.trust import is_trusted, trust


def write(folder: Path, text: str) -> Path:
    file = folder / FILE_NAME
    file.write_text(text, encoding="utf-8")
    return file


class MLSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    budget_seconds: float = 60.0
    metrics: tuple[str, ...] = ()


def test_without_a_file_the_defaults_hold(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKIT_HOME")
    settings = load_settings()
    assert settings == Settings(folder=workspace, home=workspace / ".agentkit")
    assert settings.root == workspace


def test_an_argument_beats_the_environment_which_beats_the_file(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workspace, 'model = "anthropic:from-file"')
    assert load_settings().model == "anthropic:from-file"
    monkeypatch.setenv("AGENTKIT_MODEL", "openai:from-environment")
    assert load_settings().model == "openai:from-environment"
    assert load_settings(model="local").model == "local"
    assert load_settings(model=None).model == "openai:from-environment"


@pytest.mark.parametrize(
    ("variable", "field"),
    [("AGENTKIT_MODEL", "model"), ("AGENTKIT_DATABASE_URL", "database_url"), ("AGENTKIT_HOME", "home")],
)
def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch, variable: str, field: str) -> None:
    monkeypatch.delenv("AGENTKIT_HOME", raising=False)
    unset = load_settings()
    monkeypatch.setenv(variable, "")
    assert getattr(load_settings(), field) == getattr(unset, field)


def test_the_home_may_start_with_a_tilde(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(workspace))
    monkeypatch.setenv("AGENTKIT_HOME", "~/agents")
    assert load_settings().home == workspace / "agents"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('modle = "local"', ["'modle' is not a setting", "'model'"]),
        ("[plugin]\nenabled = []", ["'plugin' is not a setting", "'plugins'"]),
        ("[limit]\nmodel_calls = 3", ["'limit' is not a setting", "'limits'"]),
        ('[plugins]\nenabld = ["ml"]', ["enabld"]),
        ('home = "elsewhere"', ["'home' is not a setting"]),
        ("colour = 3", ["'colour' is not a setting"]),
    ],
)
def test_a_misspelt_setting_is_named(workspace: Path, text: str, named: list[str]) -> None:
    write(workspace, text)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    for part in [FILE_NAME, *named]:
        assert part in str(raised.value)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("model = 5", "$.model"),
        ("fallbacks = 5", "$.fallbacks"),
        ('fallbacks = "local"', "$.fallbacks"),
        ('approvals = "allow"', "$.approvals"),
        ('approvals = {train = "perhaps"}', "$.approvals"),
        ('[plugins]\nenabled = "ml"', "$.plugins.enabled"),
        ("plugins = 3", "$.plugins"),
        ('[limits]\nmodel_calls = "many"', "$.limits.model_calls"),
        ('[traces]\nhide_inputs = "yes"', "$.traces.hide_inputs"),
    ],
)
def test_a_value_of_the_wrong_type_is_an_error_that_says_where(workspace: Path, text: str, where: str) -> None:
    write(workspace, text)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value).startswith(FILE_NAME)
    assert where in str(raised.value)


def test_a_misspelt_argument_of_load_settings_is_named() -> None:
    with pytest.raises(SettingsError, match=r"'modle' is not a setting\. The nearest name is 'model'"):
        load_settings(modle="local")


@pytest.mark.parametrize("content", [b"model = ", b"model = '\xff'", None])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(workspace: Path, content: bytes | None) -> None:
    file = workspace / FILE_NAME
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(file) in str(raised.value)


def test_bad_settings_end_a_command_with_code_2_and_one_sentence(workspace: Path, cli: Callable[..., Any]) -> None:
    write(workspace, 'modle = "local"')
    code, out, err = cli("tools")
    assert code == 2
    assert out == ""
    assert err == "agentkit: agentkit.toml: 'modle' is not a setting. The nearest name is 'model'.\n"


class TestPluginSections:
    def test_a_plugin_reads_its_own_table_validated(self, workspace: Path) -> None:
        write(workspace, '[ml]\nbudget_seconds = 5\nmetrics = ["f1", "recall"]')
        assert load_settings().section("ml", MLSettings) == MLSettings(5.0, ("f1", "recall"))

    def test_a_table_that_is_not_there_gives_the_defaults(self, workspace: Path) -> None:
        assert load_settings().section("ml", MLSettings) == MLSettings()

    @pytest.mark.parametrize(("text", "named"), [('budget_seconds = "5 s"', "budget_seconds"), ("budgt = 5", "budgt")])
    def test_what_does_not_fit_names_the_table_and_the_key(self, workspace: Path, text: str, named: str) -> None:
        write(workspace, f"[ml]\n{text}")
        with pytest.raises(SettingsError) as raised:
            load_settings().section("ml", MLSettings)
        assert "[ml]" in str(raised.value)
        assert named in str(raised.value)


RISKY = {
    "plugins.paths": '[plugins]\npaths = ["mine.py"]',
    "workspace.root": '[workspace]\nroot = ".."',
    "workspace.allow": '[workspace]\nallow = ["/srv/data"]',
    "model": 'model = "http://elsewhere.example/v1#m"',
    "fallbacks": 'fallbacks = ["local", "https://elsewhere.example/v1#m"]',
    "approvals": '[approvals]\npredict = "allow"',
    "databases.far": '[databases]\nfar = "sqlite:////srv/data/x.db"',
    "databases.up": '[databases.up]\nurl = "duckdb:///../x.duckdb"',
    "databases.key": '[databases]\nkey = "postgresql://${OPENAI_API_KEY}@elsewhere.example/x"',
}


class TestTrust:
    @pytest.mark.parametrize("key", RISKY)
    def test_what_runs_code_or_opens_doors_waits_for_trust(self, workspace: Path, key: str) -> None:
        file = write(workspace, RISKY[key])
        before = load_settings()
        assert before.untrusted == (key,)
        assert before == Settings(folder=before.folder, home=before.home, untrusted=(key,))
        trust(file, file.read_bytes())
        after = load_settings()
        assert after.untrusted == ()
        assert after != Settings(folder=before.folder, home=before.home)

    def test_what_is_harmless_needs_no_trust(self, workspace: Path) -> None:
        write(
            workspace,
            'model = "local"\nfallbacks = ["openai:gpt-5.5"]\n'
            '[plugins]\ndisabled = ["ml"]\n[approvals]\ntrain = "ask"\n[limits]\nmodel_calls = 3\n',
        )
        settings = load_settings()
        assert settings.untrusted == ()
        assert settings.limits.model_calls == 3
        assert settings.approvals == {"train": "ask"}

    def test_the_rest_of_an_untrusted_file_holds(self, workspace: Path) -> None:
        write(workspace, 'model = "local"\n[plugins]\npaths = ["mine.py"]\ndisabled = ["ml"]\n')
        settings = load_settings()
        assert settings.plugins.paths == ()
        assert settings.plugins.disabled == ("ml",)
        assert settings.model == "local"

    def test_a_changed_file_must_be_trusted_again(self, workspace: Path) -> None:
        file = write(workspace, RISKY["plugins.paths"])
        trust(file, file.read_bytes())
        assert is_trusted(file, file.read_bytes())
        write(workspace, RISKY["plugins.paths"].replace("mine", "other"))
        assert load_settings().untrusted == ("plugins.paths",)
        write(workspace, RISKY["plugins.paths"])
        assert load_settings().plugins.paths == ("mine.py",)

    def test_a_copy_in_another_folder_is_not_trusted(self, workspace: Path) -> None:
        file = write(workspace, RISKY["model"])
        trust(file, file.read_bytes())
        other = workspace / "clone"
        other.mkdir()
        write(other, RISKY["model"])
        assert load_settings(other).untrusted == ("model",)

    @pytest.mark.parametrize("content", ["[1]", "{", "null", '"text"', "\0"])
    def test_a_damaged_list_of_trusted_files_trusts_nothing(self, workspace: Path, content: str) -> None:
        file = write(workspace, RISKY["model"])
        trust(file, file.read_bytes())
        (Path(os.environ["XDG_CONFIG_HOME"]) / "agentkit" / "trusted.json").write_text(content, encoding="utf-8")
        assert not is_trusted(file, file.read_bytes())
        trust(file, file.read_bytes())
        assert is_trusted(file, file.read_bytes())

    def test_a_command_says_what_is_ignored_and_how_to_allow_it(self, workspace: Path, cli: Callable[..., Any]) -> None:
        write(workspace, RISKY["workspace.allow"])
        code, _, err = cli("tools")
        assert code == 0
        assert err == "agentkit: agentkit.toml: workspace.allow ignored until you run `agentkit trust`\n"

    def test_agentkit_trust_shows_the_file_and_remembers_it(self, workspace: Path, cli: Callable[..., Any]) -> None:
        write(workspace, RISKY["workspace.allow"])
        code, _, err = cli("trust", "--yes")
        assert code == 0
        assert '"/srv/data"' in err
        assert load_settings().workspace.allow == ("/srv/data",)
        code, _, err = cli("trust")
        assert code == 0
        assert "trusted already" in err

    def test_agentkit_trust_without_a_file_is_bad_input(self, workspace: Path, cli: Callable[..., Any]) -> None:
        code, _, err = cli("trust", "--yes")
        assert code == 2
        assert FILE_NAME in err
