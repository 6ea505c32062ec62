"""Names are copied, not invented: what a file, a column or a model may be called in a call stands in the conversation.

The arguments are known by their names, which are the same in every tool: `dataset`, `target`, ... A name that the
user misspelt stays possible; the tool's error then names the right one, and that stands in the conversation too.
A `question` is copied, too: a small model adds what it read elsewhere, and does not find its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agentkit_local.mentions import SMALL, beginnings

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

REFERENCES = {"reference"}
"""What data are compared with: a file, or the model that learned from it."""
FILES = {"dataset", "current"} | REFERENCES
COLUMNS = {"target", "time_column", "group_column"}
MODELS = {"model"}
QUESTIONS = {"question"}
FILE = re.compile(r"(?<![\w./:*-])/?(?:[\w.*-]+/)*[\w.*-]*[\w*-]\.[a-z][a-z0-9]{1,7}\b(?!/)")
"""A word with an ending, such as data/a.csv."""
_HANDLE = re.compile(r"\bmodel:[A-Za-z0-9][\w.-]*\w(?:/\d+|@\w+)?|\bmodel:\w\b")
_FOLDER = re.compile(r"(?<![\w./:*-])/?(?:[\w.*-]+/)+[\w.*-]*")
_QUOTED = re.compile(r"'([^'\n]{1,80})'|\"([^\"\n]{1,80})\"|`([^`\n]{1,80})`|^- ([^:\n]{1,80}):", re.MULTILINE)
_WORD = re.compile(r"[^\W_][\w.-]*\w|\w")
_NO_SPACES = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_ENDS = re.compile(r"[.?!]+(?=\s|$)|(?=\s*[,;:]\s)|(?=\s+(?:and|then)\s)|(?=\s*(?:\n|$))")
_LONGEST = 4
_MOST = 400
_REWORDED = 300
"""Characters of a question that is worded anew."""
_FEW = 3


def with_names(shape: Mapping[str, Any], messages: Sequence[BaseMessage], said: str) -> dict[str, Any]:
    """The schema with the names that its files, columns and models may have. `said`: the user's own words of late."""
    properties: dict[str, Any] = dict(shape.get("properties", {}))
    for name, schema in properties.items():
        if schema.get("type") != "string" or "enum" in schema:
            continue
        known = _known(name, messages, said)
        if 0 < len(known) <= _MOST:
            properties[name] = {**schema, "enum": known}
        elif name in QUESTIONS:
            properties[name] = {"maxLength": _REWORDED, **schema}
    return {**shape, "properties": properties}


def _known(name: str, messages: Sequence[BaseMessage], said: str) -> list[str]:
    """What an argument of this name may be; nothing if it may be anything."""
    results = [m.text for m in messages if m.type == "tool"]
    told = [*(m.text for m in messages if m.type == "human"), *results]
    if name in REFERENCES and (meant := _handles([said])):
        return [*_files([said]), *meant]
    if name in FILES:
        models = _references(said, told) if name in REFERENCES else []
        return [*_files_meant(said, told, results), *models]
    if name in MODELS and (handles := _handles(told)):
        bare = [h.removeprefix("model:") for h in handles]
        # a word that a handle is called by means that handle: without its version it may be cut short
        named = {re.split("[/@]", b)[0] for b in bare}
        words = [w for w in _phrases(said) if w not in named]
        return list(dict.fromkeys([*handles, *bare, *(f"model:{w}" for w in words if " " not in w), *words]))
    if name in COLUMNS and not _NO_SPACES.search(said):
        return list(dict.fromkeys([*_quoted([said, *told]), *_phrases(said)]))
    if name in QUESTIONS and not _goes_on(name, messages):
        return _runs(said)
    return []


def _files_meant(said: str, told: Sequence[str], results: Sequence[str]) -> list[str]:
    """Files and folders: what the request names goes before what the thread knows."""
    known = _files([said, *results[-3:]]) if FILE.search(said) else _files(told)
    folders = (m[0].rstrip(".") for m in _FOLDER.finditer(said))
    return list(dict.fromkeys([*known, *folders]))


def _references(said: str, texts: Sequence[str]) -> list[str]:
    """The models that data may be compared with; where none was told and one is meant, any word may be its name."""
    if handles := _handles(texts):
        return handles
    return [f"model:{w}" for w in _phrases(said) if " " not in w] if "model" in said.lower() else []


def without_names(text: str) -> str:
    """The text without the names of files and models."""
    return FILE.sub(" ", _HANDLE.sub(" ", text))


def _goes_on(name: str, messages: Sequence[BaseMessage]) -> bool:
    """Whether the last message only makes sense with a question that was asked before ("And by month?")."""
    asked = any(name in call["args"] for m in messages for call in getattr(m, "tool_calls", ()))
    last = next((m.additional_kwargs.get("agentkit_said", m.text) for m in reversed(messages) if m.type == "human"), "")
    return asked and len(beginnings(last, 1, SMALL)) < _FEW


def _files(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(m[0] for text in texts for m in FILE.finditer(text)))


def _handles(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(m[0] for text in texts for m in _HANDLE.finditer(text)))


def _quoted(texts: Iterable[str]) -> list[str]:
    return [next(filter(None, m.groups())) for text in texts for m in _QUOTED.finditer(text)]


def _phrases(text: str) -> list[str]:
    """Runs of up to four words, as they stand there: a column may be called `house price`."""
    phrases: list[str] = []
    for part in re.split(r"[,;:!?()\n]|\.\s", text):
        places = [m.span() for m in _WORD.finditer(part)]
        phrases += [
            part[places[i][0] : places[j][1]]
            for i in range(len(places))
            for j in range(i, min(i + _LONGEST, len(places)))
        ]
    return phrases


def _runs(text: str) -> list[str]:
    """What a text may ask: from any word to the end of a sentence or of its part, the longest first."""
    runs: list[str] = []
    for line in text.splitlines():
        ends = [m.end() for m in _ENDS.finditer(line)]
        starts = [m.start() for m in re.finditer(r"\S+", line)]
        runs += [line[start:end] for start in starts for end in ends if end > start]
    return list(dict.fromkeys(sorted(runs, key=len, reverse=True)))
