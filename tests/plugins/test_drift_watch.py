"""Watches: runs on a schedule, their history in Postgres, MLflow, and what a crash leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from agentkit_drift.checks import Check
from agentkit_drift.result import ColumnDrift, DriftResult, Histogram
from agentkit_drift.watching.config import load_watch, question
from agentkit_drift.watching.history import History, RunNotFound
from agentkit_drift.watching.run import WatchBusy, Watcher, _kept

from agentkit.calls import Services
from agentkit.errors import DatasetError, SettingsError, StorageError
from agentkit.settings import load_settings
from agentkit.stored_models import StoredModels
from tests.conftest import Outcome
from tests.plugins.drift_models import loan_model, loans
from tests.plugins.drift_watches import Hook, drifted, fresh, unchanged, watcher, written

Cli = Callable[..., Outcome]


@pytest.fixture
def name(workspace: Path) -> str:
    return fresh(workspace)


class TestRuns:
    def test_a_run_is_kept_with_all_that_it_found(self, services: Services, name: str) -> None:
        drifted()
        run = watcher(services, written(name)).once()
        assert (run.watch, run.state, run.before, run.error) == (name, "drift", None, None)
        assert run.rows == 1_500
        assert "income" in run.drifted
        assert run.ended_at is not None
        assert run.ended_at > run.started_at
        result = History(services.storage).result(run)
        assert result is not None
        assert result["drift"]["columns"]["income"]["histogram"] is not None

    def test_each_run_knows_the_one_before(self, services: Services, name: str) -> None:
        at_work = watcher(services, written(name))
        first, second = at_work.once(), at_work.once()
        drifted()
        third = at_work.once()
        assert [(r.state, r.before, r.changed) for r in (first, second, third)] == [
            ("none", None, False), ("none", "none", False), ("drift", "none", True),
        ]  # fmt: skip

    def test_a_check_that_fails_is_a_run_too(self, services: Services, name: str) -> None:
        at_work = watcher(services, written(name))
        at_work.once()
        Path("now.csv").unlink()
        failed = at_work.once()
        assert (failed.state, failed.before) == ("failed", "none")
        assert "'now.csv' is not in the workspace" in (failed.error or "")
        unchanged()
        assert at_work.once().before == "failed"

    def test_results_of_old_runs_are_forgotten_their_verdicts_are_not(self, services: Services, name: str) -> None:
        at_work = watcher(services, written(name, "keep = 2"))
        runs = [at_work.once() for _ in range(4)]
        history = History(services.storage)
        assert [history.result(r) is None for r in runs] == [True, True, False, False]
        assert len(history.runs(name)) == 4

    def test_a_model_is_watched_with_its_answers(self, services: Services, name: str, tool: Any) -> None:
        run = watcher(services, written(name, reference=loan_model(tool))).once()
        result = History(services.storage).result(run)
        assert result is not None
        assert result["predictions"]["metrics"]["roc_auc"]["value"] > 0.8

    def test_files_are_written_at_each_run(self, services: Services, name: str) -> None:
        watcher(services, written(name, 'html = "drift.html"\nprometheus = "drift.prom"')).once()
        assert "<!doctype html>" in Path("drift.html").read_text()
        assert f'agentkit_drift_verdict{{watch="{name}"}} 0.0' in Path("drift.prom").read_text()

    def test_a_page_of_somebody_else_is_not_replaced(self, services: Services, name: str) -> None:
        said: list[str] = []
        Path("index.html").write_text("<p>mine</p>")
        watcher(services, written(name, 'html = "index.html"'), said).once()
        assert "is no report of agentkit" in said[0]
        assert Path("index.html").read_text() == "<p>mine</p>"

    def test_the_history_of_many_columns_stays_small(self) -> None:
        shares = Histogram(edges=[0.0, 0.5, 1.0], reference=[0.5, 0.5], current=[0.9, 0.1])
        columns = {
            f"c{i}": ColumnDrift(name=f"c{i}\x00", kind="number", drifted=i < 300, histogram=shares)
            for i in range(5_000)
        }
        drift = DriftResult(
            reference="a", current="b", method="exact", rows_reference=1, rows_current=1, verdict="drift",
            recommendation="", drifted_share=1, weighted_share=1, columns=columns,
        )  # fmt: skip
        kept = _kept(Check(drift))
        assert kept is not None
        assert len(kept["drift"]["columns"]) == 300
        assert sum(c["histogram"] is not None for c in kept["drift"]["columns"].values()) == 40
        assert "\\u0000" not in json.dumps(kept), "a character that Postgres does not take"

    def test_a_file_that_cannot_be_written_is_said_and_the_run_stays(self, services: Services, name: str) -> None:
        said: list[str] = []
        run = watcher(services, written(name, 'html = "may.csv/drift.html"'), said).once()
        assert run.state == "none"
        assert "cannot be written" in said[0]


class TestMlflow:
    def test_a_run_is_logged_with_metrics_tags_and_the_result(self, services: Services, name: str) -> None:
        drifted()
        at_work = watcher(services, written(name, f'experiment = "{name}"'))
        run = at_work.once()
        client = StoredModels(at_work.ctx).client
        logged = client.get_run(run.mlflow_run)
        assert logged.info.status == "FINISHED"
        assert logged.data.tags["agentkit.watch"] == name
        assert logged.data.tags["state"] == "drift"
        assert logged.data.metrics["verdict"] == 2
        assert logged.data.metrics["effect/income"] > 1
        assert [f.path for f in client.list_artifacts(run.mlflow_run)] == ["drift.json"]

    def test_columns_may_be_called_anything(self, services: Services, name: str) -> None:
        frame = loans(400, 5)
        frame.columns = ["..", "a/b\\ü'\"", "x" * 300, "a\x00b"]
        frame.to_parquet("may.parquet")
        frame.iloc[:, 0] += 30
        frame.iloc[:, 3] = "new"
        frame.to_parquet("now.parquet")
        path = Path(f"{name}.toml")
        path.write_text(f'reference = "may.parquet"\ncurrent = "now.parquet"\nexperiment = "{name}"\n')
        said: list[str] = []
        run = watcher(services, path, said).once()
        assert said == []
        assert run.state == "drift"
        assert run.mlflow_run is not None

    def test_an_mlflow_that_is_away_loses_nothing(
        self, services: Services, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[str] = []
        at_work = watcher(services, written(name, f'experiment = "{name}"'), said)

        def away(*_: Any) -> str:
            raise StorageError("MLflow cannot be used: away.")

        with monkeypatch.context() as patched:
            patched.setattr("agentkit_drift.watching.run.log_run", away)
            run = at_work.once()
        assert run.mlflow_run is None
        assert "the next run tries again" in said[0]
        at_work.once()
        assert [r.mlflow_run is None for r in History(services.storage).runs(name)] == [False, False]


class TestAlone:
    def test_two_never_run_at_the_same_moment(self, services: Services, name: str, workspace: Path) -> None:
        path = written(name)
        other = Services(load_settings(workspace))
        with other.storage.locks().held(f"agentkit_drift:{name}"), pytest.raises(WatchBusy, match="another process"):
            watcher(services, path).once()
        other.close()
        assert History(services.storage).runs(name) == []
        assert watcher(services, path).once().state == "none"


CHILD = """
import os, signal, sys
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
{patch}
from agentkit.cli import main
sys.argv = ["agentkit", "drift", "watch", {path!r}, "--once"]
main()
"""
BEFORE_COMMIT = """
import psycopg
execute = psycopg.Connection.execute
def dying(self, query, *args, **more):
    if isinstance(query, str) and query.startswith("update agentkit_drift.runs set result"): die()
    return execute(self, query, *args, **more)
