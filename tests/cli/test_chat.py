"""`agentkit chat` as people and scripts use it, with a scripted model that a trusted plugin file brings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Outcome

PLUGIN = '''
from agentkit import ModelSpec, ToolResult, ToolSpec, hookimpl

class Said(ToolResult):
    text: str
    def brief(self):
        return self.text

def note(text: str) -> Said:
    """Write a note."""
    return Said(text="noted " + text)

def model(name, settings):
    from agentkit.testing import ScriptedChatModel, call
    return ScriptedChatModel(script=[call("note", text="milk"), "Noted."] if name == "note" else ["Hello there."])

@hookimpl
def register_tools():
    return [ToolSpec("note", "agentkit_plugin_scripted:note", "Write a note", risk="write")]

@hookimpl
def register_models():
    return [ModelSpec("scripted", "agentkit_plugin_scripted:model", "for tests", remote=False)]
'''


@pytest.fixture(autouse=True)
def _plugin(workspace: Path, cli: Callable[..., Outcome]) -> None:
    (workspace / "scripted.py").write_text(PLUGIN)
    (workspace / "agentkit.toml").write_text('model = "scripted:"\n[plugins]\npaths = ["scripted.py"]\n')
    assert cli("trust", "--yes").code == 0


def test_one_message_is_answered_on_stdout(cli: Callable[..., Outcome]) -> None:
    done = cli("chat", "Hello")
    assert (done.code, done.out) == (0, "Hello there.\n")


def test_json_is_alone_on_stdout_and_has_what_scripts_need(cli: Callable[..., Outcome]) -> None:
    done = cli("chat", "Note milk", "--model", "scripted:note", "--json", "--yes")
    reply = json.loads(done.out)
    assert done.code == 0
    assert reply["text"] == "Noted."
    assert reply["tool_calls"] == [
        {"name": "note", "args": {"text": "milk"}, "status": "success", "result": "noted milk"}
    ]
    assert set(reply) >= {"text", "tool_calls", "usage", "thread_id", "trace_id"}


def test_without_yes_a_call_that_writes_exits_1_and_names_how_to_resume(cli: Callable[..., Outcome]) -> None:
    waiting = cli("chat", "Note milk", "--model", "scripted:note", "--json")
    thread = json.loads(waiting.out)["thread_id"]
    assert waiting.code == 1
    assert f"agentkit chat --thread {thread} --resume --yes" in waiting.err
    done = cli("chat", "--thread", thread, "--resume", "--yes", "--json")
    assert done.code == 0
    assert json.loads(done.out)["tool_calls"][0]["result"] == "noted milk"


def test_a_run_at_its_limit_prints_what_it_came_to_and_why_it_stopped(
    cli: Callable[..., Outcome], workspace: Path
) -> None:
    (workspace / "agentkit.toml").write_text((workspace / "agentkit.toml").read_text() + "[limits]\nmodel_calls = 1\n")
    assert cli("trust", "--yes").code == 0
    ended = cli("chat", "Note milk", "--model", "scripted:note", "--json", "--yes")
    reply = json.loads(ended.out)
    assert ended.code == 1
    assert [c["status"] for c in reply["tool_calls"]] == ["success"]
    assert "1 of 1 model calls" in reply["stopped"]


def test_the_last_thread_is_continued(cli: Callable[..., Outcome]) -> None:
    first = json.loads(cli("chat", "Hello", "--json").out)
    again = json.loads(cli("chat", "-c", "Hello again", "--json").out)
    assert first["thread_id"] == again["thread_id"]
    shown = cli("threads", "show", first["thread_id"]).out
    assert "Hello again" in shown


def test_threads_are_listed_and_deleted(cli: Callable[..., Outcome]) -> None:
    thread = json.loads(cli("chat", "Remember the milk", "--json").out)["thread_id"]
    assert "Remember the milk" in cli("threads", "list").out
    assert cli("threads", "delete", thread).code == 0
    assert cli("threads", "show", thread).code == 2


def test_traces_show_what_a_run_did(cli: Callable[..., Outcome]) -> None:
    reply = json.loads(cli("chat", "Note milk", "--model", "scripted:note", "--json", "--yes").out)
    assert reply["trace_id"][:8] in cli("traces", "list", "--last", "3").out
    assert "note [tool]" in cli("traces", "show", reply["trace_id"][:8]).out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["chat"], 2, "there is no terminal to talk on"),
        (["chat", "   "], 2, "message is empty"),
        (["chat", "Hi", "--thread", "nope"], 2, "no thread 'nope'"),
        (["chat", "Hi", "--model", "opnai:x"], 2, "The nearest name is 'openai'"),
        (["chat", "Hi", "--model", "openai:x"], 1, "set OPENAI_API_KEY"),
        (["chatt"], 2, "The nearest name is 'chat'"),
        (["chat", "--no-such-option"], 2, "No such option"),
        (["traces", "show", "ffff"], 2, "is not stored"),
        (["run", "nope"], 2, "there is no prompt 'nope'"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(
    cli: Callable[..., Outcome], arguments: list[str], code: int, said: str
) -> None:
    done = cli(*arguments)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_an_untrusted_file_runs_nothing(cli: Callable[..., Outcome], workspace: Path) -> None:
    with (workspace / "agentkit.toml").open("a") as file:
        file.write("# changed since\n")
    done = cli("tools")
    assert "note" not in done.out
    assert "plugins.paths ignored until you run `agentkit trust`" in done.err
