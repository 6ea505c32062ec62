"""The agent: a LangGraph graph over the registered tools, with threads in Postgres.

from agentkit import Agent

with Agent() as agent:
    reply = agent.ask("Train a model on churn.csv that predicts churned")
    print(reply.text, reply.tool_calls)
"""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any, cast

from agentkit.calls import Progress, Services, call_directly, guarded
from agentkit.errors import BadInput, BudgetExceeded, PromptError, ToolInputError
from agentkit.events import ApprovalNeeded, Event, Finished, Notice, TextDelta
from agentkit.plugins import Plugins
from agentkit.redaction import redact
from agentkit.results import ToolResult
from agentkit.runs import Answer, Reply, Run, records, this_turn, usage
from agentkit.settings import Settings, load_settings
from agentkit.shapes import SYSTEM_PROMPT, Shape
from agentkit.threads import Request, Threads

if TYPE_CHECKING:
    from agentkit_sql.answer import SqlAnswer
    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import RunnableConfig

    from agentkit.graph import AgentGraph
    from agentkit.prompts import Prompt
    from agentkit.tracing import Tracing

__all__ = ["Agent", "Answer", "Reply"]

OUTPUT_RETRIES = 2
"""How often a model is asked again for structured output that does not validate."""
Input = Any
"""What a graph is invoked with: new messages, the answers to interrupts, or None to go on."""
Begin = Callable[[], tuple[Input, Shape]]
"""What a run begins with, found out when nobody else works on its thread."""
REMOTE_NOTICE = (
    "{model} is remote: your messages, file names and the tools' briefs go to its provider, whole files do not."
)


