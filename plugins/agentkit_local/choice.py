"""Which tools matter for a request, where there are many: a small model is lost among seventeen.

The prompt's beginning describes every tool, in the order of registration: it is the same for all requests, and its
state is kept. Only the tools that share words with the request can be decoded. Of very many tools the beginning has
only the summaries; what the arguments of the chosen ones mean then follows with the request.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from agentkit_local.mentions import SMALL, beginnings
from agentkit_local.names import without_names
from agentkit_local.open_steps import BREAK

OFFERED = 8
"""Up to so many tools are offered for every request; of more, those that it speaks of."""
DESCRIBED = 20
"""Up to so many tools are described with their arguments in the prompt's beginning."""
CHOSEN = 8
"""So many are chosen where none is clear."""
_CLEAR, _NEAR = 0.8, 0.4
"""The best tool is clear if it scores so much of what a word counts that one tool alone uses; near it is so much."""
_NAME, _SUMMARY, _REQUIRED, _OPTIONAL = 3.0, 2.0, 1.0, 0.25
"""What a word of a tool's name counts, of its summary, of the arguments that it needs, and of the others."""
_WITHOUT = 0.3
"""What a tool that needs no argument counts where a file or model is named: it would be left aside."""
_SATURATION, _LENGTH = 1.2, 0.4
"""k1 and b of BM25: how little a second mention adds, and how much a long description takes away."""


def chosen(functions: Sequence[Mapping[str, Any]], request: str) -> list[str]:
    """The names of the tools that a request speaks of, in the order of registration; all if there are not many.

    Empty if its words tell too little. Each part of it has tools of its own: the best and those near it where that is
    clear, else more of them. They are ranked by BM25 over weighted fields (Robertson, Zaragoza and Taylor 2004). So a
    summary has the words in which people ask for its tool.
    """
    if len(functions) <= OFFERED:
        return [f["name"] for f in functions]
    tools = {f["name"]: _weights(f) for f in functions}
    bare = {f["name"] for f in functions if not (f.get("parameters") or {}).get("required")}
    clear = _CLEAR * _rareness(1, len(tools))
    found = {name for name in tools if name in request}
    parts, unclear = BREAK.split(request.rstrip(" .!?\n")), False
    for part in parts:
        said = without_names(part)
        scores = _scores(tools, _words(said))
        if said != part:
            scores |= {name: scores[name] * _WITHOUT for name in bare}
        best = max(scores.values())
        if best >= clear:
            found |= {name for name, score in scores.items() if score >= _NEAR * best}
        # of a follow-up that only names a file the words tell nothing
        unclear |= best < clear and (best > 0 or part == parts[-1])
    if unclear or not found:
        scores = _scores(tools, _words(without_names(request)))
        ranked = sorted((n for n, score in scores.items() if score > 0), key=lambda n: -scores[n])[:CHOSEN]
        # a word or two that stand somewhere by chance
        if len(ranked) < CHOSEN:
            return []
        found |= set(ranked)
    return [n for n in tools if n in found]


def offered(functions: Sequence[Mapping[str, Any]], request: str, conversation: str) -> list[str]:
    """The names of the tools that the next step may call: the chosen ones, and those that the conversation names."""
    found = chosen(functions, request)
    if not found:
        return [f["name"] for f in functions]
    return [f["name"] for f in functions if f["name"] in found or f["name"] in conversation]


def _scores(tools: Mapping[str, Mapping[str, float]], said: set[str]) -> dict[str, float]:
    frequency = Counter(word for weights in tools.values() for word in weights)
    lengths = {name: sum(weights.values()) for name, weights in tools.items()}
    mean = sum(lengths.values()) / len(tools)

    def score(name: str, word: str) -> float:
        weight = tools[name].get(word, 0)
        length = 1 - _LENGTH + _LENGTH * lengths[name] / mean
        return _rareness(frequency[word], len(tools)) * weight * (_SATURATION + 1) / (weight + _SATURATION * length)

    return {name: sum(score(name, word) for word in said) for name in tools}


def _rareness(tools: int, of: int) -> float:
    """The inverse document frequency of a word that so many tools use."""
    return math.log(1 + (of - tools + 0.5) / (tools + 0.5))


def _weights(function: Mapping[str, Any]) -> dict[str, float]:
    """What each word of a tool's description counts: as much as in the weightiest place where it stands."""
    parameters: Mapping[str, Any] = function.get("parameters") or {}
    shapes, required = parameters.get("properties", {}), parameters.get("required", ())
    weights: dict[str, float] = {}
    for needed, weight in ((False, _OPTIONAL), (True, _REQUIRED)):
        own = {n: s for n, s in shapes.items() if (n in required) == needed}
        texts = (f"{n} {s.get('description', '')} {' '.join(map(str, s.get('enum', ())))}" for n, s in own.items())
        weights |= dict.fromkeys(_words(" ".join(texts)), weight)
    weights |= dict.fromkeys(_words(str(function.get("description", ""))), _SUMMARY)
    return weights | dict.fromkeys(_words(function["name"]), _NAME)


def _words(text: str) -> set[str]:
    return beginnings(text, 1, SMALL)
