"""A search as a person means it: a query in words, embedded by the collection's model, reranked if asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentkit_rag.opening import model_of
from agentkit_rag.store.contract import (
    POOL,
    Collection,
    CollectionError,
    Filters,
    Hit,
    Mode,
    check_query,
    check_same,
)

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

Rerank = Callable[[str, Sequence[Hit]], Sequence[float]]
"""Scores of hits for a query, in their order; the highest is the best. A cross-encoder, say."""


class Search:
    """Searches of one collection. The embeddings are made when a mode first needs them."""

    def __init__(
        self, collection: Collection, embeddings: Callable[[], Embeddings], rerank: Rerank | None = None
    ) -> None:
        self.collection = collection
        self._embeddings, self._rerank = embeddings, rerank
        self._checked: Embeddings | None = None

    def __call__(
        self,
        query: str,
        k: int = 5,
        mode: Mode | None = None,
        filters: Filters | None = None,
        *,
        neighbours: int = 0,
        half_life: float | None = None,
    ) -> list[Hit]:
        """The best `k` hits, best first, each with so many neighbours joined. Raises CollectionError.

        With a reranker the best 50 are scored anew.
        """
        mode = mode or self.collection.modes[0]
        # before the query is embedded: that may cost money
        check_query(query, k, mode, half_life, self.collection.modes)
        vector = None if mode == "lexical" else self.checked().embed_query(query)
        wanted = max(POOL, k) if self._rerank else k
        hits = self.collection.search(query, vector, wanted, mode, filters, half_life=half_life)
        if self._rerank and hits:
            hits = _reranked(self._rerank, query, hits)[:k]
        return [self.collection.around(hit, neighbours) for hit in hits] if neighbours else hits

    def checked(self) -> Embeddings:
        """The embeddings, once they are known to be the collection's. Raises CollectionError."""
        if self._checked is None:
            found = self._embeddings()
            check_same(self.collection.name, self.collection.embedding, model_of(found))
            self._checked = found
        return self._checked


def _reranked(rerank: Rerank, query: str, hits: Sequence[Hit]) -> list[Hit]:
    scores = list(rerank(query, hits))
    if len(scores) != len(hits):
        raise CollectionError(f"the reranker gave {len(scores)} scores for {len(hits)} hits.")
    scored = [replace(hit, score=float(score)) for hit, score in zip(hits, scores, strict=True)]
    return sorted(scored, key=lambda hit: -hit.score)
