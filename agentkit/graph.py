"""The agent's graph for people and servers that know LangGraph: it makes the run that its middleware work on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from langchain_core.messages import convert_to_messages
from langchain_core.runnables import RunnableConfig, ensure_config
from langgraph.graph.state import CompiledStateGraph

from agentkit.middleware.surroundings import user_message
from agentkit.runs import Run
from agentkit.threads import Threads

if TYPE_CHECKING:
    from agentkit.calls import Services


class AgentGraph(CompiledStateGraph[Any, Run, Any, Any]):
    """A compiled graph that can be called as any other: `graph.invoke({"messages": [...]}, config)`.

    Called without a `Run` as its context it makes one, with the thread of `config["configurable"]["thread_id"]`, and
    shows the model the workspace's files beside the user's words, as `Agent.ask` does. With the agent's own
    checkpointer the thread is listed with the others; a server has a list of its own.
    """

    def __init__(self, *, services: Services, **parts: Any) -> None:
        super().__init__(**parts)
        self.services = services

    @classmethod
    def of(cls, graph: CompiledStateGraph[Any, Run, Any, Any], services: Services) -> AgentGraph:
        """The same graph, with what its runs work on."""
        return cls(services=services, **{k: v for k, v in vars(graph).items() if k != "__orig_class__"})

    def stream(
        self,
        input: Any,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        context: Any = None,
        **options: Any,
    ) -> Iterator[Any]:
        if isinstance(context, Run):
            return super().stream(input, config, context=context, **options)
        run = self._run(config)
        return super().stream(self._told(input, run), config, context=run, **options)

    async def astream(
        self,
        input: Any,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        context: Any = None,
        **options: Any,
    ) -> AsyncIterator[Any]:
        if not isinstance(context, Run):
            context = self._run(config)
            input = await asyncio.to_thread(self._told, input, context)  # noqa: A001
        async for part in super().astream(input, config, context=context, **options):
            yield part

    def get_context_jsonschema(self) -> dict[str, Any] | None:
        """None: the run's context is made here, callers have none to give."""
        return None

    def _run(self, config: RunnableConfig | None) -> Run:
        known = ensure_config(config)
        thread = known.get("configurable", {}).get("thread_id")
        return Run(self.services, str(thread or uuid.uuid4().hex[:12]), str(known.get("run_id") or uuid.uuid4()))

    def _told(self, given: Any, run: Run) -> Any:
        from agentkit.checkpoints import Checkpointer

        if not isinstance(given, dict) or "messages" not in given:
            return given
        messages = given["messages"] if isinstance(given["messages"], list) else [given["messages"]]
        told = [
            user_message(m.content, self.services, m.id or str(uuid.uuid4()))
            if m.type == "human" and isinstance(m.content, str) and not m.additional_kwargs
            else m
            for m in convert_to_messages(messages)
        ]
        if isinstance(self.checkpointer, Checkpointer):
            Threads(self.services.storage).touch(run.thread_id, told[-1].text if told else "")
        return {**given, "messages": told}


async def agent_graph() -> AgentGraph:
    """The graph of the current folder's agent: what `langgraph.json` exports. Made once, and never in an event loop."""
    return await asyncio.to_thread(_agent_graph)


@cache
def _agent_graph() -> AgentGraph:
    from agentkit.agent import Agent

    return Agent().graph
