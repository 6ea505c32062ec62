"""`agentkit drift check|profile|report`: exit codes, outputs, errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Outcome
from tests.plugins.drift_models import loan_model, loans

Cli = Callable[..., Outcome]


@pytest.fixture
def months(workspace: Path) -> None:
    """may.csv, more_may.csv of the same distribution, and june.csv, in which incomes have grown."""
    loans(2_000, 1).to_csv("may.csv", index=False)
    loans(2_000, 2).to_csv("more_may.csv", index=False)
    loans(2_000, 3, income=12).to_csv("june.csv", index=False)


@pytest.mark.usefixtures("months")
class TestExitCodes:
    def test_no_drift_is_0_and_drift_is_3(self, cli: Cli) -> None:
        assert cli("drift", "check", "may.csv", "more_may.csv").code == 0
        found = cli("drift", "check", "may.csv", "june.csv")
        assert found.code == 3
        assert "income" in found.out
        assert "Next:" in found.out

    def test_the_verdict_that_fails_can_be_chosen(self, cli: Cli) -> None:
        assert cli("drift", "check", "may.csv", "june.csv", "--fail-on", "never").code == 0
        assert cli("drift", "check", "may.csv", "june.csv", "--fail-on", "watch").code == 3

    @pytest.mark.parametrize(
        ("args", "told"),
        [
            (("may.csv", "juni.csv"), "'june.csv'"),
            (("may.csv", "june.csv", "--columns", "incom"), "incom"),
            (("may.csv", "june.csv", "--html", "drift.txt"), "must end in .html"),
            (("may.csv", "june.csv", "--html", "nowhere/drift.html"), "there is no folder 'nowhere'"),
            (("may.csv", "june.csv", "--html", "mine.html"), "is no report of agentkit"),
            (("may.csv", "june.csv", "--predictions"), "of a model only"),
            (("may.csv", "june.csv", "--json", "--prometheus", "-"), "choose one"),
            (("model:no_such_model", "june.csv"), "there is no model"),
        ],
    )
    def test_bad_input_is_2_with_one_sentence_before_any_work(self, cli: Cli, args: tuple[str, ...], told: str) -> None:
        Path("mine.html").write_text("<p>mine</p>")
        found = cli("drift", "check", *args)
        assert found.code == 2
        assert told in found.err
        assert "Traceback" not in found.err
        assert found.out == ""
        assert Path("mine.html").read_text() == "<p>mine</p>"


@pytest.mark.usefixtures("months")
class TestOutputs:
    def test_json_alone_is_on_stdout(self, cli: Cli) -> None:
        found = cli("drift", "check", "may.csv", "june.csv", "--json")
        printed = json.loads(found.out)
        assert printed["verdict"] == "drift"
        assert printed["drift"]["columns"]["income"]["drifted"] is True
        assert printed["predictions"] is None

    def test_metrics_are_printed_or_written(self, cli: Cli) -> None:
        printed = cli("drift", "check", "may.csv", "june.csv", "--prometheus", "-")
        assert printed.out.startswith("# HELP agentkit_drift_verdict ")
        assert 'agentkit_drift_column_drifted{column="income"} 1.0' in printed.out
        cli("drift", "check", "may.csv", "june.csv", "--prometheus", "drift.prom")
        assert 'column="income"' in Path("drift.prom").read_text()

    def test_files_are_written_and_named(self, cli: Cli) -> None:
        args = ("drift", "check", "may.csv", "june.csv", "--html", "drift.html", "--figure", "drift.png")
        found = cli(*args)
        assert "file: drift.html" in found.out
        assert Path("drift.html").read_text().startswith("<!doctype html>")
        assert Path("drift.png").read_bytes().startswith(b"\x89PNG")
        assert cli(*args).code == 3, "a report may be replaced"

    def test_some_columns_only(self, cli: Cli) -> None:
        found = cli("drift", "check", "may.csv", "june.csv", "--columns", "debt,region", "--json")
        assert found.code == 0
        assert set(json.loads(found.out)["drift"]["columns"]) == {"debt", "region"}

    def test_progress_is_on_stderr(self, cli: Cli, tool: Any) -> None:
        model = loan_model(tool)
        found = cli("drift", "check", model, "june.csv", "--json")
        assert "predicts for june.csv" in found.err
        printed = json.loads(found.out)
        assert printed["predictions"]["model"] == model
        assert printed["predictions"]["metrics"]["roc_auc"]["value"] > 0.8


@pytest.mark.usefixtures("months")
class TestModels:
    def test_a_model_as_reference_checks_its_answers_too(self, cli: Cli, tool: Any) -> None:
        model = loan_model(tool)
        found = cli("drift", "check", model, "june.csv")
        assert found.code == 3
        assert f"what {model} says of june.csv" in found.out
        without = cli("drift", "check", model, "june.csv", "--no-predictions", "--json")
        assert json.loads(without.out)["predictions"] is None

    def test_a_query_is_asked_once_for_columns_and_answers(
        self, cli: Cli, tool: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import agentkit.calls

        model, asked = loan_model(tool), []
        original = agentkit.calls.open_query
        monkeypatch.setattr(
            agentkit.calls, "open_query", lambda name, *rest: (asked.append(name), original(name, *rest))[1]
        )
        query = "sql:SELECT * FROM june WHERE region = 'north'"
        found = json.loads(cli("drift", "check", model, query, "--json").out)
        assert found["drift"]["current"] == found["predictions"]["dataset"] == query
        assert found["drift"]["rows_current"] == found["predictions"]["rows"]
        assert [a for a in asked if a.startswith("sql:")] == [query]

    def test_the_model_can_be_named_beside_the_reference(self, cli: Cli, tool: Any) -> None:
        model = loan_model(tool)
        found = cli("drift", "check", "may.csv", "more_may.csv", "--model", model, "--json")
        assert json.loads(found.out)["predictions"]["model"] == model

    def test_a_column_that_the_model_lacks_is_drift_and_a_note(self, cli: Cli, tool: Any) -> None:
        model = loan_model(tool)
        loans(500, 4).drop(columns="debt").to_csv("less.csv", index=False)
        found = cli("drift", "check", model, "less.csv", "--json")
        printed = json.loads(found.out)
        assert "debt" in printed["drift"]["missing_columns"]
        assert any("Predictions could not be checked" in n for n in printed["drift"]["notes"])
        assert cli("drift", "check", model, "less.csv", "--predictions").code == 2


@pytest.mark.usefixtures("months")
class TestReport:
    def test_a_saved_result_becomes_a_report(self, cli: Cli) -> None:
        Path("result.json").write_text(cli("drift", "check", "may.csv", "june.csv", "--json").out)
        found = cli("drift", "report", "result.json", "again.html", "--figure", "again.png")
        assert (found.code, found.out) == (0, "file: again.html\n")
        assert "income" in Path("again.html").read_text()
        assert Path("again.png").is_file()

    @pytest.mark.parametrize("text", ["no json", "{}", "[1]", '{"drift": {}, "predictions": null}'])
    def test_other_files_are_refused(self, cli: Cli, text: str) -> None:
        Path("other.json").write_text(text)
        found = cli("drift", "report", "other.json", "drift.html")
        assert found.code == 2
        assert "agentkit drift check --json" in found.err

    def test_a_watch_that_is_not_there(self, cli: Cli) -> None:
        found = cli("drift", "report", "no-such-watch", "drift.html")
        assert found.code == 2
        assert "'no-such-watch'" in found.err


@pytest.mark.usefixtures("months")
class TestProfile:
    def test_a_profile_is_a_reference(self, cli: Cli) -> None:
        made = cli("drift", "profile", "may.csv", "--output", "may.profile.parquet")
        assert made.out == "may.profile.parquet: 2,000 rows, 4 columns.\n"
        assert cli("drift", "check", "may.profile.parquet", "more_may.csv").code == 0
        assert cli("drift", "check", "may.profile.parquet", "june.csv").code == 3

    def test_several_become_one(self, cli: Cli) -> None:
        cli("drift", "profile", "may.csv", "--output", "a.parquet")
        made = cli("drift", "profile", "a.parquet", "more_may.csv", "--output", "both.parquet")
        assert made.out == "both.parquet: 4,000 rows, 4 columns.\n"
        assert cli("drift", "check", "both.parquet", "june.csv").code == 3

    def test_the_ending_is_checked(self, cli: Cli) -> None:
        assert "must end in .parquet" in cli("drift", "profile", "may.csv", "--output", "may.json").err


def test_every_command_has_help_with_examples(cli: Cli) -> None:
    assert "agentkit drift watch" in cli("drift", "--help").out
    for name in ("check", "profile", "watch", "history", "report"):
        assert f"agentkit drift {name}" in cli("drift", name, "--help").out
