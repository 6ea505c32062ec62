"""How far two distributions are apart: Kolmogorov-Smirnov, Wasserstein, population stability, Jensen-Shannon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit_drift.distributions import Distribution, Grid, Sample, quiet
from agentkit_drift.result import Histogram
from agentkit_drift.thresholds import PSI_BINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

PSI_FLOOR = 1e-4
"""Share that an empty bin counts as for the population stability index, which is infinite otherwise."""

_BLOCK = 1 << 15
_PICTURE_BINS = 30
_PICTURE_SPAN = (0.005, 0.995)


@dataclass(frozen=True)
class Distances:
    """`wasserstein` in the unit of the values. The true values are within the errors, which are 0 for samples."""

    ks: float
    wasserstein: float
    ks_error: float = 0.0
    wasserstein_error: float = 0.0


def distances(before: Distribution, after: Distribution) -> Distances:
    """Kolmogorov-Smirnov and Wasserstein: exact for two samples, bounded if one of them is a grid."""
    import numpy as np

    with quiet():
        if isinstance(before, Sample) and isinstance(after, Sample):
            return _exact(before.values, after.values)
        if isinstance(before, Grid) and isinstance(after, Grid):
            union = before.edges
            if len(before.edges) != len(after.edges) or bool((before.edges != after.edges).any()):
                union = np.union1d(before.edges, after.edges)
            return _bounded(before.at(union), after.at(union))
        if isinstance(before, Grid):
            assert isinstance(after, Sample)
            return _bounded(before, after.grid(before.edges))
        return distances(after, before)


def _exact(before: NDArray[Any], after: NDArray[Any]) -> Distances:
    """Two sorted arrays, merged in blocks that fit into the processor's cache: one binary search each, then sums."""
    import numpy as np

    n, m = len(before), len(after)
    # equal values stay in one block
    cuts = np.unique(np.searchsorted(before, before[_BLOCK - 1 : n - 1 : _BLOCK], "right"))
    ends = [*zip(cuts.tolist(), np.searchsorted(after, before[cuts - 1], "right").tolist(), strict=True), (n, m)]
    ks = area = last = last_gap = 0.0
    i = j = 0
    for i_end, j_end in ends:
        merged, gap = _merged(before[i:i_end], after[j:j_end], (i, n), (j, m))
        if len(merged):
            width = np.diff(merged)
            # a product of vectors would start threads
            area += float((gap[:-1] * width).sum()) + last_gap * (float(merged[0]) - last if i + j else 0.0)
            if len(width) and width.min() == 0:
                # among equal values only the last one has the distribution functions' own values
                gap[:-1] *= width > 0
            ks, last, last_gap = max(ks, float(gap.max())), float(merged[-1]), float(gap[-1])
        i, j = i_end, j_end
    return Distances(ks, area)


