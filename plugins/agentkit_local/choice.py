"""Which tools matter for a request, where there are many: a small model is lost among fourteen.

The prompt's beginning describes every tool, in the order of registration: it is the same for all requests, and its
state is kept. Only the tools that share words with the request can be decoded. Of very many tools the beginning has
only the summaries; what the arguments of the chosen ones mean then follows with the request.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from agentkit_local.mentions import beginnings

OFFERED = 8
"""Up to so many tools are offered for every request; of more, those that it speaks of."""
DESCRIBED = 20
"""Up to so many tools are described with their arguments in the prompt's beginning."""
CHOSEN = 6
_ENOUGH = 2
"""A request that speaks of fewer tools than this is in words that no tool uses: all are offered then."""


def chosen(functions: Sequence[Mapping[str, Any]], request: str) -> list[str]:
    """The names of the tools that a request speaks of, in the order of registration; all if there are not many.

    Empty if its words tell nothing. Words of a name count three times, of a summary twice, of an argument once, and
    the more the fewer tools use them (the inverse document frequency of text retrieval). Small words count, too: who
    asks "how many" asks about rows. So a summary has the words in which people ask for its tool.
    """
    if len(functions) <= OFFERED:
        return [f["name"] for f in functions]
    own = {f["name"]: _weights(f) for f in functions}
    frequency = Counter(word for weights in own.values() for word in weights)
    said = beginnings(request)
    scores = {
        name: sum(weight * math.log(len(own) / frequency[w]) for w, weight in weights.items() if w in said)
        for name, weights in own.items()
    }
    ranked = sorted((n for n, score in scores.items() if score > 0), key=lambda n: -scores[n])[:CHOSEN]
    named = [n for n in own if n in request]
    found = {*ranked, *named} if len(ranked) >= _ENOUGH or named else set()
    return [n for n in own if n in found]


def offered(functions: Sequence[Mapping[str, Any]], request: str, conversation: str) -> list[str]:
    """The names of the tools that the next step may call: the chosen ones, and those that the conversation names."""
    found = chosen(functions, request)
    if not found:
        return [f["name"] for f in functions]
    return [f["name"] for f in functions if f["name"] in found or f["name"] in conversation]


def _weights(function: Mapping[str, Any]) -> dict[str, int]:
    shapes: Mapping[str, Any] = (function.get("parameters") or {}).get("properties", {})
    arguments = " ".join(
        f"{n} {s.get('description', '')} {' '.join(map(str, s.get('enum', ())))}" for n, s in shapes.items()
    )
    weights = dict.fromkeys(beginnings(arguments), 1)
    weights |= dict.fromkeys(beginnings(str(function.get("description", ""))), 2)
    return weights | dict.fromkeys(beginnings(function["name"]), 3)
