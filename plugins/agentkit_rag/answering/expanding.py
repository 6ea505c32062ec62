"""More than one search for a question: worded anew by a model, or by the passage that would answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from agentkit_rag.answering.asking import asked
from agentkit_rag.store.contract import Hit
from agentkit_rag.store.ranking import RRF_K

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from agentkit.prompts import Prompts

Expand = Literal["none", "multi-query", "hyde"]


def queries(question: str, how: Expand, model: Callable[[], BaseChatModel], prompts: Prompts) -> list[str]:
    """The question, and what else is to be searched for. Raises ProviderError."""
    if how == "none":
        return [question]
    if how == "hyde":
        said = asked(model(), prompts.get("hypothetical-passage"), {"question": question}, 250).get("passage")
        more = [said] if isinstance(said, str) else []
    else:
        found = asked(model(), prompts.get("multi-query"), {"question": question}, 200).get("queries")
        more = [q for q in found if isinstance(q, str)] if isinstance(found, list) else []
    return list(dict.fromkeys([question, *(q.strip()[:1_000] for q in more if q.strip())]))


def fused(rankings: Sequence[Sequence[Hit]], k: int) -> list[Hit]:
    """The best `k` hits of several rankings by reciprocal rank fusion; `score` is the fused one."""
    if len(rankings) == 1:
        return list(rankings[0][:k])
    scores: dict[tuple[str, int], float] = {}
    hits: dict[tuple[str, int], Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            key = (hit.source, hit.position)
            hits.setdefault(key, hit)
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + rank)
    best = sorted(scores, key=lambda key: -scores[key])[:k]
    return [replace(hits[key], score=scores[key]) for key in best]
