"""The LangGraph graph of an agent: LangChain's `create_agent`, with what stands around the model and the tools."""

from __future__ import annotations

import json
from typing import Any

from langchain.agents import create_agent

from agentkit import models
from agentkit.calls import Services
from agentkit.graph import AgentGraph
from agentkit.middleware.approval import Approval
from agentkit.middleware.broken_steps import BrokenSteps
from agentkit.middleware.budget import Budget
from agentkit.middleware.history import History
from agentkit.middleware.long_results import LongResults
from agentkit.middleware.provider_errors import ProviderErrors
from agentkit.middleware.repetition import Repetition
from agentkit.middleware.second_look import SecondLook
from agentkit.middleware.surroundings import Surroundings
from agentkit.middleware.tool_calls import ToolCalls, graph_tool
from agentkit.runs import Run
from agentkit.shapes import SYSTEM_PROMPT, Shape
from agentkit.specs import resolve


def build(shape: Shape, services: Services) -> AgentGraph:
    """The compiled graph of a shape. Raises ModelNotFound, also for a fallback, ToolNotFound, PluginError."""
    settings = services.settings
    for name in settings.fallbacks:
        models.spec_of(name, services.plugins)  # a misspelt name should not wait for the day it is needed
    tools = services.toolbox if shape.tools is None else [services.toolbox.get(name) for name in shape.tools]
    model = models.create(shape.model, settings, services.plugins) if shape.model else services.model
    graph = create_agent(
        model,
        [graph_tool(tool) for tool in tools],
        system_prompt=shape.system or services.prompts.get(SYSTEM_PROMPT).text("system"),
        middleware=_middleware(shape, services),
        response_format=json.loads(shape.schema) if shape.schema else None,
        context_schema=Run,
        checkpointer=services.storage.checkpointer(),
        name="agentkit",
    )
    return AgentGraph.of(graph, services)


def _middleware(shape: Shape, services: Services) -> list[Any]:
    """From the outermost to the innermost."""
    settings = services.settings
    return [
        Budget(settings),
        ProviderErrors(shape.model or services.model_name, settings.fallbacks),
        BrokenSteps(),
        SecondLook(),
        Surroundings(),
        *(resolve(g.spec.target)(settings) for g in services.plugins.middleware.values()),
        History(settings),
        Repetition(),
        Approval(),
        LongResults(),
        ToolCalls(),
    ]
