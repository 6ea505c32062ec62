"""OpenAI and Anthropic through their real SDKs over HTTP, against llama.cpp's server on the embedded model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentkit import Agent
from agentkit.errors import ModelNotFound, ProviderError
from agentkit.events import Finished, Notice, TextDelta
from agentkit.settings import load_settings
from tests.plugins.llama_server import KEY

QUESTION = "What is the capital of France? Answer with one word."


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a running server."""
    from agentkit_local.download import find
    from agentkit_local.manifest import find_entry

    file = find(find_entry(load_settings()))
    assert file is not None, "the embedded model is missing: run `agentkit models pull`"
    script = Path(__file__).with_name("llama_server.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def alone(workspace: Path) -> None:
    """Only the providers: no tools, so that the prompts are short."""
    (workspace / "agentkit.toml").write_text('[plugins]\nenabled = ["openai", "anthropic"]\n')


@pytest.fixture(params=["openai", "anthropic", "address"])
def model(request: pytest.FixtureRequest, server: str, alone: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a model on the server, and the environment that leads there."""
    if request.param == "openai":
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server}/v1")
        return "openai:qwen"
    if request.param == "anthropic":
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server)
        return "anthropic:qwen"
    monkeypatch.setenv("AGENTKIT_ENDPOINT_KEY", KEY)
    return f"{server}/v1#qwen"


def test_a_question_is_answered_and_its_tokens_are_counted(model: str) -> None:
    with Agent(model) as agent:
        reply = agent.ask(QUESTION)
    assert "paris" in reply.text.lower()
    assert reply.model == model
    assert reply.usage["input_tokens"] > 50
    assert reply.usage["output_tokens"] >= 1


def test_the_answer_streams_and_what_leaves_the_machine_is_said_once(model: str) -> None:
    with Agent(model) as agent:
        events = list(agent.stream("Count from 1 to 5, separated by spaces."))
        again = list(agent.stream("Thanks!"))
    text = "".join(e.text for e in events if isinstance(e, TextDelta))
    assert "3" in text
    assert sum(isinstance(e, TextDelta) for e in events) >= 3
    assert [e.message for e in events if isinstance(e, Notice)][0].startswith(f"{model} is remote")
    assert not [e for e in again if isinstance(e, Notice)]
    assert isinstance(events[-1], Finished)
    assert events[-1].reply.usage["output_tokens"] >= 5


def test_a_wrong_key_is_a_sentence_that_does_not_repeat_it(
    server: str, alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "sk-wrong-0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", wrong)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server}/v1")
    with Agent("openai:qwen") as agent, pytest.raises(ProviderError, match="refused the key") as raised:
        agent.ask("Hello")
    assert wrong not in str(raised.value)


def test_a_server_that_is_not_there_is_named(alone: None) -> None:
    with Agent("http://127.0.0.1:9/v1#qwen") as agent, pytest.raises(ProviderError, match="cannot be reached"):
        agent.ask("Hello")


def test_a_missing_key_and_a_bad_address_are_named(alone: None) -> None:
    with Agent("openai:gpt-5.5") as agent, pytest.raises(ProviderError, match="set OPENAI_API_KEY"):
        agent.ask("Hello")
    with Agent("anthropic:") as agent, pytest.raises(ProviderError, match="set ANTHROPIC_API_KEY"):
        agent.ask("Hello")
    with Agent("http://host/v1") as agent, pytest.raises(ModelNotFound, match="not of the form"):
        agent.ask("Hello")


def test_openais_key_never_goes_to_another_server(server: str, alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Agent(f"{server}/v1#qwen") as agent, pytest.raises(ProviderError, match="refused the key"):
        agent.ask("Hello")
