"""Intervals by the bootstrap: the same resamples for every metric and every model, so that differences are paired.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap (1993); Efron (1987) for BCa; Kleiner et al. (2014), the
bag of little bootstraps, for many rows; Clopper and Pearson (1934).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentkit_ml.assess.statistics import Statistic
    from agentkit_ml.metrics import Outcome

Key = TypeVar("Key", bound=Hashable)

LEVEL = 0.95
MOST_RESAMPLES = 2_000
FEWEST_RESAMPLES = 200

BAG = 20_000
"""Above this many rows the resamples are drawn from a part of them, as many as there are rows."""

_WORK = 20_000_000
_FEWEST_OF_A_LABEL = 1_000
_CELLS = 1 << 15


@dataclass(frozen=True, slots=True)
class Bootstrap(Generic[Key]):
    """`whole`: each statistic on all rows. `drawn`: its value in each resample, the same resamples for all."""

    whole: dict[Key, float]
    drawn: dict[Key, NDArray[Any]]


def resamples_for(rows: int, classes: int = 2) -> int:
    """How many resamples of so many rows take about a second: 2,000, and fewer above 5,000 rows, at least 200."""
    return int(min(MOST_RESAMPLES, max(FEWEST_RESAMPLES, _WORK // (rows * max(2, classes)))))


def strata(outcome: Outcome) -> NDArray[Any] | None:
    """What the resamples of these rows keep: the number of rows of each true class. None for numbers."""
    return None if outcome.task == "regression" else outcome.truth


def bootstrap(
    statistics: Callable[[NDArray[Any]], Mapping[Key, Statistic]],
    rows: int,
    *,
    strata: NDArray[Any] | None = None,
    resamples: int,
    seed: int,
) -> Bootstrap[Key]:
    """The statistics of all rows, and in each of the resamples.

    `statistics` prepares them for some rows (positions). `strata`: a label for each row; each resample has as many rows
    of a label as there are.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    random = np.random.default_rng(seed)
    everything = np.arange(rows)
    labels = np.zeros(rows, int) if strata is None else np.unique(strata.astype(str), return_inverse=True)[1]
    members = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    prepared = statistics(everything)
    whole = {key: float(statistic(np.ones((1, rows)))[0]) for key, statistic in prepared.items()}
    sizes = [len(m) for m in members]
    kept = everything
    if rows > BAG:
        members = [random.choice(m, min(len(m), max(_FEWEST_OF_A_LABEL, BAG * len(m) // rows)), False) for m in members]
        kept = np.sort(np.concatenate(members))
        members = [np.searchsorted(kept, m) for m in members]
        prepared = statistics(kept)
    values: dict[Key, list[NDArray[Any]]] = {key: [] for key in prepared}
    # products as small as these take ten times as long on two threads as on one
    with threadpool_limits(1, "blas"):
        for weights in _weights(members, sizes, len(kept), resamples, random):
            for key, statistic in prepared.items():
                values[key].append(statistic(weights))
    drawn = {key: np.concatenate(parts) for key, parts in values.items()}
    if len(kept) < rows:
        expected = np.ones((1, len(kept)))
        for m, size in zip(members, sizes, strict=True):
            expected[0, m] = size / len(m)
        drawn = {key: v + whole[key] - prepared[key](expected)[0] for key, v in drawn.items()}
    return Bootstrap(whole, drawn)


def _weights(
    members: list[NDArray[Any]], sizes: list[int], rows: int, resamples: int, random: Any
) -> Iterator[NDArray[Any]]:
    """Blocks of (resamples, rows): how often each row was drawn. Small enough for the processor's cache.

    As many rows as `sizes` says are drawn from each of `members`.
    """
    import numpy as np

    for start in range(0, resamples, step := max(1, _CELLS // rows)):
        count = min(step, resamples - start)
        block = np.empty((count, rows))
        for m, size in zip(members, sizes, strict=True):
            if size > len(m):
                block[:, m] = random.multinomial(size, np.full(len(m), 1 / len(m)), size=count)
            else:
                drawn = random.integers(size, size=(count, size)) + (np.arange(count) * size)[:, None]
                block[:, m] = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size)
        yield block


def percentile(values: NDArray[Any], level: float = LEVEL) -> tuple[float, float]:
    """The interval that holds the middle `level` of the resampled values."""
    import numpy as np

    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bca(values: NDArray[Any], value: float, left_out: NDArray[Any], level: float = LEVEL) -> tuple[float, float]:
    """The bias-corrected and accelerated interval. `left_out`: the statistic with each row left out once."""
    import numpy as np
    from scipy.stats import norm

    below = ((values < value).mean() + (values <= value).mean()) / 2
    if not 0 < below < 1:
        return percentile(values, level)
    bias = norm.ppf(below)
    deviations = left_out.mean() - left_out
    spread = float((deviations**2).sum()) ** 1.5
    acceleration = float((deviations**3).sum()) / (6 * spread) if spread else 0.0
    ends = bias + norm.ppf([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(values, norm.cdf(bias + ends / (1 - acceleration * ends)))
    return float(low), float(high)


def proportion(hits: int, rows: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson): honest where the bootstrap sees no variation at all."""
    from scipy.stats import beta

    if not rows:
        return 0.0, 1.0
    low = beta.ppf((1 - level) / 2, hits, rows - hits + 1) if hits else 0.0
    high = beta.ppf((1 + level) / 2, hits + 1, rows - hits) if hits < rows else 1.0
    return float(low), float(high)
