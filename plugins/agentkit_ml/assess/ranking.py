"""Metrics of rankings, as plain functions: rows of one query are ranked by score, and the queries are averaged.

Arrays have one entry a row. `queries` holds the query of each row, of any type. Queries without a relevant row have no
order that could be right or wrong: they are left out, and ValueError is raised if there are no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ndcg(relevance: NDArray[Any], scores: NDArray[Any], queries: NDArray[Any], k: int | None = None) -> float:
    """Normalised discounted cumulative gain of the first `k` rows (all if None), 0 to 1.

    Gains are the relevances themselves (0 or more), discounts log2(rank + 1), ties of scores count as the mean of their
    orders: scikit-learn's `ndcg_score` (Jaervelin and Kekaelaeinen 2002; McSherry and Najork 2008 for ties).
    """
    import numpy as np

    if (np.asarray(relevance) < 0).any():
        raise ValueError("relevance must not be negative.")

    def one(gains: NDArray[Any], said: NDArray[Any]) -> float:
        discounts = 1 / np.log2(np.arange(2, len(gains) + 2))
        if k is not None:
            discounts[k:] = 0
        best = float((np.sort(gains)[::-1] * discounts).sum())
        groups = np.unique(-said, return_inverse=True)[1]
        means = np.bincount(groups, weights=gains) / np.bincount(groups)
        return float((means[np.sort(groups)] * discounts).sum()) / best

    return _mean(one, relevance, scores, queries)


def mean_average_precision(relevant: NDArray[Any], scores: NDArray[Any], queries: NDArray[Any]) -> float:
    """The mean over queries of the average precision: scikit-learn's `average_precision_score` of each.

    `relevant`: more than 0 for what should come first. Equal scores share a rank.
    """
    import numpy as np

    from agentkit_ml.assess.statistics import average_precision

    def one(gains: NDArray[Any], said: NDArray[Any]) -> float:
        return float(average_precision((gains > 0).astype(float), said)(np.ones((1, len(said))))[0])

    return _mean(one, relevant, scores, queries)


def mean_reciprocal_rank(relevant: NDArray[Any], scores: NDArray[Any], queries: NDArray[Any]) -> float:
    """The mean over queries of 1 / rank of the first relevant row; of equal scores the relevant one comes last."""

    def one(gains: NDArray[Any], said: NDArray[Any]) -> float:
        best = said[gains > 0].max()
        first = (said > best).sum() + ((said == best) & (gains <= 0)).sum() + 1
        return 1 / float(first)

    return _mean(one, relevant, scores, queries)


def _mean(
    one: Callable[[NDArray[Any], NDArray[Any]], float],
    relevance: NDArray[Any],
    scores: NDArray[Any],
    queries: NDArray[Any],
) -> float:
    values = [one(gains, said) for gains, said in _by_query(relevance, scores, queries)]
    if not values:
        raise ValueError("no query has a relevant row: there is nothing to rank.")
    return sum(values) / len(values)


def _by_query(
    relevance: NDArray[Any], scores: NDArray[Any], queries: NDArray[Any]
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Relevances and scores of each query that has a relevant row."""
    import numpy as np

    relevance, scores = np.asarray(relevance, dtype=float), np.asarray(scores, dtype=float)
    of = np.unique(np.asarray(queries).astype(str), return_inverse=True)[1]
    order = np.argsort(of, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(of[order])) + 1):
        if (relevance[rows] > 0).any():
            yield relevance[rows], scores[rows]
