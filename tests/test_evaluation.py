"""Suites: read, run in fresh workspaces, judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentkit.errors import EvaluationError
from agentkit.evaluation import Turn, judge, load_suite
from agentkit.runs import Reply, ToolCallRecord
from tests.conftest import Outcome

OWN = Path(__file__).parent.parent / "evals" / "agent"


def reply(text: str = "", *calls: tuple[str, dict[str, Any], str]) -> Reply:
    made = [ToolCallRecord(str(i), name, args, status, "RMSE 0.875") for i, (name, args, status) in enumerate(calls)]
    return Reply(text, "thread", "trace", "model", made)


TRAIN = ("train", {"dataset": "./A.csv", "target": "y", "budget_seconds": 20.0}, "success")
FAILED = ("train", {"dataset": "a.csv"}, "error")
LOOK = ("profile_data", {"dataset": "a.csv"}, "success")


@pytest.mark.parametrize(
    ("turn", "given", "problem"),
    [
        ({"calls": []}, reply("Hello"), ""),
        ({"calls": []}, reply("Hello", LOOK), "no call was needed"),
        ({"calls": [{"tool": "train"}]}, reply("", LOOK, TRAIN), ""),
        ({"calls": [{"tool": "train"}]}, reply("", FAILED), "no call of train"),
        ({"calls": [{"tool": "train"}, {"tool": "profile_data"}]}, reply("", LOOK, TRAIN), "no call of profile_data"),
        ({"calls": [{"tool": "train", "args": {"dataset": "a.csv", "target": "*"}}]}, reply("", TRAIN), ""),
        ({"calls": [{"tool": "train", "args": {"budget_seconds": 20}}]}, reply("", TRAIN), ""),
        ({"calls": [{"tool": "train", "args": {"budget_seconds": [10, 30]}}]}, reply("", TRAIN), "no call of train"),
        ({"calls": [{"tool": "train", "args": {"name": "*"}}]}, reply("", TRAIN), "no call of train"),
        ({"never": ["train"]}, reply("", TRAIN), "train was called"),
        ({"never": ["train"]}, reply("", FAILED), ""),
        ({"text": "plan|price"}, reply("The PRICE"), ""),
        ({"text": "plan"}, reply("The price"), "the answer lacks /plan/"),
        ({"figure": True}, reply("It is 0.9", TRAIN), ""),
        ({"figure": True}, reply("It is 0.7", TRAIN), "no figure"),
        ({"figure": True}, reply("It is 0.9"), "no figure"),
        ({"rows": {"two.csv": 2}}, reply(), ""),
        ({"rows": {"two.csv": 3}}, reply(), "two.csv has 2 rows, not 3"),
        ({"rows": {"none.csv": 3}}, reply(), "none.csv was not written"),
    ],
)
def test_a_turn_is_judged(turn: dict[str, Any], given: Reply, problem: str, workspace: Path) -> None:
    (workspace / "two.csv").write_text("x\n1\n2\n")
    found = judge(Turn(ask="?", **turn), given, workspace)
    assert problem in found
    assert bool(problem) is bool(found)


def test_the_own_suite_can_be_read_and_names_tools_that_exist(cli: Callable[..., Outcome]) -> None:
    _, cases = load_suite(OWN)
    assert len(cases) >= 40
    tools = {t["name"]: set(t["schema"]["properties"]) for t in json.loads(cli("tools", "--json").out)}
    for case in cases:
        for turn in case.turns:
            assert set(turn.never) <= set(tools), case.id
            for call in turn.calls or ():
                assert set(call.args) <= tools[call.tool], case.id


def write_suite(folder: Path, lines: list[str]) -> Path:
    (folder / "files").mkdir(parents=True)
    (folder / "suite.yaml").write_text("description: d\ncases: [c.jsonl]\nfiles: files\n")
    (folder / "c.jsonl").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['{"id": "a", "about": "x", "turns": []}', "nonsense"], "c.jsonl, line 2"),
        (['{"id": "a", "about": "x", "turns": [{"ask": "?", "cals": []}]}'], "cals"),
        (['{"id": "a", "about": "x", "turns": []}'] * 2, "'a' is used twice"),
    ],
)
def test_a_bad_suite_is_an_error_that_names_the_place(workspace: Path, lines: list[str], said: str) -> None:
    with pytest.raises(EvaluationError, match=said):
        load_suite(write_suite(workspace / "s", lines))


def test_a_suite_that_is_not_there_is_said(cli: Callable[..., Outcome]) -> None:
    done = cli("eval", "nowhere")
    assert done.code == 2
    assert "it needs a suite.yaml" in done.err


PLUGIN = """
from agentkit import ModelSpec, TextResult, ToolSpec, hookimpl

def echo(text: str) -> TextResult:
    return TextResult(text=text)

def model(name, settings):
    from agentkit.testing import ScriptedChatModel, call
    return ScriptedChatModel(script=[call("echo", text="hi"), "It said hi."])

@hookimpl
def register_tools():
    return [ToolSpec("echo", f"{__name__}:echo", "Say it again")]

@hookimpl
def register_models():
    return [ModelSpec("scripted", f"{__name__}:model", "for tests", remote=False)]
"""


def test_cases_run_in_fresh_workspaces_and_a_cut_run_goes_on(
    cli: Callable[..., Outcome], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {"ask": "Say hi", "calls": [{"tool": "echo", "args": {"text": "hi"}}], "text": "hi"}
    cases = [
        {"id": "right", "about": "echo", "turns": [right]},
        {"id": "wrong", "about": "echo", "turns": [{"ask": "Say nothing", "calls": []}]},
    ]
    suite = write_suite(workspace / "evals" / "small", [json.dumps(c) for c in cases])
    (workspace / "scripted_eval_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(workspace)
    settings = 'model = "scripted:"\n[plugins]\npaths = ["scripted_eval_plugin"]\n'
    (suite / "files" / "agentkit.toml").write_text(settings)
    monkeypatch.setattr("agentkit.trust.is_trusted", lambda path, content: True)

    assert cli("eval", "small", "--only", "right", "--out", "r.jsonl", "--at-least", "1").code == 0
    done = cli("eval", "small", "--out", "r.jsonl", "--json", "--at-least", "0.6")
    assert done.code == 1
    report = json.loads(done.out)
    assert (report["passed"], report["cases"]) == (1, 2)
    assert [r["why"] for r in report["results"]] == ["", "'Say nothing': no call was needed, but echo was called"]
    assert "pass right" in done.err
    assert len((workspace / "r.jsonl").read_text().splitlines()) == 2
    assert "no case or group 'rigth'. The nearest name is 'right'" in cli("eval", "small", "--only", "rigth").err
    table = cli("eval", "small", "--out", "r.jsonl").out.splitlines()
    assert table[-1].split() == ["all", "1", "2"]
    (workspace / "r.jsonl").write_text("something else")
    assert cli("eval", "small", "--out", "r.jsonl").code == 2