class Agent:
    """An agent with tools, memory of its threads, and traces.

    `model`: `"provider:name"`, a LangChain chat model, or None to choose (argument, AGENTKIT_MODEL, agentkit.toml, a
    key in the environment, the embedded model). `plugins`: further plugin modules or objects. `settings`: None reads
    `agentkit.toml` of the current folder. `prompts`: a folder searched for prompt files first. Safe to use from
    several threads; `close` it, or use it in a `with` block. LangChain is imported with the first question, while the
    embedded model loads.
    """

    def __init__(
        self,
        model: str | BaseChatModel | None = None,
        *,
        plugins: Plugins | Iterable[object] = (),
        settings: Settings | None = None,
        prompts: Path | None = None,
    ) -> None:
        self.settings = settings or load_settings()
        self.services = Services(self.settings, model=model, plugins=plugins, prompts=prompts)
        self._graphs: dict[Shape, AgentGraph] = {}
        self._lock = threading.RLock()
        self._tracing: Tracing | None = None
        self._told: set[str] = set()

    # -- a turn of a conversation

    def ask(self, message: str, *, thread: str | None = None, output: type | None = None, yes: bool = False) -> Reply:
        """Say something and wait for the reply.

        `thread` continues an earlier conversation (`reply.thread_id`). `output`: a pydantic model; the reply's
        `output` is then an instance of it. `yes` approves every call that would need approval, except denied ones.
        Raises ThreadNotFound, ThreadBusy, ProviderError, StorageError, BudgetExceeded, Cancelled.
        """
        return self._finish(*self._asked(message, thread, output, yes))

    def stream(
        self, message: str, *, thread: str | None = None, output: type | None = None, yes: bool = False
    ) -> Iterator[Event]:
        """The same, event by event: text as it is decoded, tools as they work, `Finished` with the reply at the end.

        The run begins when the first event is asked for. Closing the iterator stops it.
        """
        return self._events(*self._asked(message, thread, output, yes))

    def resume(
        self,
        thread: str,
        answer: Answer | Mapping[str, Answer] | None = None,
        *,
        output: type | None = None,
        yes: bool = False,
    ) -> Reply:
        """Go on with a run that was paused or killed; one that had come to its end gives its reply again.

        `answer`: the person's word on the calls that wait, one for all or by call id. `output`: as it was asked for;
        without it a structured answer comes as plain data. Raises BadInput if a call waits and there is neither an
        answer nor `yes`, or if nothing of the run was stored, ToolInputError if edited arguments do not fit the tool.
        """
        return self._finish(*self._resumed(thread, answer, output, yes))

    def resume_stream(
        self,
        thread: str,
        answer: Answer | Mapping[str, Answer] | None = None,
        *,
        output: type | None = None,
        yes: bool = False,
    ) -> Iterator[Event]:
        """`resume`, event by event."""
        return self._events(*self._resumed(thread, answer, output, yes))

    def run(self, prompt: str | Prompt, inputs: Mapping[str, Any], *, yes: bool = False) -> Reply:
        """Run a prompt file: its sections are the conversation, its header chooses tools and output.

        Raises PromptError for missing or wrong inputs, and what `ask` raises.
        """
        chosen = self.services.prompts.get(prompt) if isinstance(prompt, str) else prompt
        messages = chosen.render(**inputs)
        spoken = [m for m in messages if m.role != "system"]
        if not spoken or spoken[-1].role != "user":
            raise PromptError(f"prompt {chosen.name!r} must end with a '# user' section to be run.")
        tools, schema = chosen.header.tools, chosen.header.output
        shape = Shape(
            schema=json.dumps({"title": "answer", **schema}) if schema else None,
            system="\n\n".join(m.text for m in messages if m.role == "system") or None,
            tools=None if tools is None else tuple(tools),
            prompt=f"{chosen.name}@{chosen.hash}",
            model=None if self.services.model_given else chosen.header.model,
        )
        run, text = self._new_run(None, yes), spoken[-1].text
        earlier = [(m.role, m.text) for m in spoken[:-1]]
        request = Request(run.trace_id, text, earlier, shape.stored())
        return self._finish(run, lambda: (self._begun(run, request, f"{chosen.name}: {text}"), shape))

    def call(self, tool: str, *, on_progress: Progress | None = None, **args: Any) -> ToolResult:
        """Call a tool directly, with no model involved, and get its typed result.

        Raises ToolNotFound, ToolInputError, and what the tool itself raises.
        """
        return call_directly(tool, args, self.services, on_progress)

    def sql(self, question: str, database: str | None = None, **args: Any) -> SqlAnswer:
        """Ask a database in plain words; gives the statement, its rows and how it came about (docs/sql.md).

        `database`: a name of agentkit.toml, a URL or a file; None is the only one configured, or the workspace's files.
        `args`: what else `query_database` takes. Raises BadInput if the data cannot answer, and what `call` raises.
        """
        self.services.prepare_model()
        return cast("SqlAnswer", self.call("query_database", question=question, database=database, **args))

    # -- the async twins

    async def aask(
        self, message: str, *, thread: str | None = None, output: type | None = None, yes: bool = False
    ) -> Reply:
        """The async twin of `ask`."""
        return await asyncio.to_thread(self.ask, message, thread=thread, output=output, yes=yes)

    async def astream(
        self, message: str, *, thread: str | None = None, output: type | None = None, yes: bool = False
    ) -> AsyncIterator[Event]:
        """The async twin of `stream`."""
        events = self.stream(message, thread=thread, output=output, yes=yes)
        while (event := await asyncio.to_thread(next, events, None)) is not None:
            yield event

    async def aresume(
        self,
        thread: str,
        answer: Answer | Mapping[str, Answer] | None = None,
        *,
        output: type | None = None,
        yes: bool = False,
    ) -> Reply:
        """The async twin of `resume`."""
        return await asyncio.to_thread(self.resume, thread, answer, output=output, yes=yes)

    async def acall(self, tool: str, **args: Any) -> ToolResult:
        """The async twin of `call`."""
        return await asyncio.to_thread(self.call, tool, **args)

    async def asql(self, question: str, database: str | None = None, **args: Any) -> SqlAnswer:
        """The async twin of `sql`."""
        return await asyncio.to_thread(self.sql, question, database, **args)

    # -- what it is made of

    @property
    def graph(self) -> AgentGraph:
        """The compiled LangGraph graph, to be used as any other: with `thread_id` in the config's `configurable`."""
        return self._graph(Shape())

    @property
    def threads(self) -> Threads:
        """The stored conversations: list, export, delete."""
        return Threads(self.services.storage)

    @property
    def tracing(self) -> Tracing:
        """Where runs are traced to."""
        with self._lock:
            if self._tracing is None:
                from agentkit.tracing import Tracing

                self._tracing = Tracing(self.settings, self.services.storage)
            return self._tracing

    def close(self) -> None:
        """Write what is left of the traces and close the database."""
        if self._tracing is not None:
            self._tracing.close()
        self.services.close()

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Agent:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    # -- below: how a run goes

    def _graph(self, shape: Shape) -> AgentGraph:
        with self._lock:
            if shape not in self._graphs:
                from agentkit.assembly import build

                self._graphs[shape] = build(shape, self.services)
            return self._graphs[shape]

    def _new_run(self, thread: str | None, yes: bool) -> Run:
        return Run(self.services, thread or uuid.uuid4().hex[:12], str(uuid.uuid4()), yes=yes)

    def _asked(self, message: str, thread: str | None, output: Any, yes: bool) -> tuple[Run, Begin]:
        if not message.strip():
            raise BadInput("the message is empty: say what you want to know or have done.")
        self.services.prepare_model()
        if thread is not None:
            self.threads.check(thread)
        run, shape = self._new_run(thread, yes), Shape().answering(output)

        def begin() -> tuple[Input, Shape]:
            if thread is not None:
                self._close_cut_calls(run)
            return self._begun(run, Request(run.trace_id, message, shape=shape.stored())), shape

        return run, begin

    def _resumed(
        self, thread: str, answer: Answer | Mapping[str, Answer] | None, output: Any, yes: bool
    ) -> tuple[Run, Begin]:
        self.threads.check(thread)
        run = self._new_run(thread, yes)

        def begin() -> tuple[Input, Shape]:
            request = self.threads.request(thread)
            shape = Shape.restored(request.shape).answering(output)
            return self._resume_input(run, request, shape, answer), shape

        return run, begin

    def _begun(self, run: Run, request: Request, title: str = "") -> Input:
        from agentkit.middleware.surroundings import user_message

        self.threads.touch(run.thread_id, title or request.text, request)
        return {"messages": [*request.earlier, user_message(request.text, self.services, request.id)]}

    def _close_cut_calls(self, run: Run) -> None:
        """Answer tool calls that an interrupted turn left open: providers refuse a history with open calls."""
        from langchain_core.messages import ToolMessage

        graph, config = self.graph, self._config(run)
        messages = graph.get_state(config).values.get("messages", [])
        closed = {m.tool_call_id for m in messages if m.type == "tool"}
        last = next((m for m in reversed(messages) if m.type == "ai"), None)
        cut = [c for c in (last.tool_calls if last else []) if c["id"] not in closed]
        notes = [
            ToolMessage("interrupted before it finished", name=c["name"], tool_call_id=c["id"], status="error")
            for c in cut
        ]
        if notes:
            graph.update_state(config, {"messages": notes}, as_node="tools")

    def _resume_input(
        self, run: Run, request: Request, shape: Shape, answer: Answer | Mapping[str, Answer] | None
    ) -> Input:
        from langgraph.types import Command

        state = self._graph(shape).get_state(self._config(run))
        messages = state.values.get("messages", [])
        if request.id and all(m.id != request.id for m in messages):
            return self._begun(run, request)  # killed before the first checkpoint of the turn
        if not messages and not state.next:
            raise BadInput(f"nothing of thread {run.thread_id!r} was stored before it was stopped: ask again.")
        waiting = {i.id: ApprovalNeeded(**i.value) for task in state.tasks for i in task.interrupts}
        if not waiting:
            return None
        given: dict[str, Any] = {}
        for interrupt_id, needed in waiting.items():
            word = answer.get(needed.call_id) if isinstance(answer, Mapping) else answer
            if word is not None:
                given[interrupt_id] = self._checked(word, needed)
        # LangGraph forgets an answer if the run is killed before the answered call has ended
        answers = {i: a for i, a in self.threads.answer(run.thread_id, given).items() if i in waiting}
        if run.yes:
            answers = {i: self._checked(Answer("approve"), needed) for i, needed in waiting.items()} | answers
        if not answers:
            names = ", ".join(f"{n.name} ({n.call_id})" for n in waiting.values())
            raise BadInput(f"thread {run.thread_id!r} waits for a word on {names}: give an answer, or yes=True.")
        return Command(resume=answers)

    def _checked(self, answer: Answer, needed: ApprovalNeeded) -> dict[str, Any]:
        if answer.verdict == "edit":
            if answer.args is None:
                raise ToolInputError(f"an edit of {needed.name!r} needs the arguments to run instead.")
            self.services.toolbox.get(needed.name).validate(answer.args)
        return {"verdict": answer.verdict, "args": dict(answer.args or {}), "message": answer.message}

    def _config(self, run: Run, traced_as: Shape | None = None) -> RunnableConfig:
        config: RunnableConfig = {"configurable": {"thread_id": run.thread_id}, "recursion_limit": 200}
        if traced_as is not None:
            prompt = self.services.prompts.get(SYSTEM_PROMPT)
            versions = {r.name: r.version for r in self.services.plugins.reports.values() if r.status == "OK"}
            config |= {
                "run_id": uuid.UUID(run.trace_id),
                "run_name": "agentkit",
                "callbacks": self.tracing.callbacks(run.thread_id),
                "metadata": {
                    "thread_id": run.thread_id,
                    "model": redact(traced_as.model or self.services.model_name),
                    "prompt": traced_as.prompt or f"{prompt.name}@{prompt.hash}",
                    "plugins": versions,
                },
            }
        return config

    def _finish(self, run: Run, begin: Begin) -> Reply:
        """Run to the end, or to the first pause, alone on the thread."""
        with guarded(self.settings, "the run", run.cancelled), self.services.storage.locks().held(run.thread_id):
            self._tell_remote(run)
            given, shape = begin()
            reply = self._turn(run, given, shape)
            for _ in range(OUTPUT_RETRIES):
                if shape.output is None or reply.pending or reply.output is not None:
                    break
                run = replace(run, trace_id=str(uuid.uuid4()))
                problem = shape.fitting(reply.raw_output)[1]
                correction = self.services.prompts.get("output").text("user", problem=problem)
                request = Request(run.trace_id, correction, shape=shape.stored())
                reply = self._turn(run, self._begun(run, request), shape)
            return reply

    def _turn(self, run: Run, given: Input, shape: Shape) -> Reply:
        graph, config = self._graph(shape), self._config(run, shape)
        try:
            if run.listener is None:
                graph.invoke(given, config, context=run, durability="sync")
            else:
                stream = graph.stream(given, config, context=run, durability="sync", stream_mode="messages")
                for message, about in stream:
                    # what a tool asks a model for itself is not the answer
                    answers = message.type == "AIMessageChunk" and about.get("langgraph_node") != "tools"
                    if answers and (text := message.text):
                        run.emit(TextDelta(text))
        except BudgetExceeded as error:
            error.reply = self._reply(run, shape)
            raise
        reply = self._reply(run, shape)
        self.threads.touch(run.thread_id)
        return reply

    def _events(self, run: Run, begin: Begin) -> Iterator[Event]:
        """The same in a thread of its own, so that tools can report while the caller listens."""
        events: Queue[Event | BaseException | None] = Queue()
        run.listener = events.put

        def work() -> None:
            try:
                reply = self._finish(run, begin)
                for needed in reply.pending:
                    run.emit(needed)
                run.emit(Finished(reply))
                events.put(None)
            except BaseException as error:  # noqa: BLE001 - handed to the listening thread, which raises it
                events.put(error)

        worker = threading.Thread(target=work, name=f"agentkit-run-{run.thread_id}", daemon=True)
        worker.start()
        try:
            while (event := events.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            run.cancelled.set()
            worker.join()

    def _tell_remote(self, run: Run) -> None:
        """Say once an agent what leaves the machine."""
        if self.services.remote and "remote" not in self._told:
            self._told.add("remote")
            run.emit(Notice(REMOTE_NOTICE.format(model=redact(self.services.model_name))))

    def _reply(self, run: Run, shape: Shape) -> Reply:
        from agentkit.middleware.provider_errors import ANSWERED_BY

        state = self._graph(shape).get_state(self._config(run))
        turn = this_turn(state.values.get("messages", []))
        pending = [ApprovalNeeded(**i.value) for task in state.tasks for i in task.interrupts]
        last = turn[-1] if turn else None
        text = last.text if last and last.type == "ai" and not pending else ""
        answered_by = last.response_metadata.get(ANSWERED_BY) if last else None
        raw = state.values.get("structured_response") if shape.schema else None
        return Reply(
            text=text,
            thread_id=run.thread_id,
            trace_id=run.trace_id,
            model=answered_by or redact(shape.model or self.services.model_name),
            tool_calls=records(turn, self.services.toolbox),
            usage=usage(turn),
            pending=pending,
            output=shape.fitting(raw)[0],
            raw_output=raw,
        )
