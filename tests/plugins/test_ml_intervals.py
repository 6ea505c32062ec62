"""Bootstrap intervals against scipy's own and against theory."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from agentkit_ml.assess import intervals
from agentkit_ml.assess.intervals import bca, bootstrap, percentile, proportion, resamples_for
from agentkit_ml.assess.statistics import mean
from agentkit_ml.metrics import METRICS, Outcome

from tests.plugins.test_ml_metrics import binary


def _spread(values: Any, *, rows: int, resamples: int = 4_000, **more: Any) -> Any:
    return bootstrap(lambda part: {"mean": mean(values[part])}, rows, resamples=resamples, seed=3, **more)


def test_the_percentile_interval_is_that_of_scipy() -> None:
    from scipy.stats import bootstrap as scipys

    values = np.random.default_rng(0).exponential(size=200)
    made = _spread(values, rows=200)
    theirs = scipys((values,), np.mean, n_resamples=4_000, method="percentile", rng=np.random.default_rng(1))
    assert made.whole["mean"] == pytest.approx(values.mean())
    assert percentile(made.drawn["mean"]) == pytest.approx(tuple(theirs.confidence_interval), abs=0.012)
    left_out = (values.sum() - values) / 199
    corrected = scipys((values,), np.mean, n_resamples=4_000, method="BCa", rng=np.random.default_rng(1))
    ours = bca(made.drawn["mean"], made.whole["mean"], left_out)
    assert ours == pytest.approx(tuple(corrected.confidence_interval), abs=0.012)


def test_an_interval_of_roc_auc_is_that_of_scipy() -> None:
    from scipy.stats import bootstrap as scipys
    from sklearn.metrics import roc_auc_score

    made = binary(150)
    ours = bootstrap(
        lambda part: {"auc": METRICS["roc_auc"].statistic(made.take(part))}, 150,
        strata=made.truth, resamples=2_000, seed=0,
    )  # fmt: skip
    assert made.probabilities is not None
    scores = made.probabilities[:, 1]
    positive, other = scores[made.truth == "yes"], scores[made.truth == "no"]

    def auc(a: Any, b: Any) -> float:
        return float(roc_auc_score(np.r_[np.ones(len(a)), np.zeros(len(b))], np.r_[a, b]))

    theirs = scipys(
        (positive, other), auc, n_resamples=1_000, method="percentile", vectorized=False, rng=np.random.default_rng(0)
    )
    assert percentile(ours.drawn["auc"]) == pytest.approx(tuple(theirs.confidence_interval), abs=0.01)


def test_resamples_keep_the_rows_of_each_class() -> None:
    labels = np.array(["a"] * 7 + ["b"] * 93, dtype="object")
    seen: list[Any] = []

    def statistics(part: Any) -> dict[str, Any]:
        def keep(weights: Any) -> Any:
            seen.append(weights)
            return weights.sum(axis=1)

        return {"rows": keep}

    bootstrap(statistics, 100, strata=labels, resamples=50, seed=0)
    weights = np.concatenate(seen[1:])
    assert weights.shape == (50, 100)
    assert set(weights[:, labels == "a"].sum(axis=1)) == {7}
    assert set(weights[:, labels == "b"].sum(axis=1)) == {93}
    assert len(np.unique(weights, axis=0)) == 50


def test_many_rows_give_the_same_interval_from_a_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).exponential(size=6_000)
    labels = np.where(np.arange(6_000) % 40 == 0, "rare", "frequent").astype("object")
    whole = _spread(values, rows=6_000, resamples=1_000, strata=labels)
    monkeypatch.setattr(intervals, "BAG", 2_000)
    part = _spread(values, rows=6_000, resamples=1_000, strata=labels)
    assert part.whole == whole.whole
    assert part.drawn["mean"].std() == pytest.approx(whole.drawn["mean"].std(), rel=0.15)
    assert part.drawn["mean"].mean() == pytest.approx(values.mean(), abs=0.002)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.arange(50.0)
    assert (_spread(values, rows=50).drawn["mean"] == _spread(values, rows=50).drawn["mean"]).all()


@pytest.mark.parametrize(("hits", "rows"), [(0, 10), (3, 10), (10, 10), (57, 80)])
def test_the_interval_of_a_share_is_the_exact_one(hits: int, rows: int) -> None:
    from scipy.stats import binomtest

    assert proportion(hits, rows) == pytest.approx(tuple(binomtest(hits, rows).proportion_ci(method="exact")))


def test_ten_thousand_rows_take_seconds() -> None:
    from agentkit_ml.assess.assessment import assess

    made: Outcome = binary(10_000)
    assert resamples_for(10_000) >= 500
    began = time.process_time()
    assert assess(made, metric="roc_auc").resamples >= 500
    assert time.process_time() - began < 10
