"""JSON schemas as the decoder needs them: self-contained, required properties first, one branch a tool."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

RESPOND = "respond"
"""The name of the branch that answers instead of calling a tool."""

_KEPT = {
    "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength", "minItems", "maxItems", "required", "description",
}  # fmt: skip
_FORMATS = {"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_DEPTH = 12


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with `$ref`s inlined, required properties first, and without keywords that cannot be decoded."""
    return _plain(schema, schema, 0)


def step_schema(
    tools: Mapping[str, Mapping[str, Any]], *, may_respond: bool, answer: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What one step of the model must look like: a call of one of `tools` (name -> plain schema), or an answer.

    `answer` is the plain schema of a structured answer; without it the answer is text.
    """
    branches = [_branch(name, parameters) for name, parameters in tools.items()]
    if may_respond:
        text = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
        branches.append(_branch(RESPOND, answer or text | {"additionalProperties": False}))
    return {"anyOf": branches}


def grammar(schema: Mapping[str, Any]) -> str:
    """The decoder's grammar for a schema, in the layout that `dumps` writes."""
    layout = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
    return "%llguidance {}\nstart: %json " + json.dumps({"x-guidance": layout, **schema}, ensure_ascii=False)


def dumps(step: Mapping[str, Any]) -> str:
    """A step exactly as the model itself would have written it."""
    return json.dumps(step, ensure_ascii=False)


def _branch(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"tool": {"const": name}, "arguments": arguments},
        "required": ["tool", "arguments"],
        "additionalProperties": False,
    }


def _plain(schema: Any, root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return {}
    if "$ref" in schema:
        extra = {k: v for k, v in schema.items() if k != "$ref"}
        return _plain({**_target(schema["$ref"], root), **extra}, root, depth + 1)
    if len(schema.get("allOf", ())) == 1:
        extra = {k: v for k, v in schema.items() if k != "allOf"}
        return _plain({**schema["allOf"][0], **extra}, root, depth + 1)
    kept = {k: v for k, v in schema.items() if k in _KEPT}
    kept |= _text_rules(schema)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            kept["anyOf"] = [_plain(s, root, depth + 1) for s in schema[keyword]]
    if "prefixItems" in schema:
        kept["prefixItems"] = [_plain(s, root, depth + 1) for s in schema["prefixItems"]]
    if isinstance(schema.get("items"), Mapping):
        kept["items"] = _plain(schema["items"], root, depth + 1)
    return kept | _members(schema, root, depth)


def _members(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    open_to = schema.get("additionalProperties")
    if "properties" not in schema:
        if schema.get("type") != "object":
            return {}
        return {"additionalProperties": _plain(open_to, root, depth + 1) if isinstance(open_to, Mapping) else True}
    required = schema.get("required", ())
    properties = {
        name: _without_null(shape) if name not in required else shape
        for name, shape in ((n, _plain(s, root, depth + 1)) for n, s in schema["properties"].items())
    }
    ordered = dict(sorted(properties.items(), key=lambda item: item[0] not in required))
    return {"type": "object", "properties": ordered, "additionalProperties": open_to is True}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """An optional argument is left out, never null."""
    branches = [b for b in schema.get("anyOf", ()) if b.get("type") != "null"]
    if "anyOf" not in schema or not branches:
        return schema
    rest = {k: v for k, v in schema.items() if k != "anyOf"}
    return {**branches[0], **rest} if len(branches) == 1 else {**rest, "anyOf": branches}


def _text_rules(schema: Mapping[str, Any]) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    if schema.get("format") in _FORMATS:
        rules["format"] = schema["format"]
    pattern = schema.get("pattern")
    # the decoder's regular expressions know neither look-around nor back references
    if isinstance(pattern, str) and not re.search(r"\(\?|\\[1-9]", pattern):
        rules["pattern"] = pattern
    return rules


def _target(ref: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for step in ref.removeprefix("#/").split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
