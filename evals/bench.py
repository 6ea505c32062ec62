"""`make bench`: how fast agentkit is, always as a ratio against a named baseline in the same run.

python -m evals.bench [startup] [turn] [threads] [first-token] [predict] [overhead] [guard] [sql] [rag] [drift]
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentkit import Agent, ToolResult, ToolSpec, hookimpl
from agentkit.settings import load_settings

TURNS = 60
TOOLS = 10
STARTS = 15
THREADS = 200


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
    """One turn of 3 model calls and 2 tool calls: an Agent against bare create_agent, both with Postgres at `sync`.

    Both talk through the same client to a scripted model over HTTP.
    """
    with _agent() as agent, _bare_turn(agent) as bare:
        works = bare, lambda: agent.ask("Say it")
        for work in works:
            for _ in range(5):
                work()
        # one after the other in turn, so that both meet the same machine
        pairs = [tuple(timed(work) for work in works) for _ in range(TURNS)]
    base, own = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"turn         create_agent       {base * 1000:7.1f} ms   1.00 x   (PostgresSaver, sync, {TOOLS} tools)")
    print(f"turn         Agent              {own * 1000:7.1f} ms   {own / base:5.2f} x   (tracing on)")


def threads() -> None:
    """THREADS conversations at once on one Postgres, each the turn above: turns a second, and the slowest."""
    with _agent() as agent, _bare_turn(agent) as bare:
        works = {"create_agent": bare, "Agent": lambda: agent.ask("Say it")}
        rates = {name: _at_once(work) for name, work in works.items()}
    for name, (rate, slowest) in rates.items():
        ratio = rates["create_agent"][0] / rate
        print(f"threads      {name:18} {rate:7.1f} /s   {ratio:5.2f} x   ({THREADS} at once, slowest {slowest:.1f} s)")


def _at_once(work: Callable[[], Any]) -> tuple[float, float]:
    """Turns a second, and the seconds of the slowest turn. An error of any thread is raised."""
    work()
    start = threading.Barrier(THREADS + 1)

    def wait_and_work() -> float:
        start.wait()
        return timed(work)

    with ThreadPoolExecutor(THREADS) as pool:
        done = [pool.submit(wait_and_work) for _ in range(THREADS)]
        start.wait()
        total = timed(lambda: [d.result() for d in done])
    return THREADS / total, max(d.result() for d in done)


@contextmanager
def _bare_turn(agent: Agent) -> Iterator[Callable[[], object]]:
    from langchain.agents import create_agent
    from langchain_core.tools import StructuredTool
    from langgraph.checkpoint.postgres import PostgresSaver
    from psycopg.rows import dict_row
    from psycopg_pool import ConnectionPool

    def say(text: str) -> str:
        """Say it again."""
        return text

    tools = [StructuredTool.from_function(say, name=f"echo_{i}") for i in range(TOOLS)]
    options = {"autocommit": True, "row_factory": dict_row, "prepare_threshold": 0}
    count = itertools.count()
    with ConnectionPool[Any](agent.services.storage.url, kwargs=options, max_size=10) as pool:
        graph: Any = create_agent(agent.services.model, tools, checkpointer=PostgresSaver(pool))

        def work() -> object:
            config: Any = {"configurable": {"thread_id": f"bare-{next(count)}"}}
            return graph.invoke({"messages": [("user", "Say it")]}, config, durability="sync")

        yield work


@contextmanager
def _agent() -> Iterator[Agent]:
    """An agent with the bench's tools alone, in a folder of its own, on a scripted model over HTTP."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "agentkit.toml").write_text('[plugins]\nenabled = ["openai"]\n', encoding="utf-8")
        settings = load_settings(folder)
        with (
            _model_server(Path(folder) / "port") as url,
            Agent(f"{url}#scripted", plugins=[Plugin()], settings=settings) as agent,
        ):
            agent.ask("Say it")
            yield agent


@contextmanager
def _model_server(port: Path) -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-m", "evals.model_server", str(port)]) as server:
        try:
            while not (port.exists() and port.read_text()):
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port.read_text()}/v1"
        finally:
            server.terminate()


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
    from agentkit_local.manifest import cache_folder

    # apart from the workspace: its data files are told to the model
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        (Path(cache) / "models").symlink_to(cache_folder() / "models")
        environment = os.environ | {"AGENTKIT_CACHE": cache}
        taken = [_first_token(folder, environment) for _ in range(3)]
    print(f"first token  first process      {taken[0]:7.1f} s    1.00 x")
    second = min(taken[1:])
    print(f"first token  second process     {second:7.1f} s    {second / taken[0]:5.2f} x")


def _first_token(folder: str, environment: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_WORD], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[0])


def predict() -> None:
    """The tool `predict` against the same pipeline called by hand on the file's batches: throughput, memory."""
    from evals.bench_predict import predict_bench

    predict_bench()


def overhead() -> None:
    """What `train` does beside the estimators' own fits, on 10,000 rows with a budget of 20 s; seconds of recording."""
    from evals.bench_overhead import overhead_bench

    overhead_bench()


def guard() -> None:
    """What the guard adds to a statement on 50 tables, and the card of 500 tables."""
    from evals.bench_guard import guard_bench

    guard_bench()


def sql() -> None:
    """How often questions of evals/sql are answered right by the embedded model, and how long that takes."""
    from evals.bench_sql import main as sql_bench

    sql_bench([])


def rag() -> None:
    """Collections against Chroma and bm25s: queries a second, p95, ingest, index build, memory. 5,000 chunks."""
    from evals.bench_rag import rag_bench

    rag_bench()


def drift() -> None:
    """Drift of 50 columns against a loop over scipy's functions, with 100,000 and a million rows."""
    from evals.bench_drift import drift_bench

    drift_bench()


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


BENCHES = {
    "startup": startup,
    "turn": turn,
    "threads": threads,
    "first-token": first_token,
    "predict": predict,
    "overhead": overhead,
    "guard": guard,
    "sql": sql,
    "rag": rag,
    "drift": drift,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHES:
        BENCHES[name]()
