"""Tests of differences against scipy's own and against formulas worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agentkit_ml.assess.significance import corrected_resampled_t, holm, mcnemar, p_text, paired_bootstrap


def _rows(both: int, only: int, other: int, neither: int) -> tuple[Any, Any]:
    """Right or not, for two models."""
    one = [True] * (both + only) + [False] * (other + neither)
    two = [True] * both + [False] * only + [True] * other + [False] * neither
    return np.array(one), np.array(two)


def test_mcnemar_is_exact_for_few_disagreements() -> None:
    from scipy.stats import binomtest

    test = mcnemar(*_rows(50, 12, 3, 5))
    assert test.p == pytest.approx(binomtest(3, 15, 0.5).pvalue)
    assert test.name == "McNemar, exact"
    assert mcnemar(*_rows(50, 0, 0, 5)).p == 1


def test_mcnemar_is_chi_squared_with_continuity_for_many() -> None:
    from scipy.stats import chi2

    test = mcnemar(*_rows(500, 60, 35, 50))
    assert test.p == pytest.approx(chi2.sf((abs(60 - 35) - 1) ** 2 / 95, 1))
    assert mcnemar(*_rows(0, 50, 50, 0)).p == 1


def test_the_corrected_resampled_t_test_is_that_of_nadeau_and_bengio() -> None:
    from scipy.stats import t, ttest_1samp

    differences = [0.02, 0.01, 0.03, -0.005, 0.015]
    statistic = np.mean(differences) / np.sqrt((1 / 5 + 80 / 320) * np.var(differences, ddof=1))
    corrected = corrected_resampled_t(differences, train_rows=320, test_rows=80)
    assert corrected.p == pytest.approx(2 * t.sf(statistic, 4))
    # without shared rows (test/train towards 0) it is the plain paired t-test
    assert corrected_resampled_t(differences, 1e12, 1).p == pytest.approx(ttest_1samp(differences, 0).pvalue)
    assert corrected.p > ttest_1samp(differences, 0).pvalue
    assert corrected_resampled_t([0.1], 320, 80).p == 1
    assert corrected_resampled_t([0.0, 0.0], 320, 80).p == 1


def test_the_paired_bootstrap_agrees_with_the_t_test_where_both_hold() -> None:
    from scipy.stats import ttest_1samp

    differences = np.random.default_rng(2).normal(0.12, 1, 300)
    random = np.random.default_rng(0)
    resampled = differences[random.integers(300, size=(4_000, 300))].mean(axis=1)
    assert paired_bootstrap(resampled, 300).p == pytest.approx(ttest_1samp(differences, 0).pvalue, abs=0.02)


def test_few_rows_prove_little_however_far_apart() -> None:
    assert paired_bootstrap(np.full(2_000, 5.0), rows=2).p == 0.5
    assert paired_bootstrap(np.full(2_000, 5.0), rows=4).p == 0.125
    assert paired_bootstrap(np.zeros(2_000), rows=500).p == 1


def test_false_alarms_are_as_rare_as_promised() -> None:
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        values = random.normal(size=80)
        resampled = values[random.integers(80, size=(300, 80))].mean(axis=1)
        alarms += paired_bootstrap(resampled, 80).p < 0.05
    assert alarms <= 20


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_p_values_are_readable() -> None:
    assert (p_text(0.0123), p_text(1e-9)) == ("p = 0.012", "p < 0.001")
