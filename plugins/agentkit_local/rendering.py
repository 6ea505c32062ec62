"""A conversation as the model reads it: tools in the system prompt, its own steps as the JSON it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit_local.schema import RESPOND, argument_names, dumps, plain

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from agentkit.prompts import Prompt

_FOLDER = Path(__file__).parent / "prompts"
_NAMES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


def render(messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Messages for llama.cpp; the first is the system part, the stable prefix. `tools` are in OpenAI's form."""
    from langchain_core.messages import SystemMessage

    system = "\n\n".join(m.text for m in messages if isinstance(m, SystemMessage))
    if tools:
        system = _prompt("tools").text("system", system=system, tools=[_describe(t["function"]) for t in tools])
    spoken = [_message(m, bool(tools)) for m in messages if not isinstance(m, SystemMessage)]
    return [{"role": "system", "content": system}, *spoken] if system else spoken


def _message(message: BaseMessage, with_tools: bool) -> dict[str, str]:
    from langchain_core.messages import AIMessage, ToolMessage

    if isinstance(message, AIMessage):
        return {"role": "assistant", "content": "\n".join(_steps(message, with_tools))}
    if isinstance(message, ToolMessage):
        failed = message.status == "error"
        text = _prompt("result").text("user", name=message.name or "the tool", text=message.text, failed=failed)
        return {"role": "user", "content": text}
    return {"role": "user", "content": message.text}


def _steps(message: AIMessage, with_tools: bool) -> Iterator[str]:
    if message.text and with_tools and not message.tool_calls:
        yield dumps({"tool": RESPOND, "arguments": {"answer": message.text}})
    elif message.text:
        yield message.text
    for call in message.tool_calls:
        yield dumps({"tool": call["name"], "arguments": call["args"]})


def _describe(function: Mapping[str, Any]) -> dict[str, Any]:
    schema = plain(function.get("parameters") or {})
    required, optional = argument_names(schema)
    shapes = schema.get("properties", {})
    return {
        "name": function["name"],
        "summary": " ".join(str(function.get("description") or "").split()),
        "required": [_argument(n, shapes[n]) for n in required],
        "optional": [_argument(n, shapes[n]) for n in optional],
    }


def _argument(name: str, shape: Mapping[str, Any]) -> dict[str, str]:
    return {"name": name, "type": _type(shape), "description": str(shape.get("description", ""))}


def _type(shape: Mapping[str, Any]) -> str:
    if "const" in shape or "enum" in shape:
        values = shape.get("enum", [shape.get("const")])
        return "one of " + ", ".join(json.dumps(v, ensure_ascii=False) for v in values)
    if "anyOf" in shape:
        return " or ".join(dict.fromkeys(_type(s) for s in shape["anyOf"]))
    kind = shape.get("type")
    if kind == "array":
        return f"list of {_type(shape.get('items', {}))}"
    if kind == "object" and shape.get("properties"):
        return "object of " + ", ".join(f"{n} ({_type(s)})" for n, s in shape["properties"].items())
    return _NAMES.get(str(kind), str(kind or "any value"))


@cache
def _prompt(name: str) -> Prompt:
    from agentkit.prompts import read_prompt

    return read_prompt(_FOLDER / f"{name}.prompt.md")
