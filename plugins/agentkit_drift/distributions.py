"""Distributions of numbers: all values of a column, or a grid of counts that is small, can be stored and merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 2_048
"""Bins of a grid: the share of values strictly between two edges is at most about 1/2,048."""

_DECILES = 10


@dataclass(frozen=True)
class Sample:
    """All finite values of a column, sorted."""

    values: NDArray[Any]

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def minimum(self) -> float:
        return float(self.values[0])

    @property
    def maximum(self) -> float:
        return float(self.values[-1])

    @cached_property
    def mean(self) -> float:
        return _quiet_mean(self.values)

    @cached_property
    def std(self) -> float:
        """Of the values themselves (no degree of freedom taken off)."""

        with quiet():
            return float(self.values.std()) if self.minimum < self.maximum else 0.0

    def upto(self, points: NDArray[Any]) -> NDArray[Any]:
        """How many values are at most as large as each point."""
        import numpy as np

        return np.searchsorted(self.values, points, "right")

    def quantiles(self, shares: Sequence[float]) -> NDArray[Any]:
        """The least values that at least these shares are at most as large as."""
        import numpy as np

        places = np.ceil(np.asarray(shares) * self.n - 1e-9).astype("int64") - 1
        found: NDArray[Any] = self.values[np.clip(places, 0, self.n - 1)]
        return found

    def grid(self, edges: NDArray[Any] | None = None) -> Grid:
        """The same as counts at edges: those given, or quantiles of its own."""
        counter = Counter(self.edges() if edges is None else edges)
        counter.add_sorted(self.values)
        return counter.grid()

    def edges(self) -> NDArray[Any]:
        """2,049 quantiles, minimum and maximum among them, and the deciles."""
        import numpy as np

        places = np.linspace(0, self.n - 1, BINS + 1).astype("int64")
        deciles = self.quantiles([i / _DECILES for i in range(1, _DECILES)])
        return np.unique(np.concatenate([self.values[places], deciles]))


@dataclass(frozen=True)
class Grid:
    """Counts at edges. Exact at each edge but for `rank_error`; between two edges linear.

    `below`, `upto`: how many values are less than an edge, and at most as large. `sums`: of the values before the
    first edge, strictly between each two, and after the last one. `rank_error`: how far a share at an edge can be off;
    `area_error`: the area between the grid's distribution function and the true one that this makes. Both are 0 unless
    grids were merged, or made from quantiles alone.
    """

    edges: NDArray[Any]
    below: NDArray[Any]
    upto_edges: NDArray[Any]
    sums: NDArray[Any]
    n: int
    minimum: float
    maximum: float
    mean: float
    std: float
    rank_error: float = 0.0
    area_error: float = 0.0

    def upto(self, points: NDArray[Any]) -> NDArray[Any]:
        """How many values are at most as large as each point, about: exact at the edges."""
        import numpy as np

        edges = np.concatenate([[min(self.minimum, self.edges[0])], self.edges, [max(self.maximum, self.edges[-1])]])
        after = np.concatenate([[0 if self.below[0] else self.upto_edges[0]], self.upto_edges, [self.n]])
        before = np.concatenate([[0], self.below, [self.n]])
        at = np.searchsorted(edges, points, "right") - 1
        inside = np.clip(at, 0, len(edges) - 2)
        share = _share_of(points, edges[inside], edges[inside + 1])
        between = after[inside] + share * np.maximum(before[inside + 1] - after[inside], 0)
        return np.where(at < 0, 0, np.where(points >= edges[-1], self.n, between))

    def quantiles(self, shares: Sequence[float]) -> NDArray[Any]:
        """The least edges that at least these shares are at most as large as."""
        import numpy as np

        places = np.searchsorted(self.upto_edges, np.ceil(np.asarray(shares) * self.n - 1e-9), "left")
        return self.edges[np.clip(places, 0, len(self.edges) - 1)]

    @property
    def open_share(self) -> float:
        """The largest share of values strictly between two edges."""
        inner = self.below[1:] - self.upto_edges[:-1]
        return float(inner.max()) / self.n if len(inner) and self.n else 0.0

    def at(self, edges: NDArray[Any]) -> Grid:
        """The same distribution at other edges, which must reach from its minimum to its maximum."""
        import numpy as np

        if len(edges) == len(self.edges) and bool((edges == self.edges).all()):
            return self
        place = np.searchsorted(self.edges, edges, "left")
        last = len(self.edges) - 1
        own = (place <= last) & (self.edges[np.minimum(place, last)] == edges)
        left, right = np.maximum(place - 1, 0), np.minimum(place, last)
        inside = ~own & (place > 0) & (place <= last)
        share = np.where(inside, _share_of(edges, self.edges[left], self.edges[right]), 0.0)
        atoms = self.edges * (self.upto_edges - self.below)
        cumulated = np.cumsum(self.sums[:-1] + atoms)
        start, totals = np.where(place > 0, self.upto_edges[left], 0), np.where(place > 0, cumulated[left], 0.0)
        mass = np.where(inside, self.below[right] - self.upto_edges[left], 0)
        between = start + share * mass
        below, upto = np.where(own, self.below[right], between), np.where(own, self.upto_edges[right], between)
        through = np.where(own, cumulated[right], totals + share * mass * (self.edges[left] / 2 + edges / 2))
        before = np.where(own, cumulated[right] - atoms[right], through)
        hit = np.unique(right[inside])
        local = (self.below[hit] - self.upto_edges[hit - 1]) / self.n
        width = self.edges[hit] - self.edges[hit - 1]
        return Grid(
            edges, below, upto, np.concatenate([[before[0]], before[1:] - through[:-1], [0.0]]), self.n, self.minimum,
            self.maximum, self.mean, self.std, self.rank_error + (float(local.max()) if len(local) else 0.0),
            # as linear functions are off by, and what that leaves to the last part of each
            self.area_error + 1.5 * float(local @ width),
        )  # fmt: skip


class Counter:
    """Counts values at given edges, part by part: exact, however many parts there are."""

    def __init__(self, edges: NDArray[Any]) -> None:
        import numpy as np

        self._edges = edges
        self._below = np.zeros(len(edges), dtype="int64")
        self._upto = np.zeros(len(edges), dtype="int64")
        self._sums = np.zeros(len(edges) + 1)
        self._n, self._mean, self._squares = 0, 0.0, 0.0
        self._minimum, self._maximum = np.inf, -np.inf

    def add_sorted(self, values: NDArray[Any]) -> None:
        """Count sorted, finite values."""
        import numpy as np

        if not len(values):
            return
        below, upto = np.searchsorted(values, self._edges, "left"), np.searchsorted(values, self._edges, "right")
        with quiet():
            starts, ends = np.concatenate([[0], upto]), np.concatenate([below, [len(values)]])
            # one value more, so that a part may begin behind the last one
            parts = np.add.reduceat(np.append(values, 0.0), np.column_stack([starts, ends]).ravel())[::2]
            self._sums += np.where(starts < ends, parts, 0.0)
            self._add_moments(len(values), _quiet_mean(values), float(values.var()) * len(values))
        self._below += below
        self._upto += upto
        self._minimum, self._maximum = min(self._minimum, values[0]), max(self._maximum, values[-1])

    def _add_moments(self, n: int, mean: float, squares: float) -> None:
        total = self._n + n
        gap = mean - self._mean
        self._squares += squares + gap * gap * self._n * n / total
        self._mean += gap * n / total
        self._n = total

    def grid(self) -> Grid:
        """What was counted."""
        std = max(self._squares / max(self._n, 1), 0.0) ** 0.5 if self._minimum < self._maximum else 0.0
        return Grid(
            self._edges, self._below, self._upto, self._sums, self._n, float(self._minimum), float(self._maximum),
            self._mean, std,
        )  # fmt: skip


Distribution = Sample | Grid


def quiet() -> AbstractContextManager[Any]:
    """Numbers near the largest that there are overflow to infinity or NaN, without a warning; such results are None."""
    import numpy as np

    return np.errstate(over="ignore", invalid="ignore")


def merged_grid(grids: Iterable[Grid]) -> Grid:
    """The distribution of all their values together, on 2,048 bins again. The errors are added up by weight.

    Many at once are merged better than one after the other: each merging adds up to one bin to `rank_error`.
    """
    parts = [g for g in grids if g.n]
    if len(parts) == 1:
        return parts[0]
    with quiet():
        return _merged(parts)


def _merged(parts: Sequence[Grid]) -> Grid:
    import numpy as np

    union = np.unique(np.concatenate([g.edges for g in parts]))
    same = [g.at(union) for g in parts]
    total = sum(g.n for g in same)
    ranks: NDArray[Any] = np.sum([g.upto_edges for g in same], axis=0)
    kept = _chosen(ranks, total, union)
    atoms = sum(g.edges * (g.upto_edges - g.below) for g in same)
    sums = sum(g.sums[:-1] for g in same)
    through = np.cumsum(sums + atoms)
    before = (through - atoms)[kept]
    below, upto = (sum(getattr(g, side) for g in same)[kept] for side in ("below", "upto_edges"))
    weights, means, spreads = (np.asarray(v) for v in zip(*((g.n / total, g.mean, g.std) for g in same), strict=True))
    mean = float(weights @ means)
    std = float(np.sqrt(weights @ (spreads**2 + (means - mean) ** 2)))
    return Grid(
        union[kept], below, upto,
        np.concatenate([[before[0]], before[1:] - through[kept][:-1], [0.0]]), total, min(g.minimum for g in same),
        max(g.maximum for g in same), mean, std,
        sum(g.n / total * g.rank_error for g in same),
        sum(g.n / total * g.area_error for g in same),
    )  # fmt: skip


def quantile_grid(quantiles: Sequence[float], n: int, mean: float, std: float) -> Grid:
    """A grid from evenly spaced quantiles, ends included, of `n` values: shares at edges are off by up to one step."""
    import numpy as np

    edges, first, times = np.unique(np.asarray(quantiles, dtype="float64"), return_index=True, return_counts=True)
    steps = len(quantiles) - 1
    below, upto = first / steps * n, (first + times - 1) / steps * n
    if len(edges) == 1:
        below, upto = np.zeros(1), np.asarray([float(n)])
    below[0], upto[-1] = 0.0, float(n)
    mass, width = below[1:] - upto[:-1], np.diff(edges)
    sums = np.concatenate([[0.0], mass * (edges[:-1] + width / 2), [0.0]])
    tied = 1 / steps if bool((times > 1).any()) and len(edges) > 1 else 0.0
    area = float((mass / n) @ width)
    return Grid(
        edges, below, upto, sums, n, float(edges[0]), float(edges[-1]), mean, std, min(1 / n + tied, 1.0),
        area + tied * float(edges[-1] - edges[0]),
    )  # fmt: skip


def _chosen(ranks: NDArray[Any], total: int, union: NDArray[Any]) -> NDArray[Any]:
    """Which of the edges to keep: those nearest to evenly spaced ranks and to the deciles, and the ends."""
    import numpy as np

    targets = np.concatenate([np.linspace(0, total, BINS + 1), np.arange(1, _DECILES) / _DECILES * total])
    places = np.searchsorted(ranks, targets, "left")
    return np.unique(np.concatenate([[0], np.clip(places, 0, len(union) - 1), [len(union) - 1]]))


def _share_of(points: NDArray[Any], left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """How far each point is from left (0) to right (1)."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        share = (points - left) / (right - left)
    clipped: NDArray[Any] = np.clip(np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    return clipped


def _quiet_mean(values: NDArray[Any]) -> float:

    with quiet():
        return float(values.mean())
