"""What a request speaks of that no call has dealt with yet: a small model stops after its first step.

What is found here is told to the model beside a tool's result. It decides: a word of the request may mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentkit_local.mentions import SMALL, beginnings, words
from agentkit_local.names import FILE

Call = tuple[str, Mapping[str, Any]]
"""A tool and the arguments that it was called with."""
_HANDLE = re.compile(r"\b[a-z]+:[\w.-]+(?:/\d+)?")
BREAK = re.compile(r"[,;!?]\s+|\.\s+|\n|(?:\b(?:and|then|finally|afterwards)\b[\s,]*)+", re.IGNORECASE)
"""Where one part of a request ends and the next begins."""
_ENOUGH = 2
"""New words of a question that is still open: of one word it may be said in the result in other words."""
_ASKS = re.compile(r"\b(?:how|what|when|where|whether|which|who|whom|whose|why)\b", re.IGNORECASE)


def open_steps(
    request: str,
    tools: Sequence[Mapping[str, Any]],
    done: Sequence[Call],
    files: Sequence[str] | None = None,
    results: str = "",
) -> list[str]:
    """The parts of `request` with a file, handle, tool or value that stands in none of the calls, in its order.

    And questions most of whose words are new: in no call, description of a called tool, nor `results`.
    `tools` are functions in OpenAI's form, with plain schemas. `files`, if they are known: a file that is not among
    them was misspelt, and a call that used the right one has dealt with it. Empty if nothing has been done yet.
    """
    if not done:
        return []
    found = {*_names(request, done, files), *_tools(request, tools, done), *_values(request, tools, done)}
    explained = words(" ".join([results, *_called(tools, done), *(t for _, args in done for t in _texts(args))]))
    ends = [(m.start(), m.end()) for m in BREAK.finditer(request)]
    starts = [0, *(end for _, end in ends)]
    parts = list(zip(starts, [*(start for start, _ in ends), len(request)], strict=True))
    return [
        request[start:end].strip()
        for start, end in parts
        if any(start <= place < end for place in found) or _asks(request[start:end], explained)
    ]


def _asks(part: str, explained: set[str]) -> bool:
    """Whether it is a question about something that has not come up so far."""
    own = beginnings(_ASKS.sub(" ", part), 4, SMALL)
    new = own - explained
    return bool(_ASKS.search(part)) and len(new) >= _ENOUGH and len(new) > len(own) / 2


def _names(request: str, done: Sequence[Call], files: Sequence[str] | None) -> Iterator[int]:
    used = {_bare(v) for _, args in done for v in _texts(args)}
    used |= {name.rpartition("/")[2] for name in used}  # a file that is said without its folder
    for pattern, known in ((FILE, files), (_HANDLE, None)):
        for match in pattern.finditer(request):
            if _bare(match[0]) not in used and (known is None or match[0] in known):
                yield match.start()


def _tools(request: str, tools: Sequence[Mapping[str, Any]], done: Sequence[Call]) -> Iterator[int]:
    """Tools whose name is said, unless a tool that was called explains the word ("train a model that predicts")."""
    called = {name for name, _ in done}
    explained = words(" ".join(_called(tools, done)))
    said = words(request)
    for name in (t["name"] for t in tools if t["name"] not in called):
        if words(name) <= said and not words(name) <= explained:
            yield _place(request, name)


def _values(request: str, tools: Sequence[Mapping[str, Any]], done: Sequence[Call]) -> Iterator[int]:
    """Values that are said beside one that was used: linear and then random_forest."""
    said = words(request)
    for tool in tools:
        calls = [args for name, args in done if name == tool["name"]]
        for name, shape in tool.get("parameters", {}).get("properties", {}).items():
            spoken = [v for v in shape.get("enum", ()) if words(str(v)) and words(str(v)) <= said]
            given = [args[name] for args in calls if name in args]
            used = [v for value in given for v in (value if isinstance(value, list) else [value])]
            if any(v in used for v in spoken):
                yield from (_place(request, str(v)) for v in spoken if v not in used)


def _called(tools: Sequence[Mapping[str, Any]], done: Sequence[Call]) -> list[str]:
    """What the descriptions of the called tools say."""
    called = {name for name, _ in done}
    return [_described(t) for t in tools if t["name"] in called]


def _described(tool: Mapping[str, Any]) -> str:
    shapes = tool.get("parameters", {}).get("properties", {})
    return " ".join(
        [
            tool["name"],
            str(tool.get("description", "")),
            *(f"{n} {s.get('description', '')}" for n, s in shapes.items()),
        ]
    )


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [t for v in value.values() for t in _texts(v)]
    if isinstance(value, list):
        return [t for v in value for t in _texts(v)]
    return [value] if isinstance(value, str) else []


def _bare(name: str) -> str:
    return name.lower().removeprefix("./")


def _place(request: str, name: str) -> int:
    return request.lower().find(re.split(r"[^a-z]", name.lower())[0][:4])
