"""How the answers of a model moved against those of the reference, labels or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentkit_drift.prediction_result import ClassShift, ScoreShift
from agentkit_drift.result import Histogram
from agentkit_drift.thresholds import ALPHA, FEWEST_ROWS, MEAN_SHIFT, PSI, PSI_BINS, Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentkit.prediction_profiles import PredictionProfile
    from agentkit_drift.answers import Answers

_BARS = 24


def score_shift(before: PredictionProfile, now: Answers) -> ScoreShift:
    """The shift of the scores. A level is given only if chance alone would make so much less than 3% of the time.

    None is given below 30 rows.
    """
    import numpy as np

    values, grid = now.scores, np.asarray(before.quantiles)
    psi, p = _psi(*_binned(grid, values), before.rows, len(values))
    mean = float(values.mean())
    # what float rounding leaves of equal scores is no spread
    spread = before.std if before.std > 1e-12 * max(1.0, abs(before.mean)) else 0.0
    shift = (mean - before.mean) / spread if spread else None
    enough = min(before.rows, len(values)) >= FEWEST_ROWS
    level = _level(psi, PSI) if enough and p < ALPHA else "none"
    if enough and shift is not None and _beyond_chance(mean - before.mean, spread, before.rows, values):
        level = _stronger(level, _level(abs(shift), MEAN_SHIFT))
    return ScoreShift(
        of=_score_name(before), mean_reference=before.mean, mean_current=mean, std_reference=spread, mean_shift=shift,
        psi=psi, p_value=p, level=level, histogram=_histogram(grid, values, bounded=before.task != "regression"),
    )  # fmt: skip


def class_shift(before: PredictionProfile, now: Answers) -> ClassShift | None:
    """The shift of the predicted classes, None for numbers."""
    if before.task == "regression":
        return None
    names = list(dict.fromkeys([*before.shares, *now.classes]))
    shares = {name: float((now.predicted == name).mean()) for name in names}
    psi, p = _psi(
        [before.shares.get(n, 0.0) for n in names], [shares[n] for n in names], before.rows, len(now.predicted)
    )
    enough = min(before.rows, len(now.predicted)) >= FEWEST_ROWS
    level = _level(psi, PSI) if enough and p < ALPHA else "none"
    return ClassShift(reference=before.shares, current=shares, psi=psi, p_value=p, level=level)


def _score_name(before: PredictionProfile) -> str:
    if before.task == "regression":
        return f"predicted {before.target!r}"
    return (
        f"probability of {before.positive!r}"
        if before.task == "binary"
        else "probability of the class that is predicted"
    )


def _binned(grid: NDArray[Any], values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Shares of both sides between the reference's deciles.

    A value that fills a decile or more by itself is a bin of its own: a reference whose scores are all equal has three
    bins, below, equal and above.
    """
    import numpy as np

    deciles = np.quantile(grid, np.linspace(0, 1, PSI_BINS + 1))
    places, times = np.unique(deciles, return_counts=True)
    masses = places[times > 1]
    inner = np.unique(deciles[1:-1])
    edges = np.unique(np.concatenate([inner, np.nextafter(masses, -np.inf), masses]))
    count = len(edges) + 1
    sides = [np.bincount(np.searchsorted(edges, side), minlength=count) / len(side) for side in (grid, values)]
    return sides[0], sides[1]


def _psi(before: Any, now: Any, rows_before: int, rows_now: int) -> tuple[float, float]:
    """The index and its p-value. Half a row is added to each bin, so that an empty one gives a finite figure.

    Without a change, the index over (1/n + 1/m) is chi-squared distributed with one degree of freedom less than there
    are bins (Yurdakul 2018).
    """
    import numpy as np
    from scipy.special import chdtrc

    old, new = np.asarray(before), np.asarray(now)
    used = (old > 0) | (new > 0)
    old, new = old[used], new[used]
    bins = len(old)
    old, new = ((s * n + 0.5) / (n + 0.5 * bins) for s, n in ((old, rows_before), (new, rows_now)))
    psi = float(((new - old) * np.log(new / old)).sum())
    return psi, float(chdtrc(bins - 1, psi / (1 / rows_before + 1 / rows_now))) if bins > 1 else 1.0


def _beyond_chance(difference: float, spread: float, rows: int, values: NDArray[Any]) -> bool:
    """Whether two means differ by more than chance (Welch, by the normal distribution)."""
    from scipy.special import ndtr

    error = (spread**2 / rows + float(values.var()) / len(values)) ** 0.5
    return bool(2 * ndtr(-abs(difference) / error) < ALPHA)


def _histogram(grid: NDArray[Any], values: NDArray[Any], *, bounded: bool) -> Histogram:
    """Both sides in bins of equal width. `bounded`: probabilities, from 0 to 1."""
    import numpy as np

    low, high = (0.0, 1.0) if bounded else (min(grid[0], values.min()), max(grid[-1], values.max()))
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BARS + 1)
    # finer than the grid itself, so that the bars of the reference are not its teeth
    places = np.interp(np.linspace(0, 1, 4_001), np.linspace(0, 1, len(grid)), grid)
    old, new = (np.histogram(side, edges)[0] / len(side) for side in (places, values))
    return Histogram(edges=[float(e) for e in edges], reference=list(map(float, old)), current=list(map(float, new)))


def _level(value: float, thresholds: dict[str, float]) -> Level:
    return "strong" if value >= thresholds["strong"] else "moderate" if value >= thresholds["moderate"] else "none"


def _stronger(one: Level, other: Level) -> Level:
    return max(one, other, key=("none", "moderate", "strong").index)
