"""Whether a difference between two models can be told from chance.

McNemar (1947), with the exact binomial test for few disagreements (Dietterich 1998); the paired bootstrap (Efron and
Tibshirani 1993, chapter 16); the corrected resampled t-test (Nadeau and Bengio 2003); Holm (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNIFICANT = 0.05

_FEW_DISAGREEMENTS = 25


@dataclass(frozen=True, slots=True)
class Significance:
    """`p`: how often chance alone would make a difference at least this large, if there were none. `name`: the test."""

    name: str
    p: float


def mcnemar(right: NDArray[Any], other_right: NDArray[Any]) -> Significance:
    """Do two models err equally often on the same rows? Arrays of bool: right or not.

    Exact below 25 rows on which just one is right, else chi-squared with the correction for continuity.
    """
    from scipy.stats import binomtest, chi2

    only, other = int((right & ~other_right).sum()), int((~right & other_right).sum())
    disagreements = only + other
    if not disagreements:
        return Significance("McNemar, exact", 1.0)
    if disagreements < _FEW_DISAGREEMENTS:
        return Significance("McNemar, exact", float(binomtest(only, disagreements).pvalue))
    squared = max(0, abs(only - other) - 1) ** 2 / disagreements
    return Significance("McNemar", float(chi2.sf(squared, 1)))


def paired_bootstrap(differences: NDArray[Any], rows: int) -> Significance:
    """Is a difference other than 0? `differences`: its value in each of the paired resamples of `rows` rows.

    Twice the share of resamples on the rarer side of 0. Where there is none on that side, the tail of a normal
    distribution of the same mean and deviation. Never below 2 / 2^rows: so often all signs agree by chance.
    """
    from scipy.stats import norm

    count, least = len(differences), 2.0 ** (1 - rows)
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    p = 2 * (rarer + 1) / (count + 1)
    if not rarer:
        deviation = float(differences.std())
        tail = 2 * float(norm.sf(abs(differences.mean()) / deviation)) if deviation else 0.0
        p = min(p, tail)
    return Significance("paired bootstrap", min(1.0, max(p, least)))


def corrected_resampled_t(differences: Sequence[float], train_rows: float, test_rows: float) -> Significance:
    """Is the mean difference of cross-validation scores other than 0? One difference a fold, of the same folds.

    The variance is enlarged by test/train rows of a fold: folds share training rows, and the plain t-test then finds
    differences that are not there (Nadeau and Bengio 2003). p is 1 for a single fold.
    """
    import numpy as np
    from scipy.stats import t

    name, count = "corrected resampled t", len(differences)
    mean, variance = float(np.mean(differences)), float(np.var(differences, ddof=1)) if count > 1 else 0.0
    if count < 2 or (variance == 0 and mean == 0):
        return Significance(name, 1.0)
    if variance == 0:
        return Significance(name, 0.0)
    statistic = mean / ((1 / count + test_rows / train_rows) * variance) ** 0.5
    return Significance(name, float(2 * t.sf(abs(statistic), count - 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values for several tests at once, so that the chance of any false alarm stays what it was for one."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def p_text(p: float) -> str:
    """'p = 0.012', or 'p < 0.001'."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
