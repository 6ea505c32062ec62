"""Word of a change: the webhook and the command of a watch."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest
from agentkit_drift.watching.history import History
from agentkit_drift.watching.run import Watcher

from agentkit.calls import Services
from agentkit.errors import SettingsError
from tests.plugins.drift_watches import Hook, drifted, fresh, unchanged, watcher, written

SECRET = "hidden-0123456789"


@pytest.fixture
def name(workspace: Path) -> str:
    return fresh(workspace)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watcher, "_pause", lambda *_: None)


class TestWebhook:
    def test_it_hears_of_changes_and_of_nothing_else(self, services: Services, name: str) -> None:
        with Hook() as hook:
            at_work = watcher(services, written(name, f'html = "drift.html"\n[webhook]\nurl = "{hook.url}"'))
            at_work.once()
            assert hook.got == []
            drifted()
            at_work.once()
            at_work.once()
            unchanged()
            at_work.once()
        assert [(g["before"], g["state"]) for g in hook.got] == [("none", "drift"), ("drift", "none")]
        first = hook.got[0]
        assert first["watch"] == name
        assert "income" in first["drifted"]
        assert first["report"] == "drift.html"
        assert first["text"].startswith(f"{name}: drift (before: none)")

    def test_errors_that_may_pass_are_tried_again(self, services: Services, name: str) -> None:
        drifted()
        with Hook(500, 429, 200) as hook:
            watcher(services, written(name, f'[webhook]\nurl = "{hook.url}"')).once()
        assert len(hook.got) == 3
        assert History(services.storage).owed(name) is None

    def test_what_it_did_not_take_is_told_by_the_next_run(self, services: Services, name: str) -> None:
        drifted()
        said: list[str] = []
        with Hook(400, 200) as hook:
            at_work = watcher(services, written(name, f'[webhook]\nurl = "{hook.url}"'), said)
            at_work.once()
            assert "answered 400" in said[0]
            assert len(hook.got) == 1, "a refusal is not repeated at once"
            at_work.once()
        assert [(g["before"], g["state"]) for g in hook.got] == [(None, "drift"), (None, "drift")]

    def test_a_host_that_is_away_stops_nothing(self, services: Services, name: str) -> None:
        drifted()
        said: list[str] = []
        with Hook() as hook:
            url = hook.url
        run = watcher(services, written(name, f'[webhook]\nurl = "{url}"\nretries = 1'), said).once()
        assert run.state == "drift"
        assert "cannot be reached" in said[0]

    def test_secrets_come_from_the_environment_and_are_never_said(
        self, services: Services, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("HOOK_PLACE", SECRET)
        drifted()
        said: list[str] = []
        caplog.set_level(logging.DEBUG)
        with Hook(403, 200) as hook:
            headers = '{ Authorization = "Bearer ${HOOK_PLACE}" }'
            text = f'[webhook]\nurl = "{hook.url}/${{HOOK_PLACE}}"\nheaders = {headers}'
            at_work = watcher(services, written(name, text), said)
            at_work.once()
            at_work.once()
        assert hook.headers[0]["Authorization"] == f"Bearer {SECRET}"
        assert SECRET not in " ".join(said)
        assert SECRET not in " ".join(r.getMessage() for r in caplog.records if r.name.startswith("httpx"))
        with services.storage.pool().connection() as connection:
            rows = connection.execute("select * from agentkit_drift.runs where watch = %s", [name]).fetchall()
        assert SECRET not in str(rows)

    def test_a_variable_that_is_not_set_is_named_before_there_is_anything_to_tell(
        self, services: Services, name: str
    ) -> None:
        path = written(name, '[webhook]\nurl = "https://host.invalid/${NO_SUCH_VARIABLE}"')
        with pytest.raises(SettingsError, match="'NO_SUCH_VARIABLE'"):
            watcher(services, path)


class TestCommand:
    def test_it_gets_the_json_and_no_shell_reads_it(self, services: Services, name: str) -> None:
        drifted()
        Path("tell.py").write_text(
            "import json, os, sys\n"
            "got = json.load(sys.stdin)\n"
            "open('told.json', 'w').write(json.dumps([got, sys.argv[1:], os.environ['AGENTKIT_STATE']]))\n"
        )
        run = json.dumps([sys.executable, "tell.py", "$(touch hacked); touch hacked"])
        watcher(services, written(name, f"[command]\nrun = {run}")).once()
        got, arguments, state = json.loads(Path("told.json").read_text())
        assert (got["watch"], got["state"], state) == (name, "drift", "drift")
        assert arguments == ["$(touch hacked); touch hacked"]
        assert not Path("hacked").exists()

    @pytest.mark.parametrize(
        ("program", "told"),
        [
            ("import sys; sys.exit('no such channel')", "no such channel"),
            ("import time; time.sleep(60)", "was stopped after 0.5 s"),
        ],
    )
    def test_one_that_fails_is_said_and_called_again(
        self, services: Services, name: str, program: str, told: str
    ) -> None:
        drifted()
        said: list[str] = []
        run = json.dumps([sys.executable, "-c", program])
        at_work = watcher(services, written(name, f"[command]\nrun = {run}\ntimeout_seconds = 0.5"), said)
        assert at_work.once().state == "drift"
        assert told in said[0]
        assert History(services.storage).owed(name) is not None

    def test_a_program_that_is_not_there(self, services: Services, name: str) -> None:
        drifted()
        said: list[str] = []
        watcher(services, written(name, '[command]\nrun = ["no-such-program-here"]'), said).once()
        assert "'no-such-program-here' cannot be run" in said[0]