psycopg.Connection.execute = dying
"""
AFTER_COMMIT = "import agentkit_drift.watching.run as run\nrun.Watcher._catch_up = die\n"
IN_MLFLOW = "from mlflow import MlflowClient\nMlflowClient.log_artifact = die\n"


class TestCrashes:
    def killed(self, path: Path, patch: str) -> None:
        source = CHILD.format(patch=patch, path=str(path))
        ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == -signal.SIGKILL, ended.stderr

    def test_killed_before_its_commit_a_run_never_was(self, services: Services, name: str) -> None:
        path = written(name)
        self.killed(path, BEFORE_COMMIT)
        assert History(services.storage).runs(name) == []
        assert watcher(services, path).once().before is None

    def test_killed_after_its_commit_its_word_is_told_by_the_next(self, services: Services, name: str) -> None:
        drifted()
        with Hook() as hook:
            path = written(name, f'[webhook]\nurl = "{hook.url}"')
            self.killed(path, AFTER_COMMIT)
            assert hook.got == []
            assert [r.word_owed for r in History(services.storage).runs(name)] == [True]
            watcher(services, path).once()
        assert [(g["state"], g["before"]) for g in hook.got] == [("drift", None)]

    def test_what_a_killed_process_left_in_mlflow_is_replaced(self, services: Services, name: str) -> None:
        path = written(name, f'experiment = "{name}"')
        self.killed(path, IN_MLFLOW)
        at_work = watcher(services, path)
        at_work.once()
        models = StoredModels(at_work.ctx)
        logged = models.client.search_runs([models.experiment(name)])
        assert [r.info.status for r in logged] == ["FINISHED", "FINISHED"]
        assert {r.info.run_id for r in logged} == {r.mlflow_run for r in History(services.storage).runs(name)}


class TestSchedule:
    def test_it_runs_again_and_again_until_it_is_stopped(self, services: Services, name: str) -> None:
        at_work = watcher(services, written(name, "every_minutes = 0.001"))
        seen: list[str] = []

        def ended(run: Any) -> None:
            seen.append(run.state)
            drifted()
            if len(seen) == 3:
                at_work.ctx.cancelled.set()

        at_work.go_on(ended)
        assert seen == ["none", "drift", "drift"]

    def test_a_run_that_takes_long_skips_those_that_were_due(
        self, services: Services, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at_work = watcher(services, written(name, "every_minutes = 0.005"))
        began: list[float] = []

        def slow(self: Watcher) -> None:
            began.append(time.monotonic())
            time.sleep(0.4)

        monkeypatch.setattr(Watcher, "once", slow)
        threading.Timer(1.5, at_work.ctx.cancelled.set).start()
        at_work.go_on(lambda _run: None)
        gaps = [b - a for a, b in pairwise(began)]
        assert 2 <= len(began) <= 3
        assert all(0.55 < g < 0.9 for g in gaps), "every second beat of 0.3 s"

    @pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
    def test_a_stop_ends_it_cleanly(self, services: Services, name: str, stop: signal.Signals) -> None:
        path = written(name, "every_minutes = 0.02")
        program = "from agentkit.cli import main\nmain()"
        child = subprocess.Popen(
            [sys.executable, "-c", program, "drift", "watch", str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        lines = [child.stdout.readline(), child.stdout.readline()]
        child.send_signal(stop)
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 130
        assert "Traceback" not in errors
        assert all(f"{name}: NONE" in line for line in lines)
        assert watcher(services, path).once().error is None


class TestCommands:
    def test_once_prints_one_line_or_json(self, cli: Cli, name: str) -> None:
        path = str(written(name))
        assert f"{name}: NONE" in cli("drift", "watch", path, "--once").out
        drifted()
        found = cli("drift", "watch", path, "--once", "--json", "--fail-on", "drift")
        assert found.code == 3
        printed = json.loads(found.out)
        assert (printed["state"], printed["before"], printed["changed"]) == ("drift", "none", True)

    def test_a_check_that_failed_is_exit_code_1(self, cli: Cli, name: str) -> None:
        path = written(name)
        Path("now.csv").unlink()
        found = cli("drift", "watch", str(path), "--once")
        assert found.code == 1
        assert "FAILED" in found.out

    def test_the_history_is_listed_drawn_and_reported(self, cli: Cli, name: str) -> None:
        path = str(written(name))
        cli("drift", "watch", path, "--once")
        drifted()
        cli("drift", "watch", path, "--once")
        listed = cli("drift", "history", path, "--figure", "history.png")
        assert [line.split()[4] for line in listed.out.splitlines()[1:3]] == ["drift", "none"]
        assert Path("history.png").read_bytes().startswith(b"\x89PNG")
        runs = json.loads(cli("drift", "history", name, "--json").out)
        assert len(runs) == 2
        assert name in cli("drift", "history").out
        assert cli("drift", "report", name, "last.html").code == 0
        assert "Drift: the data are no longer" in Path("last.html").read_text()
        assert cli("drift", "report", f"{name}/{runs[1]['run']}", "first.html").code == 0
        assert "No drift" in Path("first.html").read_text()

    def test_a_watch_without_runs_says_so(self, cli: Cli, name: str) -> None:
        found = cli("drift", "history", name)
        assert (found.code, found.out) == (2, "")
        assert "has no run in its history" in found.err
        assert "name it" in cli("drift", "history", "--figure", "h.png").err


class TestFile:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("every_minute = 5", "The nearest name is 'every_minutes'"),
            ("every_minutes = 0", "every_minutes"),
            ('method = "quick"', "method"),
            ("= 3", "no TOML"),
            ('name = "../x"', "cannot be the name"),
            ('[webhook]\nurl = "ftp://host/x"', "must begin with https"),
            ('[webhook]\nurl = "https://host"\nretires = 2', "retires"),
            ("[command]\nrun = []", "run"),
        ],
    )
    def test_what_is_wrong_is_named(self, workspace: Path, text: str, told: str) -> None:
        with pytest.raises(SettingsError, match=r"watch\.toml") as found:
            load_watch(written("watch", text))
        assert told in str(found.value)

    def test_a_file_that_is_not_there(self, cli: Cli) -> None:
        found = cli("drift", "watch", "nowhere.toml", "--once")
        assert found.code == 2
        assert "'nowhere.toml' cannot be read" in found.err

    def test_the_newest_file_of_a_pattern(self, workspace: Path) -> None:
        folder = workspace / "incoming"
        folder.mkdir()
        for number, day in enumerate(("b", "c", "a")):
            (folder / f"{day}.csv").write_text("x\n1\n")
            moment = 1_700_000_000 + number
            os.utime(folder / f"{day}.csv", (moment, moment))
        Path("n.toml").write_text('reference = "may.csv"\ncurrent = "incoming/*.csv"\nnewest = true\n')
        assert question(load_watch(Path("n.toml")), workspace).current == "incoming/a.csv"
        with pytest.raises(DatasetError, match="no file of the workspace fits"):
            question(load_watch(Path("n.toml")), folder)


class TestHistory:
    def test_a_history_of_a_newer_version_is_refused(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        History(services.storage)
        monkeypatch.setattr("agentkit_drift.watching.history.MIGRATIONS", ())
        with pytest.raises(StorageError, match="made by a newer agentkit"):
            History(services.storage)

    def test_a_run_that_is_not_there(self, services: Services) -> None:
        with pytest.raises(RunNotFound, match="no run 7"):
            History(services.storage).run("nothing", 7)
