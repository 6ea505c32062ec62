"""Providers that fail, through their real SDKs over HTTP: the fallback or a clear error in time, and never the key."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agentkit import Agent, Settings, load_settings
from agentkit.errors import AgentkitError, Cancelled, ModelNotFound, ProviderError, SettingsError
from agentkit.events import Finished, Notice, TextDelta
from tests.plugins.fault_server import ANSWER, READ, WRITTEN, FaultServer

KEY = "planted-key-0123456789abcdef"
BOUNDS = {"silence_seconds": 0.4, "answer_seconds": 1.0, "retries": 2, "retry_seconds": 0.7}
IN_TIME = 12.0
"""Seconds that no call may take: `answer_seconds`, and what the first imports on a busy machine add."""

FAULTS = {
    "401": "refused the key",
    "403": "does not allow this key",
    "404": "does not know this model",
    "429": "limits the rate",
    "429-after-0.5": "asks to wait 0.5 s",
    "429-after-3600": "asks to wait 3600 s",
    "500": r"failed; .*\(HTTP 500\)",
    "529": r"is overloaded; .*\(HTTP 529\)",
    "cut": "broke off before its end",
    "cut-quietly": "broke off before its end|not the answer of a chat model",
    "garbage": "not the answer of a chat model",
    "garbled": "not the answer of a chat model",
    "empty": "not the answer of a chat model",
    "silence": r"no answer for 0.4 s \(\[models\] silence_seconds\)",
    "silence-midway": r"no answer for 0.4 s \(\[models\] silence_seconds\)",
    "trickle": r"no whole answer within 1 s \(\[models\] answer_seconds\)",
    "endless": r"no whole answer within 1 s \(\[models\] answer_seconds\)",
    "overloaded-midway": r"is overloaded; .*\(HTTP 529\)",
}
"""How a model behaves, and what is said of it."""


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("agentkit.providers.FIRST_WAIT", 0.1)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    server.asked.clear()
    return str(request.param)


def settings(**more: Any) -> Settings:
    """Only the providers, so that requests are short, and short bounds."""
    return load_settings(plugins={"enabled": ["openai", "anthropic"]}, models=BOUNDS, **more)


def say(agent: Agent, how: str) -> tuple[str, Any]:
    """(text, reply) of one turn, asked for as a whole or streamed."""
    if how == "ask":
        reply = agent.ask("What is the capital of France?")
        return reply.text, reply
    events = list(agent.stream("What is the capital of France?"))
    assert isinstance(events[-1], Finished)
    return "".join(e.text for e in events if isinstance(e, TextDelta)), events[-1].reply


@pytest.mark.parametrize("how", ["ask", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_clear_sentence_in_time_and_nothing_of_the_answer_is_kept(
    provider: str, fault: str, how: str
) -> None:
    with Agent(f"{provider}:{fault}", settings=settings()) as agent:
        start = time.monotonic()
        with pytest.raises(ProviderError, match=FAULTS[fault]) as raised:
            say(agent, how)
        assert time.monotonic() - start < IN_TIME
        assert str(raised.value).startswith(f"model '{provider}:{fault}': ")
        assert KEY not in "".join(_texts(raised.value))
        kept = agent.threads.messages(agent.threads.latest())
    assert [m["role"] for m in kept] == ["human"]


def _texts(error: BaseException | None) -> Iterator[str]:
    """What a stack trace would show of an error and its causes."""
    while error is not None:
        yield f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize("how", ["ask", "stream"])
@pytest.mark.parametrize("fault", ["401", "429-after-3600", "500", "cut", "garbage", "silence", "endless"])
def test_the_fallback_answers_and_the_reply_names_it(provider: str, server: FaultServer, fault: str, how: str) -> None:
    other = "anthropic" if provider == "openai" else "openai"
    fallbacks = (f"{provider}:503", f"{other}:good")
    with Agent(f"{provider}:{fault}", settings=settings(fallbacks=fallbacks)) as agent:
        _, reply = say(agent, how)
        assert reply.text == ANSWER
        assert reply.model == f"{other}:good"
        assert (reply.usage["total_tokens"], reply.usage["model_calls"]) == (READ + WRITTEN, 1)
        kept = agent.threads.messages(reply.thread_id)
    assert [m["role"] for m in kept] == ["human", "ai"]
    assert server.asked["good"] == 1


@pytest.mark.parametrize("how", ["ask", "stream"])
def test_a_server_that_refuses_connections_or_swallows_them_is_told_or_stood_in_for(
    provider: str, server: FaultServer, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that listens and never accepts, its queue full, is how a host behind a firewall looks."""
    variable = f"{provider.upper()}_BASE_URL"
    good = f"{server.url}/v1#good"
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        monkeypatch.setenv(variable, f"http://127.0.0.1:{refusing.getsockname()[1]}/v1")
        with Agent(f"{provider}:x", settings=settings()) as agent, pytest.raises(ProviderError, match="be reached"):
            say(agent, how)
        with Agent(f"{provider}:x", settings=settings(fallbacks=(good,))) as agent:
            assert say(agent, how)[1].model == good
    with socket.socket() as swallowing, ExitStack() as waiting:
        swallowing.bind(("127.0.0.1", 0))
        swallowing.listen(0)
        for _ in range(2):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(swallowing.getsockname())
        monkeypatch.setenv(variable, f"http://127.0.0.1:{swallowing.getsockname()[1]}/v1")
        start = time.monotonic()
        with Agent(f"{provider}:x", settings=settings()) as agent, pytest.raises(ProviderError, match="be reached"):
            say(agent, how)
    assert time.monotonic() - start < IN_TIME


