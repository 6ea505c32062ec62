"""p-values: of the tests, and of many of them together. Those of large samples need no import of scipy.stats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_VALUES = 10_000
"""Values of the larger side up to which `scipy.stats.ks_2samp` calculates p exactly."""

_SERIES_FROM = 5_000
_LEAST_EXPECTED = 5.0


def ks_p(statistic: float, n: int, m: int) -> float:
    """Asymptotic p of the two-sided, two-sample Kolmogorov-Smirnov test.

    As scipy's, from the distribution for one sample of n*m/(n+m) values. Where that are 5,000 and more, within 0.000005
    of it (Vrbik 2020): scipy's own sum has as many terms as there are values, half a second for a million.
    """
    from scipy.special import kolmogorov

    effective = round(n * m / (n + m))
    if effective < _SERIES_FROM:
        from scipy.stats import kstwo

        return float(kstwo.sf(statistic, max(effective, 1)))
    root = math.sqrt(effective)
    z = root * statistic
    return float(kolmogorov(z + 1 / (6 * root) + (z - 1) / (4 * effective)))


def ks_p_exact(before: NDArray[Any], after: NDArray[Any]) -> float:
    """p of `scipy.stats.ks_2samp`, which calculates it exactly for values as few as these."""
    import warnings

    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        # it says so where ties force it to the asymptotic p
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(ks_2samp(before, after).pvalue)


def chi_squared(before: NDArray[Any], after: NDArray[Any]) -> tuple[float, float]:
    """Statistic and p of `scipy.stats.chi2_contingency` for two rows of counts: Yates' correction with two levels.

    Levels that both lack are left out. One level that is left alone gives 0 and 1.
    """
    import numpy as np
    from scipy.special import chdtrc

    there = (before + after) > 0
    table = np.vstack([before[there], after[there]]).astype("float64")
    total = table.sum()
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 0.0, 1.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    if table.shape[1] == 2:
        gap = expected - table
        table = table + np.minimum(0.5, np.abs(gap)) * np.sign(gap)
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(chdtrc(table.shape[1] - 1, statistic))


def pooled_p(before: NDArray[Any], after: NDArray[Any]) -> float:
    """p of the chi-squared test with the rare levels taken together: each expects 5 rows on either side.

    The test's own p is too small where a table has many rare levels (Cochran 1954).
    """
    import numpy as np

    total = before + after
    scale = min(before.sum(), after.sum()) / max(total.sum(), 1)
    order = np.argsort(total)
    rare = order[: int((total[order] * scale < _LEAST_EXPECTED).sum())]
    while 0 < len(rare) < len(order) and total[rare].sum() * scale < _LEAST_EXPECTED:
        rare = order[: len(rare) + 1]
    if len(rare) < 2:
        return chi_squared(before, after)[1]
    kept = np.setdiff1d(order, rare)
    merged = [np.append(side[kept], side[rare].sum()) for side in (before, after)]
    return chi_squared(*merged)[1]


def share_p(before: int, rows_before: int, after: int, rows_after: int) -> float:
    """p of the chi-squared test (Yates) for the difference of two shares; 1 where both are 0 or both are 1."""
    import numpy as np

    return chi_squared(np.asarray([before, rows_before - before]), np.asarray([after, rows_after - after]))[1]


def adjusted(p: Sequence[float]) -> list[float]:
    """p-values after Benjamini and Hochberg (1995), as `scipy.stats.false_discovery_control` gives them."""
    import numpy as np

    if not p:
        return []
    values = np.asarray(p, dtype="float64")
    order = np.argsort(values)
    ranked = values[order] * len(values) / np.arange(1, len(values) + 1)
    made = np.empty(len(values))
    made[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return [float(v) for v in made]
