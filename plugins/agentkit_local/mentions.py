"""Which optional arguments a request speaks of: a small model fills in whatever it is offered.

An optional argument is offered to the decoder only if a word of its name, its description or its values occurs in
the request. Words that the tool's purpose or its required arguments use as well tell nothing and do not count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

_COMMON = {
    "auto", "from", "into", "more", "most", "only", "than", "that", "them", "these", "they", "this", "those", "too",
    "what", "when", "which", "whose", "with",
}  # fmt: skip
SMALL = {
    "a", "about", "all", "already", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "being", "but",
    "by", "can", "could", "did", "do", "does", "doing", "done", "for", "from", "get", "give", "go", "had", "has",
    "have", "here", "i", "if", "in", "into", "is", "it", "its", "just", "let", "like", "make", "may", "me", "my",
    "need", "no", "not", "now", "of", "off", "on", "one", "or", "our", "out", "please", "should", "show", "so", "some",
    "still", "take", "tell", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this",
    "those", "to", "too", "up", "us", "use", "used", "using", "was", "we", "were", "what", "when", "will", "with",
    "without", "would", "yes", "you", "your",
}  # fmt: skip
"""Words that stand in any request. "How many", "who" or "which" do not: who asks so asks about rows."""
_NUMBER = re.compile(r"(?<![\w./:-])\d[\d.,]*\s?[a-z%]*(?![\w/.])|\b(two|three|four|five|six|ten|half|dozen)\b")
_UNIT = re.compile(r"[km]$|thousand|million|second|minute|hour|day|week|month|year")
_STEM = 5
_NOTHING = {"", "none", "null"}


def asked_for(schema: Mapping[str, Any], summary: str, request: str) -> dict[str, Any]:
    """The schema of a tool without the optional arguments that the request does not mention.

    Those that it speaks of clearly become required: a value in full, a number with its unit, "call it ...".
    """
    shapes: Mapping[str, Any] = schema.get("properties", {})
    required = [n for n in shapes if n in schema.get("required", ())]
    empty = words(" ".join(f"{n} {shapes[n].get('description', '')}" for n in required))
    said, number = words(request), bool(_NUMBER.search(request.lower()))
    optional = {
        n: (_own_words(n, s, empty, words(summary)) & said) - _several(n, s, request)
        for n, s in shapes.items()
        if n not in required
    }
    numeric = {n for n in optional if shapes[n].get("type") in ("integer", "number")}
    # a bare number may mean any of them
    unclear = number and not any(optional[n] for n in numeric)
    spoken = _spoken_values({n: shapes[n] for n in optional if "enum" in shapes[n]}, request)
    kept = {
        n
        for n, found in optional.items()
        if spoken.get(n, found and (n not in numeric or number)) or (n in numeric and unclear)
    }
    offered = {n: s for n, s in shapes.items() if n in required or n in kept}
    offered |= {n: {**shapes[n], "enum": values} for n, values in spoken.items() if values}
    if unclear and (numbers := _numbers(request)):
        offered |= {n: {**shapes[n], "enum": numbers} for n in numeric & kept}
    clear = {n for n, values in spoken.items() if values and all(words(str(v)) <= said for v in values)}
    clear |= {n for n in kept if (n in numeric and optional[n]) or "call" in optional[n]}
    return {**schema, "properties": offered, "required": [*required, *(n for n in shapes if n in clear)]}


def _numbers(request: str) -> list[int]:
    """The whole numbers of a request; none if some number stands there that a call may have in other words."""
    found = [m[0].rstrip(" .,") for m in _NUMBER.finditer(request.lower())]
    whole = [re.fullmatch(r"(\d+)(?:[ .,]+([a-z]+))?", number) for number in found]
    if any(match is None or _UNIT.match(match[2] or "") for match in whole):
        return []
    return list(dict.fromkeys(int(match[1]) for match in whole if match))


def _spoken_values(shapes: Mapping[str, Mapping[str, Any]], request: str) -> dict[str, list[Any]]:
    """Of each enum the values that are spoken of, in full if there are such.

    A word that belongs to a longer value means that one: the random of a random forest is no random split. So do two
    words that the description of one has side by side, as the request has ("logistic regression"): all its values stay.
    """
    said, side_by_side = words(request), _pairs(request)
    described = {n: _pairs(str(shape.get("description", ""))) & side_by_side for n, shape in shapes.items()}
    parts = {v: words(str(v)) for shape in shapes.values() for v in shape["enum"]}
    full = [frozenset(own) for own in parts.values() if own and own <= said]
    full += [pair for pairs in described.values() for pair in pairs]
    spoken: dict[str, list[Any]] = {}
    for name, shape in shapes.items():
        values = shape["enum"]
        whole = [v for v in values if parts[v] in full and not any(parts[v] < longer for longer in full)]
        some = [v for v in values if parts[v] & said and not any(parts[v] & said <= longer for longer in full)]
        spoken[name] = whole or some or (list(values) if described[name] else [])
    return spoken


def _pairs(text: str) -> set[frozenset[str]]:
    """The words that stand side by side."""
    found = re.findall(r"[^\W\d_]+|[^\w\s]", text.lower())
    pairs = ((words(one), words(two)) for one, two in pairwise(found))
    return {frozenset(one | two) for one, two in pairs if one and two}


def _own_words(name: str, shape: Mapping[str, Any], empty: set[str], summary: set[str]) -> set[str]:
    own = (words(str(shape.get("description", "")), least=4) - summary) | words(name)
    if "name" in name.split("_"):
        own.add("call")
    return own - empty


def _several(name: str, shape: Mapping[str, Any], request: str) -> set[str]:
    """The words of a name that a request only has for more than one: "which tables" names no table."""
    if shape.get("type") != "string":
        return set()
    said = set(re.findall(r"[^\W\d_]+", request.lower()))
    return words(" ".join(part for part in name.split("_") if part not in said and f"{part}s" in said))


def told(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call without optional ones that only say that there is none, such as "None"."""
    shapes, required = schema.get("properties", {}), schema.get("required", ())

    def nothing(name: str, value: Any) -> bool:
        empty = isinstance(value, str) and value.strip().lower() in _NOTHING
        return empty and name not in required and value not in shapes.get(name, {}).get("enum", ())

    return {name: value for name, value in arguments.items() if not nothing(name, value)}


def words(text: str, least: int = 3) -> set[str]:
    """Beginnings of the words of a text, without those that stand in any request."""
    return beginnings(text, least, _COMMON)


def beginnings(text: str, least: int = 3, without: Collection[str] = ()) -> set[str]:
    """Beginnings of the words of `least` letters and more, so that `probability` meets `probabilities`."""
    found = re.findall(r"[^\W\d_]+", text.lower())
    return {w.removesuffix("ed")[:_STEM] for w in found if len(w) >= least and w not in without}
