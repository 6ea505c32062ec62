"""Which optional arguments a request speaks of: a small model fills in whatever it is offered.

An optional argument is offered to the decoder only if a word of its name, its description or its values occurs in
the request. Words that the tool's purpose or its required arguments use as well tell nothing and do not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_COMMON = {
    "auto", "from", "into", "more", "most", "only", "than", "that", "them", "these", "they", "this", "those", "too",
    "what", "when", "which", "whose", "with",
}  # fmt: skip
_NUMBER = re.compile(r"(?<![\w./:-])\d[\d.,]*\s?[a-z%]*(?![\w/.])|\b(two|three|four|five|six|ten|half|dozen)\b")
_STEM = 5


def asked_for(schema: Mapping[str, Any], summary: str, request: str) -> dict[str, Any]:
    """The schema of a tool without the optional arguments that the request does not mention."""
    shapes: Mapping[str, Any] = schema.get("properties", {})
    required = [n for n in shapes if n in schema.get("required", ())]
    empty = words(" ".join(f"{n} {shapes[n].get('description', '')}" for n in required))
    said, number = words(request), bool(_NUMBER.search(request.lower()))
    optional = {n: _own_words(n, s, empty, words(summary)) & said for n, s in shapes.items() if n not in required}
    numeric = {n for n in optional if shapes[n].get("type") in ("integer", "number")}
    # a bare number may mean any of them
    unclear = number and not any(optional[n] for n in numeric)
    kept = {
        n for n, words in optional.items() if (words and (n not in numeric or number)) or (n in numeric and unclear)
    }
    offered = {n: _narrowed(s, said) if n in kept else s for n, s in shapes.items() if n in required or n in kept}
    return {**schema, "properties": offered}


def _narrowed(shape: Mapping[str, Any], said: set[str]) -> Mapping[str, Any]:
    """Of an enum the values that are spoken of; of these the ones with all their words, if there are such."""
    values = {v: words(str(v)) for v in shape.get("enum", ())}
    spoken = [v for v, own in values.items() if own & said]
    whole = [v for v in spoken if values[v] <= said]
    return {**shape, "enum": whole or spoken} if spoken else shape


def _own_words(name: str, shape: Mapping[str, Any], empty: set[str], summary: set[str]) -> set[str]:
    if "enum" in shape:
        return words(" ".join(str(v) for v in shape["enum"]))
    own = (words(str(shape.get("description", "")), least=4) - summary) | words(name)
    if "name" in name.split("_"):
        own.add("call")
    return own - empty


def words(text: str, least: int = 3) -> set[str]:
    """Beginnings of the words of `least` letters and more, so that `probability` meets `probabilities`."""
    found = re.findall(r"[^\W\d_]+", text.lower())
    return {w.removesuffix("ed")[:_STEM] for w in found if len(w) >= least and w not in _COMMON}