def test_a_stream_says_that_another_model_answers_and_why(provider: str) -> None:
    with Agent(f"{provider}:cut", settings=settings(fallbacks=(f"{provider}:good",))) as agent:
        events = list(agent.stream("Hello"))
    (told,) = [e.message for e in events if isinstance(e, Notice) and "instead" in e.message]
    assert "broke off before its end" in told
    assert told.endswith(f"'{provider}:good' is asked instead.")
    after = events[[isinstance(e, Notice) and e.message == told for e in events].index(True) :]
    assert "".join(e.text for e in after if isinstance(e, TextDelta)).endswith(ANSWER)


def test_when_no_model_answers_each_is_told_of(provider: str) -> None:
    with (
        Agent(f"{provider}:401", settings=settings(fallbacks=(f"{provider}:529", "openai:403"))) as agent,
        pytest.raises(ProviderError, match=r"no model answered\. .*401.* .*529.* .*403") as raised,
    ):
        agent.ask("Hello")
    assert KEY not in "".join(_texts(raised.value))


def test_a_fallback_without_its_key_counts_as_one_that_failed(
    server: FaultServer, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "anthropic" if provider == "openai" else "openai"
    monkeypatch.delenv(f"{other.upper()}_API_KEY")
    with Agent(f"{provider}:500", settings=settings(fallbacks=(f"{other}:good", f"{provider}:good"))) as agent:
        assert agent.ask("Hello").model == f"{provider}:good"


def test_a_misspelt_fallback_is_told_before_it_is_needed(provider: str) -> None:
    with (
        Agent(f"{provider}:good", settings=settings(fallbacks=("antropic:x",))) as agent,
        pytest.raises(ModelNotFound, match="nearest name is 'anthropic'"),
    ):
        agent.ask("Hello")


@pytest.mark.parametrize("how", ["ask", "stream"])
@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        ("429-once-0.5", 2),
        ("500-once", 2),
        ("429-after-3600", 1),
        ("500", 3),
        ("401", 1),
        ("silence", 1),
        ("garbage", 1),
    ],
)
def test_only_what_may_pass_is_tried_again_and_by_one_of_us(
    provider: str, server: FaultServer, fault: str, requests: int, how: str
) -> None:
    """Were the SDK to retry too, 500 would be asked 9 times."""
    with Agent(f"{provider}:{fault}", settings=settings()) as agent:
        if "once" in fault:
            start = time.monotonic()
            assert say(agent, how)[0] == ANSWER
            assert time.monotonic() - start >= (0.5 if fault == "429-once-0.5" else 0.07)
        else:
            with pytest.raises(ProviderError):
                say(agent, how)
    assert server.asked[fault] == requests


@pytest.mark.parametrize("how", ["ask", "stream"])
def test_tokens_are_those_that_the_provider_tells(provider: str, how: str) -> None:
    with Agent(f"{provider}:good", settings=settings()) as agent:
        text, reply = say(agent, how)
    assert text == ANSWER
    told = {key: reply.usage[key] for key in ("input_tokens", "output_tokens", "total_tokens")}
    assert told == {"input_tokens": READ, "output_tokens": WRITTEN, "total_tokens": READ + WRITTEN}


@pytest.mark.parametrize("how", ["ask", "stream"])
def test_an_answer_without_usage_is_an_answer(provider: str, how: str) -> None:
    with Agent(f"{provider}:no-usage", settings=settings()) as agent:
        text, reply = say(agent, how)
    assert text == ANSWER
    assert reply.usage["total_tokens"] == 0


async def _aask(model: str) -> str:
    """Through the graph's async twins, as LangGraph's own server runs it."""
    from agentkit.runs import Run

    with Agent(model, settings=settings()) as agent:
        run = Run(agent.services, "t", "t")
        config: Any = {"configurable": {"thread_id": f"async-{time.monotonic_ns()}"}}
        try:
            state = await agent.graph.ainvoke({"messages": [("user", "Hello")]}, config, context=run)
        finally:
            await asyncio.sleep(0.1)  # for the sockets that were closed: their loop ends here
    return str(state["messages"][-1].text)


