"""A conversation as the model reads it: tools in the system prompt, its own steps as the JSON it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit_local.choice import DESCRIBED, chosen
from agentkit_local.open_steps import Call, open_steps
from agentkit_local.schema import RESPOND, dumps, plain

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

    from agentkit.prompts import Prompt

_FOLDER = Path(__file__).parent / "prompts"
_PYTHON = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "object": "dict", "null": "None"}
_REQUEST_LIMIT = 600


def render(
    messages: Sequence[BaseMessage],
    tools: Sequence[Mapping[str, Any]],
    *,
    forced: bool = False,
    answer: Mapping[str, Any] | None = None,
) -> tuple[list[dict[str, str]], int]:
    """Messages for llama.cpp, and how many at the start are worth keeping: the same in other conversations.

    `tools` are in OpenAI's form. The examples show which to call and when to respond;
    a single tool that must be called needs none. `answer` is the schema of a structured answer: it is told at the end,
    so that the beginning stays the same.
    """
    from langchain_core.messages import SystemMessage

    system = "\n\n".join(m.text for m in messages if isinstance(m, SystemMessage))
    fixed: list[dict[str, str]] = []
    if tools:
        prompt = _prompt("tools")
        described = [_describe(t["function"]) for t in tools]
        if len(tools) > DESCRIBED:
            described = [{**d, "arguments": []} for d in described]
        system = prompt.text("system", system=system, tools=described)
        examples = prompt.header.examples
        fixed = [_example(e) for e in examples] if _shared(tools, forced) and isinstance(examples, list) else []
    if system:
        fixed.insert(0, {"role": "system", "content": system})
    functions = [{**t["function"], "parameters": plain(t["function"].get("parameters") or {})} for t in tools]
    spoken = [*fixed, *_conversation(messages, functions)]
    if answer is not None:
        form = _prompt("answer").text("user", respond=_describe({"name": RESPOND, "parameters": answer}))
        spoken[-1] = {**spoken[-1], "content": f"{spoken[-1]['content']}\n\n{form}"}
    return spoken, len(fixed) if _shared(tools, forced) else 0


def _shared(tools: Sequence[Mapping[str, Any]], forced: bool) -> bool:
    """Whether the beginning serves many requests: tools that may be called, or a system prompt alone.

    A tool that must be called is structured output, with a prompt of its own each time.
    """
    return not forced or len(tools) > 1


def request_of(messages: Iterable[BaseMessage]) -> str:
    """What the user asked for last, and before that ("yes, do that")."""
    return "\n".join([_own_words(m) for m in messages if m.type == "human"][-2:])


def _own_words(message: BaseMessage) -> str:
    """What the user said, without what the agent wrote beside it."""
    return str(message.additional_kwargs.get("agentkit_said", message.text))


def _conversation(messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    from langchain_core.messages import AIMessage, SystemMessage, ToolMessage

    request, before, files, asked, done, results = "", "", None, dict[str, Call](), list[Call](), list[str]()
    for message in messages:
        if isinstance(message, AIMessage):
            asked = {str(c["id"]): (c["name"], c["args"]) for c in message.tool_calls}
            yield _said("\n".join(_steps(message, bool(tools))))
        elif isinstance(message, ToolMessage):
            failed = message.status == "error"
            if message.tool_call_id in asked and not failed:
                done.append(asked[message.tool_call_id])
                results.append(message.text)
            left = open_steps(request, tools, done, files, " ".join(results))
            yield _result(message.name or "the tool", message.text, failed, request, left)
        elif not isinstance(message, SystemMessage):
            before, request = request, _own_words(message)
            files, done, results = message.additional_kwargs.get("agentkit_files"), [], []
            yield {"role": "user", "content": _with_arguments(message.text, tools, f"{before}\n{request}")}


def _with_arguments(text: str, tools: Sequence[Mapping[str, Any]], request: str) -> str:
    """The user's message, with what the beginning of a prompt with very many tools leaves out."""
    matter = chosen(tools, request) if len(tools) > DESCRIBED else []
    described = [{"name": t["name"], **_describe(t)} for t in tools if t["name"] in matter]
    with_arguments = [d for d in described if d["arguments"]]
    return _prompt("arguments").text("user", request=text, tools=with_arguments) if with_arguments else text


def _steps(message: AIMessage, with_tools: bool) -> Iterator[str]:
    if message.text and with_tools and not message.tool_calls:
        yield _answer(message.text)
    elif message.text:
        yield message.text
    for call in message.tool_calls:
        yield dumps({"tool": call["name"], "arguments": call["args"]})


def _example(line: Mapping[str, Any]) -> dict[str, str]:
    """One line of an example conversation: user, call with arguments, result, error or respond."""
    if "user" in line:
        return {"role": "user", "content": line["user"]}
    if "call" in line:
        return _said(dumps({"tool": line["call"], "arguments": line["arguments"]}))
    if "respond" in line:
        return _said(_answer(line["respond"]))
    failed = "error" in line
    return _result(line["of"], line["error" if failed else "result"], failed, line["request"])


def _result(name: str, text: str, failed: bool, request: str, left: Sequence[str] = ()) -> dict[str, str]:
    short = request if len(request) <= _REQUEST_LIMIT else request[:_REQUEST_LIMIT] + " ..."
    content = _prompt("result").text("user", name=name, text=text, failed=failed, request=short, left=list(left))
    return {"role": "user", "content": content}


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _answer(text: str) -> str:
    return dumps({"tool": RESPOND, "arguments": {"answer": text}})


def _describe(function: Mapping[str, Any]) -> dict[str, Any]:
    schema = plain(function.get("parameters") or {})
    shapes: Mapping[str, Any] = schema.get("properties", {})
    required = schema.get("required", ())
    parameters = [f"{n}: {_type(s)}{'' if n in required else ' = None'}" for n, s in shapes.items()]
    described = [{"name": n, "description": _line(s["description"])} for n, s in shapes.items() if s.get("description")]
    return {
        "signature": f"{function['name']}({', '.join(parameters)})",
        "summary": _line(function.get("description")),
        "arguments": described,
    }


def _type(shape: Mapping[str, Any]) -> str:
    if "const" in shape or "enum" in shape:
        values = shape.get("enum", [shape.get("const")])
        return f"Literal[{', '.join(json.dumps(v, ensure_ascii=False) for v in values)}]"
    if "anyOf" in shape:
        return " | ".join(dict.fromkeys(_type(s) for s in shape["anyOf"]))
    if shape.get("type") == "array":
        return f"list[{_type(shape.get('items', {}))}]"
    if shape.get("properties"):
        return f"{{{', '.join(f'{n}: {_type(s)}' for n, s in shape['properties'].items())}}}"
    return _PYTHON.get(str(shape.get("type")), "Any")


def _line(text: object) -> str:
    return " ".join(str(text or "").split())


@cache
def _prompt(name: str) -> Prompt:
    from agentkit.prompts import read_prompt

    return read_prompt(_FOLDER / f"{name}.prompt.md")
