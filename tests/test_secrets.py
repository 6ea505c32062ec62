"""Secrets are planted everywhere: nothing that is stored or logged may hold one, however it is written."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langchain_core.messages import AIMessage
from psycopg import sql

from agentkit import Agent, TextResult, ToolContext, ToolSpec, hookimpl, load_settings
from agentkit.errors import AgentkitError, BadInput
from agentkit.testing import ScriptedChatModel, call
from tests.plugins.fault_server import FaultServer
from tests.test_tracing import Collector, collector

__all__ = ["collector"]

URL_PASSWORD = "Url%2FPassword-77a"
PLANTED = {
    "OPENAI_API_KEY": "openai-planted-0451-aa",
    "ANTHROPIC_API_KEY": "anthropic-planted-0452-bb",
    "AGENTKIT_ENDPOINT_KEY": "endpoint-planted-0453-cc",
    "HF_TOKEN": "hugging-planted-0454-dd",
    "SHOP_PASSWORD": 'quo"ted\\planted-wörd-0455',
    "SIGNING_KEY": "-----BEGIN KEY-----\nplantedMIIEvQIBADANBg0456\n-----END KEY-----\n",
    "SHOP_DATABASE_URL": f"postgresql://bob:{URL_PASSWORD}@db.example/shop",
    "WEBHOOK": "https://ann:Hook-Pass-78b@hooks.example/x?token=query-token-79c",
}
MARK = "a-mark-that-is-no-secret"
"""Stands beside each planted secret: the search must find it where it looks, or it would prove nothing."""
TRACKS = [
    *(value.strip() for name, value in PLANTED.items() if "://" not in value),
    *(json.dumps(value.strip())[1:-1] for value in PLANTED.values()),
    *(json.dumps(value.strip(), ensure_ascii=False)[1:-1] for value in PLANTED.values()),
    "plantedMIIEvQIBADANBg0456",
    URL_PASSWORD,
    "Url/Password-77a",
    "Hook-Pass-78b",
    "query-token-79c",
]
EVERYTHING = f"{MARK} {json.dumps(PLANTED)} {PLANTED} " + " ".join(PLANTED.values())


class Leaky:
    """A plugin whose tools give away all they know."""

    @hookimpl
    def register_tools(self) -> list[ToolSpec]:
        return [
            ToolSpec("leak_result", f"{__name__}:leak_result", "Give away", risk="costly"),
            ToolSpec("leak_error", f"{__name__}:leak_error", "Fail with a known error"),
            ToolSpec("leak_crash", f"{__name__}:leak_crash", "Fail unexpectedly"),
        ]


def leak_result(text: str, ctx: ToolContext) -> TextResult:
    ctx.progress(EVERYTHING)
    ctx.note(EVERYTHING)
    return TextResult(text=f"{text} {EVERYTHING}")


def leak_error(text: str) -> TextResult:
    raise BadInput(f"{text} {EVERYTHING}")


def leak_crash(text: str) -> TextResult:
    raise RuntimeError(f"{text} {EVERYTHING}")


@pytest.fixture
def planted(workspace: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Path:
    """A home of its own, in an environment that is full of secrets."""
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AGENTKIT_HOME", str(workspace / "home"))
    caplog.set_level(logging.DEBUG)
    return workspace / "home"


def found_in(text: str) -> set[str]:
    return {track for track in TRACKS if track in text}


def stored(url: str) -> Iterator[tuple[str, str]]:
    """(place, text) of everything in every table of a database."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
            " and table_schema not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            for row in connection.execute(sql.SQL("select * from {}").format(sql.Identifier(schema, table))):
                yield table, "\n".join(_text(value) for value in row)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def files(folder: Path) -> Iterator[tuple[str, str]]:
    """(name, contents) of the files below a folder; what Postgres keeps is looked at by `stored`."""
    for file in folder.rglob("*"):
        if file.is_file() and not {"postgres", "pgdata", "data"} & set(file.relative_to(folder).parts[:-1]):
            yield file.name, file.read_bytes().decode("utf-8", "replace")


def search(*places: Iterator[tuple[str, str]]) -> tuple[set[str], dict[str, set[str]]]:
    """The places where the mark was found, and the secrets by place."""
    marked: set[str] = set()
    leaks: dict[str, set[str]] = {}
    for place in places:
        for name, text in place:
            if MARK in text:
                marked.add(name)
            if found := found_in(text):
                leaks.setdefault(name, set()).update(found)
    return marked, leaks


def test_the_search_finds_what_was_not_masked() -> None:
    for value in PLANTED.values():
        assert found_in(value)
        assert found_in(json.dumps({"x": value}))
    assert not found_in(MARK)