@pytest.mark.parametrize("fault", ["good", "500-once", "401", "cut", "silence", "trickle"])
def test_the_async_twins_keep_to_the_same(provider: str, fault: str) -> None:
    start = time.monotonic()
    if fault in FAULTS:
        with pytest.raises(ProviderError, match=FAULTS[fault]):
            asyncio.run(_aask(f"{provider}:{fault}"))
    else:
        assert asyncio.run(_aask(f"{provider}:{fault}")) == ANSWER
    assert time.monotonic() - start < IN_TIME


def test_a_run_that_is_stopped_does_not_wait_for_the_model_nor_ask_another(provider: str, server: FaultServer) -> None:
    """Leaving a stream is how Ctrl-C ends one."""
    patient = {"silence_seconds": 60.0, "answer_seconds": 60.0}
    chosen = load_settings(
        plugins={"enabled": ["openai", "anthropic"]}, models=patient, fallbacks=(f"{provider}:good",)
    )
    with Agent(f"{provider}:silence-midway", settings=chosen) as agent:
        events = agent.stream("Hello")
        for event in events:
            if isinstance(event, TextDelta):
                break
        start = time.monotonic()
        events.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 3
    assert server.asked["good"] == 0


class TestCommand:
    """`agentkit chat` in a process of its own."""

    @pytest.fixture
    def chat(self, workspace: Path, provider: str, server: FaultServer) -> list[str]:
        bounds = "\n".join(f"{key} = {value}" for key, value in BOUNDS.items())
        (workspace / "agentkit.toml").write_text(
            f'fallbacks = []\n[plugins]\nenabled = ["openai", "anthropic"]\n[models]\n{bounds}\n'
        )
        return [
            sys.executable,
            "-c",
            "from agentkit.cli import main; main()",
            "chat",
            "Hello",
            "--model",
            f"{provider}:",
        ]

    @staticmethod
    def ended(command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    @pytest.mark.parametrize(
        "fault",
        ["401", "silence", *(pytest.param(f, marks=pytest.mark.slow) for f in FAULTS if f not in ("401", "silence"))],
    )
    def test_a_fault_ends_json_with_one_line_and_code_1(self, chat: list[str], fault: str) -> None:
        ended = self.ended([*chat[:-1], chat[-1] + fault, "--json"])
        assert ended.returncode == 1
        assert ended.stdout == ""
        (line,) = ended.stderr.splitlines()
        assert line.startswith(f"agentkit: model '{chat[-1]}{fault}'")
        assert KEY not in line

    def test_debug_shows_the_stack_without_the_key(self, chat: list[str]) -> None:
        ended = self.ended([*chat[:3], "--debug", *chat[3:-1], chat[-1] + "401", "--json"])
        assert "Traceback" in ended.stderr
        assert KEY not in ended.stderr + ended.stdout

    def test_the_fallback_answers_in_json(self, chat: list[str], workspace: Path) -> None:
        file = workspace / "agentkit.toml"
        file.write_text(file.read_text().replace("fallbacks = []", f'fallbacks = ["{chat[-1]}good"]'))
        ended = self.ended([*chat[:-1], chat[-1] + "500", "--json"])
        assert ended.returncode == 0, ended.stderr
        reply = json.loads(ended.stdout)
        assert (reply["text"], reply["model"]) == (ANSWER, f"{chat[-1]}good")

    @pytest.mark.parametrize("options", [["--json"], []])
    def test_ctrl_c_during_silence_ends_at_once(
        self, chat: list[str], workspace: Path, server: FaultServer, options: list[str]
    ) -> None:
        file = workspace / "agentkit.toml"
        file.write_text(file.read_text().replace("silence_seconds = 0.4", "silence_seconds = 50").replace("1.0", "55"))
        process = subprocess.Popen(
            [*chat[:-1], chat[-1] + "silence", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 30
        while not server.asked["silence"] and time.monotonic() < deadline:
            time.sleep(0.05)
        start = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - start < 20, "of 50 that the model would have had"
        assert process.returncode == 130
        assert "Traceback" not in err


@pytest.mark.parametrize(
    "wrong", [{"silence_seconds": 0}, {"answer_seconds": -1}, {"retries": -1}, {"retries": 1.5}, {"timeout": 3}]
)
def test_bounds_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="models"):
        load_settings(models=wrong)


def test_what_a_tool_asks_of_the_model_is_bounded_too(provider: str) -> None:
    """`ctx.model` is the same model: no middleware stands around it."""
    with Agent(f"{provider}:silence", settings=settings()) as agent, pytest.raises(AgentkitError, match="no answer"):
        agent.services.model.invoke("Hello")


def test_a_call_outside_of_a_stopped_run_is_not_stopped(provider: str) -> None:
    import threading

    from agentkit.context import cancellation

    stopped = threading.Event()
    stopped.set()
    before = cancellation.set(stopped)
    with Agent(f"{provider}:good", settings=settings()) as agent:
        with pytest.raises(Cancelled):
            agent.services.model.invoke("Hello")
        cancellation.reset(before)
        assert agent.services.model.invoke("Hello").text == ANSWER
