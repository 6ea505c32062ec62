"""What a graph is built for: the whole agent, a prompt file, or an answer of a given type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

SYSTEM_PROMPT = "agent"
"""The prompt file of the whole agent."""


@dataclass(frozen=True)
class Shape:
    """One graph a shape is kept. None: the agent's own system prompt, all tools, text.

    `schema` is the JSON schema of the answer, `output` the type that the answer becomes. `prompt` is the name and
    hash of the prompt file that the trace tells, `model` the one that this file asks for.
    """

    output: Any = None
    schema: str | None = None
    system: str | None = None
    tools: tuple[str, ...] | None = None
    prompt: str | None = None
    model: str | None = None

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Shape:
        """The shape of a stored turn, whose answer stays plain data."""
        tools = stored.get("tools")
        return cls(**{**stored, "tools": None if tools is None else tuple(tools)})

    def answering(self, output: Any) -> Shape:
        """The same, with an answer of this type; None changes nothing."""
        if output is None:
            return self
        schema = TypeAdapter(output).json_schema()
        named = {"title": getattr(output, "__name__", "answer"), **schema}
        return replace(self, output=output, schema=json.dumps(named))

    def stored(self) -> dict[str, Any]:
        """What a resumed turn needs of it, as plain data."""
        fields = {"schema": self.schema, "system": self.system, "prompt": self.prompt, "model": self.model}
        tools = None if self.tools is None else list(self.tools)
        return {name: value for name, value in {**fields, "tools": tools}.items() if value is not None}

    def fitting(self, raw: Any) -> tuple[Any, str]:
        """The model's structured answer as the asked type, or None and what is wrong with it."""
        if self.output is None:
            return raw, ""
        try:
            return TypeAdapter(self.output).validate_python(raw), ""
        except ValidationError as error:
            return None, "; ".join(f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}" for e in error.errors())
