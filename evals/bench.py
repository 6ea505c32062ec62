"""`make bench`: how fast agentkit is, always as a ratio against a named baseline in the same run.

python -m evals.bench [startup] [turn] [first-token]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentkit import Agent, ToolResult, ToolSpec, hookimpl
from agentkit.settings import load_settings
from agentkit.storage import Storage
from agentkit.testing import ScriptedChatModel, call

TURNS = 30
TOOLS = 10
STARTS = 15


class Echo(ToolResult):
    """What the bench's tools give."""

    text: str

    def brief(self) -> str:
        return self.text


def echo(text: str) -> Echo:
    """Say it again."""
    return Echo(text=text)


class Plugin:
    """Ten tools that do nothing: what is measured is the loop around them."""

    @hookimpl
    def register_tools(self) -> list[ToolSpec]:
        return [ToolSpec(f"echo_{i}", "evals.bench:echo", "Say it again") for i in range(TOOLS)]


def startup() -> None:
    """`agentkit --help` and `agentkit tools` against `python -c pass`: medians, taken in turn."""
    agentkit = str(Path(sys.executable).with_name("agentkit"))
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "agentkit --help": [agentkit, "--help"],
        "agentkit tools": [agentkit, "tools"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(STARTS):
        for name, command in commands.items():
            times[name].append(timed(lambda command=command: subprocess.run(command, capture_output=True, check=True)))  # type: ignore[misc]
    base = statistics.median(times["python -c pass"])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"startup      {name:18} {median * 1000:7.1f} ms   {median / base:5.2f} x")


def turn() -> None:
    """One turn of 3 model calls and 2 tool calls: an Agent against bare create_agent, both with Postgres at `sync`."""
    with tempfile.TemporaryDirectory() as folder, Storage(load_settings(folder)) as storage:
        bare = _bare_turn(storage)
        with _agent(folder) as agent:
            full = _agent_turn(agent)
            for work in (bare, full):
                for _ in range(5):
                    work()
            # one after the other in turn, so that both meet the same machine
            pairs = [(timed(bare), timed(full)) for _ in range(TURNS)]
    base, own = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"turn         create_agent       {base * 1000:7.1f} ms   1.00 x   (PostgresSaver, sync, {TOOLS} tools)")
    print(f"turn         Agent              {own * 1000:7.1f} ms   {own / base:5.2f} x   (tracing on)")


def _script() -> list[Any]:
    return [call("echo_1", id="a", text="one"), call("echo_2", id="b", text="two"), "Both said."]


def _bare_turn(storage: Storage) -> Callable[[], object]:
    from langchain.agents import create_agent
    from langchain_core.tools import StructuredTool
    from langgraph.checkpoint.postgres import PostgresSaver

    def say(text: str) -> str:
        """Say it again."""
        return text

    tools = [StructuredTool.from_function(say, name=f"echo_{i}") for i in range(TOOLS)]
    model = ScriptedChatModel(script=_script())
    graph = create_agent(model, tools, checkpointer=PostgresSaver(storage.pool()))
    count = iter(range(10**6))

    def work() -> object:
        model.seen.clear()
        config: Any = {"configurable": {"thread_id": f"bare-{next(count)}"}}
        return graph.invoke({"messages": [("user", "Say it")]}, config, durability="sync")

    return work


def _agent(folder: str) -> Agent:
    (Path(folder) / "agentkit.toml").write_text("[plugins]\nenabled = []\n", encoding="utf-8")
    return Agent(ScriptedChatModel(script=_script()), plugins=[Plugin()], settings=load_settings(folder))


def _agent_turn(agent: Agent) -> Callable[[], object]:
    model: Any = agent.services.model

    def work() -> object:
        model.seen.clear()
        return agent.ask("Say it")

    return work


_FIRST_WORD = """
import sys, time
start = time.perf_counter()
from agentkit import Agent
from agentkit.events import TextDelta
with Agent("local") as agent:
    for event in agent.stream("Hi there!"):
        if isinstance(event, TextDelta):
            print(time.perf_counter() - start)
            break
"""


def first_token() -> None:
    """Time to the first word of a new process: without a saved prompt state, then with it. Model loading included."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        from agentkit_local.manifest import cache_folder

        models.symlink_to(cache_folder() / "models")
        environment = os.environ | {"AGENTKIT_CACHE": folder}
        taken = [_first_token(folder, environment) for _ in range(3)]
    print(f"first token  first process      {taken[0]:7.1f} s    1.00 x")
    second = min(taken[1:])
    print(f"first token  second process     {second:7.1f} s    {second / taken[0]:5.2f} x")


def _first_token(folder: str, environment: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_WORD], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[0])


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


BENCHES = {"startup": startup, "turn": turn, "first-token": first_token}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHES:
        BENCHES[name]()
