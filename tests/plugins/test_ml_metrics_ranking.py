"""Metrics of rankings against scikit-learn's own and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agentkit_ml.assess.ranking import mean_average_precision, mean_reciprocal_rank, ndcg
from sklearn.metrics import average_precision_score, ndcg_score


def _queries(digits: int = 6) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(0)
    queries = random.permutation(np.repeat(["q1", "q2", "q3", "q4"], [5, 9, 3, 12]))
    relevance = random.integers(0, 4, len(queries))
    return relevance, np.round(random.random(len(queries)), digits), queries


@pytest.mark.parametrize("digits", [6, 1])
@pytest.mark.parametrize("k", [None, 3])
def test_ndcg_is_that_of_scikit_learn_averaged_over_queries(digits: int, k: int | None) -> None:
    relevance, scores, queries = _queries(digits)
    theirs = [
        ndcg_score(relevance[queries == q][None, :], scores[queries == q][None, :], k=k) for q in np.unique(queries)
    ]
    assert ndcg(relevance, scores, queries, k) == pytest.approx(np.mean(theirs))


@pytest.mark.parametrize("digits", [6, 1])
def test_map_is_the_mean_of_scikit_learns_average_precision(digits: int) -> None:
    relevance, scores, queries = _queries(digits)
    theirs = [average_precision_score(relevance[queries == q] > 0, scores[queries == q]) for q in np.unique(queries)]
    assert mean_average_precision(relevance, scores, queries) == pytest.approx(np.mean(theirs))


def test_mrr_is_that_counted_by_hand() -> None:
    queries = np.array([1, 1, 1, 2, 2, 2, 3, 3])
    relevant = np.array([0, 1, 0, 1, 0, 0, 0, 0])
    scores = np.array([0.9, 0.8, 0.1, 0.5, 0.4, 0.3, 0.2, 0.1])
    assert mean_reciprocal_rank(relevant, scores, queries) == pytest.approx((1 / 2 + 1) / 2)
    # a tie is no merit
    assert mean_reciprocal_rank(np.array([1, 0]), np.array([0.5, 0.5]), np.array([1, 1])) == 0.5


def test_queries_without_anything_relevant_do_not_count() -> None:
    queries, scores = np.array([1, 1, 2, 2]), np.array([0.1, 0.9, 0.4, 0.3])
    for metric in (ndcg, mean_average_precision, mean_reciprocal_rank):
        assert metric(np.array([0, 1, 0, 0]), scores, queries) == 1
        with pytest.raises(ValueError, match="nothing to rank"):
            metric(np.zeros(4), scores, queries)
    with pytest.raises(ValueError, match="must not be negative"):
        ndcg(np.array([-1, 1, 0, 0]), scores, queries)
