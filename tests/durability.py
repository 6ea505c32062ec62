"""What the tests of durability run in processes of their own: tools that leave lines in a log, a model that counts.

A plugin by itself (`plugins.paths`), so that the processes that are killed come to it as any user's would.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable

from agentkit import Agent, RunContext, ToolContext, ToolResult, ToolSpec, hookimpl
from agentkit.events import Event, ToolFinished
from agentkit.runs import Answer, this_turn
from agentkit.settings import Settings, load_settings
from agentkit.specs import ModelSpec
from agentkit.testing import call

STEPS = ("look", "scribble", "labour")
ANSWER = "Looked, scribbled and laboured on {}."
SECONDS = 0.02
"""How long each tool works."""


DIES_AFTER = "DIES_AFTER"
"""The environment variable with the tool after which a process kills itself."""


class Done(ToolResult):
    """What each tool gives."""

    text: str

    def brief(self) -> str:
        return self.text


def look(item: str, *, ctx: ToolContext) -> Done:
    """Only reads."""
    return _work("look", item, ctx)


def scribble(item: str, *, ctx: ToolContext) -> Done:
    """Writes."""
    return _work("scribble", item, ctx)


def labour(item: str, *, ctx: ToolContext) -> Done:
    """Costs."""
    return _work("labour", item, ctx)


def _work(name: str, item: str, ctx: ToolContext) -> Done:
    log(ctx.settings.folder, "begin", name, item)
    time.sleep(SECONDS)
    log(ctx.settings.folder, "end", name, item)
    return Done(text=f"{name} {item}: done")


def log(folder: Path, *words: str) -> None:
    """One line in the log; a line that was written survives a kill."""
    line = " ".join(words) + "\n"
    file = os.open(folder / "tools.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, line.encode())
    os.close(file)


def logged(folder: Path, item: str) -> list[tuple[str, str]]:
    """What the log says of an item: (`begin`, `end` or `told`; the tool)."""
    path = folder / "tools.log"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(moment, name) for moment, name, of in lines if of == item]


class Stepwise(BaseChatModel):
    """Makes the calls of STEPS one after the other and then answers: what is next follows from the messages alone."""

    @property
    def _llm_type(self) -> str:
        return "stepwise"

    def bind_tools(self, *_: Any, **__: Any) -> Runnable[Any, AIMessage]:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        item = next(m.text for m in reversed(messages) if m.type == "human").split()[-1]
        done = sum(m.type == "tool" for m in this_turn(messages))
        if done == len(STEPS):
            return _said(AIMessage(ANSWER.format(item)))
        # the same ids in every turn, as some servers give them
        return _said(call(STEPS[done], id=f"call_{done}", item=item))


def _said(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def stepwise(name: str, settings: Settings) -> Stepwise:
    return Stepwise()


@hookimpl
def register_models() -> list[ModelSpec]:
    return [ModelSpec("stepwise", f"{__name__}:stepwise", "Takes the steps", remote=False)]


@hookimpl
def register_tools() -> list[ToolSpec]:
    return [
        ToolSpec("look", f"{__name__}:look", "Only reads"),
        ToolSpec("scribble", f"{__name__}:scribble", "Writes", risk="write"),
        ToolSpec("labour", f"{__name__}:labour", "Costs", risk="costly"),
    ]


@hookimpl
def on_event(run: RunContext, event: Event) -> None:
    if isinstance(event, ToolFinished):
        log(run.settings.folder, "told", event.name, event.args["item"])
        if os.environ.get(DIES_AFTER) == event.name:
            os.kill(os.getpid(), signal.SIGKILL)


def agent(folder: Path, home: Path) -> Agent:
    """An agent with these tools and this model alone."""
    return Agent("stepwise:", plugins=[sys.modules[__name__]], settings=load_settings(folder, home=str(home)))


def crowd(folder: Path, home: Path, name: str, threads: int, out: Connection) -> None:
    """Ask in so many threads at once, each of them twice in one conversation. Sends the answers."""
    with agent(folder, home) as working, ThreadPoolExecutor(threads) as pool:

        def talk(number: int) -> list[str]:
            first = working.ask(f"Work on {name}-{number}-a", yes=True)
            return [first.text, working.ask(f"Work on {name}-{number}-b", thread=first.thread_id, yes=True).text]

        out.send(list(pool.map(talk, range(threads))))


def edited(folder: Path, home: Path, item: str, out: Connection) -> None:
    """Ask, edit the call that waits, and die as soon as it is done."""
    with agent(folder, home) as working:
        reply = working.ask(f"Work on {item}")
        out.send(reply.thread_id)
        os.environ[DIES_AFTER] = "scribble"
        working.resume(reply.thread_id, Answer("edit", {"item": f"{item}-edited"}))


def dying(folder: Path, home: Path, item: str, after: str) -> None:
    """Ask, and die as soon as this tool is done."""
    os.environ[DIES_AFTER] = after
    with agent(folder, home) as working:
        working.ask(f"Work on {item}", yes=True)


def turn(folder: Path, home: Path, item: str, thread: str | None, out: Connection) -> None:
    """What a process does: ask, or resume the thread. Sends `ready` and then the reply."""
    with agent(folder, home) as working:
        _ = working.graph, working.tracing  # imports and the graph are not what is to be cut off
        out.send("ready")
        reply = working.resume(thread, yes=True) if thread else working.ask(f"Work on {item}", yes=True)
        out.send((reply.text, [c.name for c in reply.tool_calls]))
