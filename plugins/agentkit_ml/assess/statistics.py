"""The formulas of the metrics, for many weightings of the same rows at once: what a bootstrap needs.

Each function prepares what does not depend on the weights and returns a `Statistic`. Weights have the shape
(resamples, rows): how often each row counts. All ones give scikit-learn's value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

Statistic = Callable[["NDArray[Any]"], "NDArray[Any]"]


def mean(values: NDArray[Any]) -> Statistic:
    """The mean of one value a row."""
    return lambda w: w @ values / w.sum(axis=1)


def root_mean_square(values: NDArray[Any]) -> Statistic:
    """The root of the mean of squares."""
    return lambda w: (w @ values**2 / w.sum(axis=1)) ** 0.5


def median(values: NDArray[Any]) -> Statistic:
    """The median; of an even number of rows the mean of the two in the middle."""
    import numpy as np

    order = np.argsort(values)
    ordered = values[order]

    def compute(w: NDArray[Any]) -> NDArray[Any]:
        passed = w[:, order].cumsum(axis=1)
        half = passed[:, -1:] / 2
        low, high = (passed >= half).argmax(axis=1), (passed > half).argmax(axis=1)
        middle: NDArray[Any] = (ordered[low] + ordered[high]) / 2
        return middle

    return compute


def r2(truth: NDArray[Any], predicted: NDArray[Any]) -> Statistic:
    """1 minus squared errors over squared deviations from the mean; 0 where nothing deviates."""
    centred, errors = truth - truth.mean(), (truth - predicted) ** 2

    def compute(w: NDArray[Any]) -> NDArray[Any]:
        squares = w @ centred**2
        spread = squares - (w @ centred) ** 2 / w.sum(axis=1)
        # a resample of one value alone leaves a rounding error instead of 0
        return 1 - _ratio(w @ errors, spread * (spread > 1e-12 * squares), empty=1.0)

    return compute


def roc_auc(truth: NDArray[Any], scores: NDArray[Any]) -> Statistic:
    """The share of (positive, other) pairs in the right order, ties half (Mann-Whitney). `truth`: 1.0 or 0.0."""
    grouped = _by_score(truth, scores)

    def compute(w: NDArray[Any]) -> NDArray[Any]:
        positives, others = grouped(w)
        below = others.cumsum(axis=1) - others / 2
        pairs = positives.sum(axis=1) * others.sum(axis=1)
        return _ratio((positives * below).sum(axis=1), pairs)

    return compute


def average_precision(truth: NDArray[Any], scores: NDArray[Any]) -> Statistic:
    """The mean precision over the positives, from the highest score down: the area under the step PR curve."""
    grouped = _by_score(truth, -scores)

    def compute(w: NDArray[Any]) -> NDArray[Any]:
        positives, others = grouped(w)
        found = positives.cumsum(axis=1)
        precise = _ratio(found, found + others.cumsum(axis=1))
        return _ratio((positives * precise).sum(axis=1), positives.sum(axis=1))

    return compute


def _by_score(truth: NDArray[Any], scores: NDArray[Any]) -> Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]:
    """Weights of positives and of others at each different score, from the lowest."""
    import numpy as np

    order = np.argsort(scores, kind="stable")
    ordered, positive = scores[order], truth[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])

    def grouped(w: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        weights = w[:, order]
        positives = weights * positive
        others = weights - positives
        if len(starts) == len(ordered):
            return positives, others
        return np.add.reduceat(positives, starts, axis=1), np.add.reduceat(others, starts, axis=1)

    return grouped


def precision(truth: NDArray[Any], said: NDArray[Any]) -> Statistic:
    """Right among those said to be positive; 0 if none is said to be."""
    return lambda w: _ratio(w @ (truth * said), w @ said)


def recall(truth: NDArray[Any], said: NDArray[Any]) -> Statistic:
    """Found among the positives; 0 if there are none."""
    return lambda w: _ratio(w @ (truth * said), w @ truth)


def f1(truth: NDArray[Any], said: NDArray[Any]) -> Statistic:
    """The harmonic mean of precision and recall."""
    return lambda w: _ratio(2 * (w @ (truth * said)), w @ truth + w @ said)


def f1_macro(truth: NDArray[Any], said: NDArray[Any]) -> Statistic:
    """The mean of F1 over the classes that occur in `truth` (codes)."""
    present, hits = _one_hot(truth, truth), _one_hot(truth, said)
    return lambda w: _ratio(2 * (w @ (present * hits)), w @ present + w @ hits).mean(axis=1)


def balanced_accuracy(truth: NDArray[Any], said: NDArray[Any]) -> Statistic:
    """The mean of recall over the classes that occur in `truth` (codes)."""
    present, hits = _one_hot(truth, truth), _one_hot(truth, said)
    return lambda w: _ratio(w @ (present * hits), w @ present).mean(axis=1)


def matthews(truth: NDArray[Any], said: NDArray[Any]) -> Statistic:
    """The correlation of true and predicted classes (Gorodkin 2004); 0 where one of them is always the same."""
    import numpy as np

    codes = np.r_[truth, said]
    present, hits, right = _one_hot(codes, truth), _one_hot(codes, said), (truth == said).astype(float)

    def compute(w: NDArray[Any]) -> NDArray[Any]:
        total, t, p = w.sum(axis=1), w @ present, w @ hits
        spread = (total**2 - (t**2).sum(axis=1)) * (total**2 - (p**2).sum(axis=1))
        return _ratio((w @ right) * total - (t * p).sum(axis=1), np.sqrt(np.maximum(spread, 0)))

    return compute


def log_loss(truth: NDArray[Any], probabilities: NDArray[Any]) -> Statistic:
    """Minus the mean logarithm of the true class's probability, which is at least the smallest float step from 0."""
    import numpy as np

    tiny = np.finfo(float).eps
    return mean(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], tiny, 1 - tiny)))


def brier(truth: NDArray[Any], scores: NDArray[Any]) -> Statistic:
    """The mean squared error of the positive class's probability: 0 to 1."""
    return mean((truth - scores) ** 2)


def brier_of_classes(truth: NDArray[Any], probabilities: NDArray[Any]) -> Statistic:
    """Squared errors of all classes' probabilities, summed (Brier 1950): 0 to 2."""
    import numpy as np

    wanted = np.zeros_like(probabilities)
    wanted[np.arange(len(truth)), truth] = 1
    return mean(((wanted - probabilities) ** 2).sum(axis=1))


def _one_hot(codes: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """A column of 0 and 1 for each different code, a row for each value."""
    import numpy as np

    return np.asarray(values[:, None] == np.unique(codes)[None, :], dtype=float)


def _ratio(top: NDArray[Any], bottom: NDArray[Any], empty: float = 0.0) -> NDArray[Any]:
    """`top / bottom`, and `empty` where the bottom is 0."""
    import numpy as np

    out: NDArray[Any] = np.divide(top, bottom, out=np.full(np.shape(top), empty), where=bottom > 0)
    return out