def _merged(
    before: NDArray[Any], after: NDArray[Any], i_n: tuple[int, int], j_m: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """All values in order, and the difference of the distribution functions at each.

    `i_n`, `j_m`: how many values of either side come before these, and are there in all.
    """
    import numpy as np

    (i, n), (j, m) = i_n, j_m
    size = len(before) + len(after)
    places = np.searchsorted(before, after, "right")
    places += np.arange(len(after))
    from_after = np.zeros(size, dtype=bool)
    from_after[places] = True
    merged = np.empty(size)
    merged[places] = after
    merged[~from_after] = before
    seen = np.cumsum(from_after)
    seen += j
    gap = seen / m
    seen -= np.arange(i + j + 1, i + j + 1 + size)
    gap += seen / n
    return merged, np.abs(gap, out=gap)


def _bounded(before: Grid, after: Grid) -> Distances:
    """Two grids of the same edges. The areas between edges are exact unless the functions cross there."""
    import numpy as np

    n, m = before.n, after.n
    low, high = before.below / n - after.below / m, before.upto_edges / n - after.upto_edges / m
    ks = float(max(np.abs(low).max(), np.abs(high).max()))
    # what the difference can be strictly between two edges: one function at its end, the other at its beginning
    least = before.upto_edges[:-1] / n - after.below[1:] / m
    most = before.below[1:] / n - after.upto_edges[:-1] / m
    inner = float(max(-least.min(), most.max())) if len(least) else 0.0
    width = np.diff(before.edges)
    area = _areas(before, width) - _areas(after, width)
    crossing = 2 * width * np.minimum(np.maximum(-least, 0), np.maximum(most, 0))
    tails = _tails(before) + _tails(after)
    ranks = before.rank_error + after.rank_error
    return Distances(
        ks, float(np.abs(area).sum()) + tails, max(inner - ks, 0.0) + ranks,
        float(crossing.sum()) + before.area_error + after.area_error,
    )  # fmt: skip


def _areas(grid: Grid, width: NDArray[Any]) -> NDArray[Any]:
    """The area under the distribution function between each two edges."""
    inside = grid.below[1:] - grid.upto_edges[:-1]
    made: NDArray[Any] = (width * grid.upto_edges[:-1] + inside * grid.edges[1:] - grid.sums[1:-1]) / grid.n
    return made


def _tails(grid: Grid) -> float:
    """The area that values beyond the edges make."""
    first = grid.below[0] * grid.edges[0] - grid.sums[0]
    last = grid.sums[-1] - (grid.n - grid.upto_edges[-1]) * grid.edges[-1]
    return float(first + last) / grid.n


def binned(before: Distribution, after: Distribution) -> tuple[NDArray[Any], NDArray[Any]]:
    """Counts of both in ten quantile bins of the first, in fewer if many values are equal; ends take what is beyond.

    A bin takes its upper edge in. If a tenth and more equal the minimum, what is less has a bin of its own.
    """
    import numpy as np

    deciles = before.quantiles([i / PSI_BINS for i in range(1, PSI_BINS)])
    edges = np.unique(deciles)
    if edges[0] == before.minimum:
        edges = np.concatenate([[np.nextafter(before.minimum, -np.inf)], edges])
    one, other = (np.diff(np.concatenate([[0], d.upto(edges), [d.n]])) for d in (before, after))
    return one, other


def psi(before: NDArray[Any], after: NDArray[Any]) -> float:
    """Population stability index of two arrays of counts: sum of (q - p) * ln(q / p), empty bins as PSI_FLOOR."""
    import numpy as np

    p, q = (np.maximum(counts / counts.sum(), PSI_FLOOR) for counts in (before, after))
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(before: NDArray[Any], after: NDArray[Any]) -> float:
    """Jensen-Shannon distance of two arrays of counts, base 2: as `scipy.spatial.distance.jensenshannon(..., base=2)`.

    The root of the divergence: 0 for equal shares, 1 if no bin has some of both.
    """
    import numpy as np

    p, q = before / before.sum(), after / after.sum()
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(side > 0, side * np.log2(side / middle), 0.0).sum() for side in (p, q)]
    return float(np.sqrt(max(sum(parts) / 2, 0.0)))


def by_chance(bins: int, n: int, m: int) -> float:
    """The population stability index to be expected of n and m values of the same distribution (Yurdakul 2018)."""
    return max(bins - 1, 0) * (1 / n + 1 / m)


def picture(before: Distribution, after: Distribution) -> Histogram:
    """30 bins of equal width over the reference's middle 99%; the first and last take what lies beyond."""
    import numpy as np

    low, high = (float(q) for q in before.quantiles(_PICTURE_SPAN))
    if low == high:
        low, high = min(before.minimum, after.minimum), max(before.maximum, after.maximum)
    if low == high:
        low, high = low - 0.5, high + 0.5
    # halves: the difference of huge numbers overflows
    edges = 2 * np.linspace(low / 2, high / 2, _PICTURE_BINS + 1)
    shares = [np.diff(np.concatenate([[0], d.upto(edges[1:-1]), [d.n]])) / d.n for d in (before, after)]
    return Histogram(edges=[float(e) for e in edges], reference=_rounded(shares[0]), current=_rounded(shares[1]))


def _rounded(shares: NDArray[Any]) -> list[float]:
    return [round(float(s), 6) for s in shares]