def test_no_secret_is_in_checkpoints_traces_results_or_logs(
    planted: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user who pastes secrets, tools that give them away in every manner, a model that repeats them."""
    script = [
        call("leak_result", "c1", text=EVERYTHING),
        call("leak_error", "c2", text="e"),
        call("leak_crash", "c3", text="c"),
        AIMessage(EVERYTHING),
    ]
    model = ScriptedChatModel(script=script)
    with Agent(model, plugins=[Leaky()]) as agent:
        reply = agent.ask(EVERYTHING)
        assert [c.status for c in reply.tool_calls] == ["success", "error", "error"]
        for read in (m for messages in model.seen for m in messages if m.type == "tool"):
            assert not found_in(read.text), "what the model reads of a result"
        threads = agent.threads.messages(reply.thread_id)
        url = agent.services.storage.url
        agent.tracing.close()
        marked, leaks = search(stored(url), files(planted), iter([("thread", json.dumps(threads))]))
    assert leaks == {}
    assert {"checkpoint_blobs", "checkpoint_writes", "tool_results", "traces", "threads", "thread"} <= marked
    assert "errors.log" in marked
    printed = capsys.readouterr()
    assert not found_in(caplog.text + printed.out + printed.err)


def test_no_secret_goes_to_langsmith(planted: Path, collector: Collector, workspace: Path) -> None:
    script = [
        call("leak_result", "c1", text=EVERYTHING),
        call("leak_error", "c2", text="e"),
        call("leak_crash", "c3", text="c"),
        RuntimeError(EVERYTHING),
    ]
    with Agent(ScriptedChatModel(script=script), plugins=[Leaky()]) as agent, pytest.raises(AgentkitError):
        agent.ask(EVERYTHING)
    # a run's end may leave the client only after the agent was closed
    deadline = time.monotonic() + 20
    while "leak_crash" not in (sent := b"".join(collector.bodies).decode("utf-8", "replace")):
        assert time.monotonic() < deadline, "the last calls were not sent"
        time.sleep(0.05)
    assert MARK in sent
    assert found_in(sent) == set()


@pytest.mark.parametrize("fault", ["401", "400", "overloaded-midway"])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "address"])
def test_no_secret_is_in_the_error_of_a_provider_that_repeats_the_key(
    planted: Path, provider: str, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        name = f"{provider}:{fault}"
        if provider == "address":
            name = f"{server.url.replace('://', f'://bob:{URL_PASSWORD}@')}/v1#{fault}"
        settings = load_settings(
            plugins={"enabled": ["openai", "anthropic"]}, models={"retries": 0}, home=str(planted.parent.parent / "h")
        )
        with Agent(name, settings=settings) as agent:
            with pytest.raises(AgentkitError) as raised:
                list(agent.stream(f"Hello {MARK}"))
            shown = "".join(traceback.format_exception(raised.value))
            agent.tracing.close()
            marked, leaks = search(stored(agent.services.storage.url), iter([("stack", shown)]))
    assert leaks == {}
    assert "traces" in marked
    assert not found_in(caplog.text + repr(raised.value))
    assert server.asked[fault] == 1


def test_no_secret_is_in_what_commands_print(planted: Path, workspace: Path) -> None:
    with FaultServer() as server:
        address = f"{server.url.replace('://', f'://bob:{URL_PASSWORD}@')}/v1#401"
        wrong = f"htp://bob:{URL_PASSWORD}@host/v1#m"
        for command in (
            ["chat", f"Hello {MARK}", "--model", address, "--json"],
            ["--debug", "chat", f"Hello {MARK}", "--model", address],
            ["chat", MARK, "--model", wrong],
            ["tool", "profile_data", "--dataset", f"{MARK} {PLANTED['HF_TOKEN']}.csv", "--json"],
            ["threads", "list", "--json"],
            ["traces", "list", "--json"],
            ["doctor"],
            ["models", "list"],
        ):
            program = [sys.executable, "-c", "from agentkit.cli import main; main()", *command]
            ended = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
            assert found_in(ended.stdout + ended.stderr) == set(), command
            assert (ended.stdout + ended.stderr).strip(), command
    assert search(files(workspace))[1] == {}


def test_no_secret_is_in_the_history_of_a_conversation(planted: Path, workspace: Path) -> None:
    """Typed on a real terminal: the history file is written when the conversation ends."""
    pytest.importorskip("readline")
    import pty

    terminal, theirs = pty.openpty()
    program = [sys.executable, "-c", "from agentkit.cli import main; main()", "chat", "--model", "http://127.0.0.1:9#m"]
    process = subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    shown = b""
    for typed in (f"/help {MARK} {PLANTED['HF_TOKEN']}", "/exit"):
        while not shown.endswith(b"you> "):
            shown += os.read(terminal, 1000)
        os.write(terminal, f"{typed}\n".encode())
        shown = b""
    with contextlib.suppress(OSError):
        while os.read(terminal, 1000):
            pass
    assert process.wait(30) == 0
    os.close(terminal)
    history = (planted / "chat_history").read_text()
    assert MARK in history
    assert found_in(history) == set()


def test_no_secret_is_in_mlflow(planted: Path, workspace: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "\n".join(f"{i},{i % 7},{'yes' if i % 3 else 'no'}" for i in range(60))
    (workspace / f"{MARK}.csv").write_text(f"a,b,churned\n{rows}\n")
    with Agent(ScriptedChatModel(script=["x"])) as agent:
        agent.call("train", dataset=f"{MARK}.csv", target="churned", model="dummy", name="churn")
        with pytest.raises(AgentkitError):
            agent.call("train", dataset=f"{PLANTED['HF_TOKEN']}.csv", target="churned")
        uri = agent.services.storage.mlflow_uri().replace("+psycopg", "")
        marked, leaks = search(stored(uri), files(planted))
    assert leaks == {}
    assert marked
    assert not found_in(caplog.text)
