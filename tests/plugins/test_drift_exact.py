"""Exact results are scipy's, on random and hostile values."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from agentkit_drift import significance
from agentkit_drift.compare import compare
from agentkit_drift.distributions import Sample
from agentkit_drift.measures import binned, jensen_shannon, psi
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial.distance import jensenshannon

FLOATS = st.one_of(
    st.floats(-1e6, 1e6, width=32),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-300, 1e12, -1e12]),
    st.integers(-3, 3).map(float),
)
COLUMNS = st.integers(1, 80).flatmap(lambda n: arrays("float64", n, elements=FLOATS))
LEVELS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60)


@settings(max_examples=80, deadline=None)
@given(COLUMNS, COLUMNS)
def test_ks_its_p_and_wasserstein_are_scipys(before: np.ndarray, after: np.ndarray) -> None:
    made = compare(pd.DataFrame({"x": before}), pd.DataFrame({"x": after}), multivariate=False).columns["x"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = stats.ks_2samp(before, after)
    assert made.ks == pytest.approx(expected.statistic, abs=1e-9)
    if made.kind != "id":
        assert made.p_value == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-12)
        assert made.wasserstein_raw == pytest.approx(stats.wasserstein_distance(before, after), rel=1e-9, abs=1e-9)
        if before.std() > 0:
            assert made.wasserstein == pytest.approx(made.wasserstein_raw / before.std(), rel=1e-9)


@pytest.mark.parametrize("sizes", [(70_000, 110_000), (200_000, 40_000), (33_000, 33_000)])
def test_large_columns_are_merged_in_blocks_and_still_scipys(sizes: tuple[int, int]) -> None:
    random = np.random.default_rng(sum(sizes))
    before, after = random.normal(size=sizes[0]).round(3), random.standard_cauchy(sizes[1]).round(2)
    made = compare(pd.DataFrame({"x": before}), pd.DataFrame({"x": after}), multivariate=False).columns["x"]
    expected = stats.ks_2samp(before, after)
    assert made.ks == pytest.approx(expected.statistic, abs=1e-9)
    assert made.p_value == pytest.approx(expected.pvalue, abs=5e-6)
    assert made.wasserstein_raw == pytest.approx(stats.wasserstein_distance(before, after), rel=1e-9)


@settings(max_examples=80, deadline=None)
@given(LEVELS, LEVELS)
def test_chi_squared_is_scipys(before: list[str], after: list[str]) -> None:
    frames = [pd.DataFrame({"k": side}) for side in (before, after)]
    made = compare(*frames, multivariate=False).columns["k"]
    levels = sorted({*before, *after})
    table = np.asarray([[side.count(level) for level in levels] for side in (before, after)])
    if len(levels) > 1:
        expected = stats.chi2_contingency(table)
        assert made.chi2 == pytest.approx(expected.statistic, abs=1e-9)
        assert made.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert made.js == pytest.approx(jensenshannon(*table, base=2), abs=1e-7)


@settings(max_examples=100, deadline=None)
@given(COLUMNS, COLUMNS)
def test_jensen_shannon_of_the_bins_is_scipys_and_every_value_is_in_a_bin(
    before: np.ndarray, after: np.ndarray
) -> None:
    one, other = binned(Sample(np.sort(before)), Sample(np.sort(after)))
    assert (one.sum(), other.sum()) == (len(before), len(after))
    assert jensen_shannon(one, other) == pytest.approx(jensenshannon(one, other, base=2), abs=1e-7)
    assert psi(one, other) >= 0
    assert psi(one, one) == 0


@pytest.mark.parametrize(("n", "m"), [(20_000, 300), (12_000, 12_000), (50_000, 70_000), (10_001, 40)])
@pytest.mark.parametrize("shift", [0.0, 0.01, 0.1])
def test_asymptotic_p_is_scipys(n: int, m: int, shift: float) -> None:
    random = np.random.default_rng(n + m)
    before, after = random.normal(size=n), random.normal(shift, 1, size=m)
    expected = stats.ks_2samp(before, after)
    assert significance.ks_p(float(expected.statistic), n, m) == pytest.approx(expected.pvalue, abs=5e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_p_values_are_scipys(p: list[float]) -> None:
    assert significance.adjusted(p) == pytest.approx(list(stats.false_discovery_control(p)))


def test_missing_and_infinite_values_are_counted_not_compared() -> None:
    before = pd.DataFrame({"x": [1.0, 2.0, np.nan, 3.0] * 25})
    after = pd.DataFrame({"x": [1.0, 2.0, np.inf, -np.inf, 3.0] * 20})
    made = compare(before, after, multivariate=False).columns["x"]
    assert (made.missing_reference, made.missing_current) == (0.25, 0.0)
    assert made.ks == pytest.approx(0.0)
    assert made.mean_current == pytest.approx(2.0)
    assert any(f.startswith("infinite 0% -> 40%") for f in made.findings)
