"""How hits are ranked: BM25, reciprocal rank fusion, recency, and maximal marginal relevance."""

from __future__ import annotations

from typing import Any

K1, B = 1.2, 0.75
"""BM25's saturation of term frequency and its share of length (Robertson and Zaragoza 2009)."""
RRF_K = 10
"""Reciprocal rank fusion (Cormack et al. 2009), who take 60; 10 was better on SciFact and Cranfield."""
USUAL_WORDS = 100.0
"""The mean length for which `impact` is reckoned. It only orders a term's postings; scores take the true mean."""
MMR_LAMBDA = 0.7
"""The share of relevance in maximal marginal relevance; the rest is how new a hit is."""


def diversified(vectors: Any, relevance: Any, k: int, share: float = MMR_LAMBDA) -> list[int]:
    """The rows of `vectors` (unit length, shape (n, dimension)) in the order of maximal marginal relevance.

    Carbonell and Goldstein 1998: each next one maximises share * relevance - (1 - share) * nearest already chosen.
    """
    import numpy as np

    left, chosen = list(range(len(vectors))), list[int]()
    nearest = np.full(len(vectors), -1.0)
    while left and len(chosen) < k:
        worth = share * relevance - (1 - share) * nearest if chosen else relevance
        best = max(left, key=lambda i: worth[i])
        left.remove(best)
        chosen.append(best)
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen
