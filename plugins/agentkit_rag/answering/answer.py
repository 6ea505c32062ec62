"""A question and passages to claims: drafted by a chat model, kept only if their quotes stand in the passages."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit.figures import unknown_figures
from agentkit_rag.answering.asking import asked
from agentkit_rag.answering.grounding import grounded
from agentkit_rag.answering.instructions import as_data, orders_at, orders_in
from agentkit_rag.answering.quotes import located
from agentkit_rag.store.contract import Hit

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from agentkit.prompts import Prompts

PROMPT = "ask-documents"
_MOST_TOKENS = 500
_LONGEST = 2_000
"""Characters of a passage that the model reads."""


@dataclass(frozen=True)
class Claim:
    """A sentence and its proof: characters `start` to `end` of the text of `hit.source`, which are `quote`."""

    text: str
    hit: Hit
    quote: str
    start: int
    end: int


@dataclass(frozen=True)
class Answered:
    """The claims that hold, how many did not, and how many sentences of documents were kept from the model."""

    claims: tuple[Claim, ...]
    refused: int = 0
    withheld: int = 0


def answer(question: str, hits: Sequence[Hit], model: BaseChatModel, prompts: Prompts) -> Answered:
    """What the passages say to a question; no claims if they say nothing. Raises ProviderError."""
    if not hits:
        return Answered(())
    shown = [as_data(hit.text[:_LONGEST]) for hit in hits]
    passages = [
        {"number": n, "place": _place(hit), "text": text}
        for n, (hit, (text, _)) in enumerate(zip(hits, shown, strict=True), 1)
    ]
    prompt = prompts.get(PROMPT)
    given = {"question": question, "passages": passages}
    said = asked(model, prompt, given, _MOST_TOKENS, _numbered(prompt.header.output or {}, len(hits)))
    drafts = said.get("claims")
    claims: dict[str, Claim] = {}
    refused = 0
    for draft in drafts if isinstance(drafts, list) else ():
        claim = _held(draft, question, hits)
        if claim is None:
            refused += 1
        else:
            claims.setdefault(claim.text.casefold(), claim)
    return Answered(tuple(claims.values()), refused, sum(count for _, count in shown))


def _held(draft: Any, question: str, hits: Sequence[Hit]) -> Claim | None:
    """The claim, if its quote stands in a passage that has its figures and its words; the one that it names first."""
    if not isinstance(draft, dict):
        return None
    text, quote, number = (draft.get(key) for key in ("claim", "quote", "passage"))
    if not (isinstance(text, str) and text.strip() and isinstance(quote, str)):
        return None
    if orders_in(text):
        return None
    named = [hits[number - 1]] if isinstance(number, int) and 0 < number <= len(hits) else []
    for hit in [*named, *(h for h in hits if h not in named)]:
        place = located(quote, hit.text)
        if place is None:
            continue
        start, end = place
        ordered = any(s < end and start < e for s, e in orders_at(hit.text))
        passage = "\n".join([*hit.title_path, hit.text])
        if ordered or unknown_figures(text, f"{passage}\n{question}") or not grounded(text, question, passage):
            return None
        return Claim(" ".join(text.split()), hit, hit.text[start:end], hit.start + start, hit.start + end)
    return None


def _numbered(schema: dict[str, Any], count: int) -> dict[str, Any]:
    """The schema of the prompt file with the numbers of the passages there are."""
    shape = copy.deepcopy(schema)
    try:
        shape["properties"]["claims"]["items"]["properties"]["passage"]["enum"] = list(range(1, count + 1))
    except (KeyError, TypeError):
        return schema  # a project's own prompt file may have another shape
    return shape


def _place(hit: Hit) -> str:
    page = f", page {hit.page}" if hit.page is not None else ""
    path = " > ".join(hit.title_path)[:120]
    told = f"{hit.source}{page}{f', {path}' if path else ''}"
    return as_data(told.replace('"', "'").replace("\n", " "))[0]
