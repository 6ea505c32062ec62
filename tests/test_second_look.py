"""The embedded model is asked again if its answer has a figure that no result says."""

from __future__ import annotations

import pytest

from agentkit import Agent
from agentkit.events import Finished, Notice
from agentkit.testing import ScriptedChatModel, call
from tests.test_agent import Plugin

WRONG, RIGHT = "It is 7.25 degrees in Oslo.", "It is cold in Oslo."


def ask(script: list[object], monkeypatch: pytest.MonkeyPatch, name: str = "local") -> tuple[Finished, list[str], int]:
    """The end of the run, its notices, and how often the model was called."""
    model = ScriptedChatModel(script=script)
    monkeypatch.setattr("agentkit.calls.Services.model_name", name)
    with Agent(model, plugins=[Plugin()]) as agent:
        events = list(agent.stream("How warm is Oslo?"))
    assert isinstance(events[-1], Finished)
    return events[-1], [e.message for e in events if isinstance(e, Notice)], len(model.seen)


def test_an_answer_with_a_figure_of_its_own_is_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    end, notices, calls = ask([call("weather", city="Oslo"), WRONG, RIGHT], monkeypatch)
    assert end.reply.text == RIGHT
    assert notices == ["no result says 7.25: the model is asked to look again."]
    assert calls == 3


def test_the_first_answer_stands_if_the_second_is_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    end, _, calls = ask([call("weather", city="Oslo"), WRONG, "It is 9.75 degrees."], monkeypatch)
    assert end.reply.text == WRONG
    assert calls == 3


def test_a_second_look_that_calls_tools_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    end, _, calls = ask([call("weather", city="Oslo"), WRONG, call("weather", id="b", city="Rome")], monkeypatch)
    assert (end.reply.text, calls) == (WRONG, 3)


LOOKED = call("weather", city="Oslo")


@pytest.mark.parametrize(
    ("script", "name"), [([LOOKED, RIGHT], "local"), ([WRONG], "local"), ([LOOKED, WRONG], "openai:gpt-5.5")]
)
def test_other_answers_are_not_asked_for_again(
    script: list[object], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, notices, calls = ask(script, monkeypatch, name)
    assert (notices, calls) == ([], len(script))
