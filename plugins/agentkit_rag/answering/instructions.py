"""Sentences in documents that speak to the model that reads them, not to people.

A document is data. The prompt says so, the model has no tools while it answers, and every quote is checked; what is
plainly an order to a model is also kept from it, since a small model obeys what it reads. The list is short on purpose:
a sentence that only speaks about such orders may be caught too, and the answer's notes tell that something was.
"""

from __future__ import annotations

import re

LEFT_OUT = "[left out: speaks to the reading model]"
_ORDERS = re.compile(
    r"""\b(?:ignore|disregard|forget|override)\b[^.!?\n]{0,40}\b(?:instructions?|prompts?|rules|question|context
        |everything\ (?:above|before))\b
    |\b(?:you\ are\ now|act\ as|pretend\ to\ be)\b[^.!?\n]{0,30}\b(?:ai|assistant|model|chatbot|dan)\b
    |\b(?:reveal|repeat|print|show|output)\b[^.!?\n]{0,25}\b(?:system|developer)\ (?:prompt|message)\b
    |\b(?:respond|reply|answer|say)\b[^.!?\n]{0,15}(?:\bonly\ with\b|\bwith\ only\b|\bnothing\ but\b|\bexactly\s*[:"'])
    |(?:^|\W)new\ instructions?\s*:
    |\b(?:note|instructions?|message)\ (?:to|for)\ (?:the\ |any\ |all\ )?(?:ai|llms?|assistants?|language\ models?)\b
    |<\|[a-z_]+\|>""",
    re.IGNORECASE | re.VERBOSE,
)
_SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?]+|\n|$)")
_TAG = re.compile(r"<(?=/?passage\b)", re.IGNORECASE)


def orders_in(text: str) -> bool:
    """Whether a text speaks to a model."""
    return _ORDERS.search(text) is not None


def orders_at(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence that speaks to a model."""
    return [found.span() for found in _SENTENCE.finditer(text) if orders_in(found[0])]


def as_data(text: str) -> tuple[str, int]:
    """A passage as the model may read it, and how many sentences were left out. It cannot end its own block."""
    spans = orders_at(text)
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += [text[at:start], " ", LEFT_OUT, "\n" if text[end - 1] == "\n" else ""]
        at = end
    parts.append(text[at:])
    return _TAG.sub("\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "".join(parts)).replace("<|", "< |"), len(spans)
