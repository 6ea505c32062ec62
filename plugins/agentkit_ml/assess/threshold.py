"""The probability from which a row counts as positive: which is best, and what it would honestly give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agentkit_ml.metrics import METRICS, Outcome, better, binary_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentkit_ml.assess.costs import Costs
    from agentkit_ml.assess.statistics import Statistic

DECIDED_BY_THRESHOLD = ("f1", "f1_macro", "balanced_accuracy", "mcc", "accuracy")
"""Metrics that a threshold is chosen for. The others do not depend on it, or are best where all rows get one answer."""

FEWEST_OF_A_CLASS = 10

_FOLDS = 5
_TOLD = ("precision", "recall", "f1", "balanced_accuracy", "mcc", "accuracy")


class Threshold(BaseModel):
    """Say positive from the probability `threshold` on, instead of from 0.5.

    `metric` is what it is best for (`cost`: mean cost a row). `value` and `metrics` are cross-fitted: each fifth of the
    rows is decided by the threshold that is best on the other four, so they do not flatter. `default` and
    `default_metrics` are those of 0.5. `p`: paired bootstrap of the difference.
    """

    model_config = ConfigDict(frozen=True)

    metric: str
    threshold: float
    value: float
    default: float
    p: float
    metrics: dict[str, float]
    default_metrics: dict[str, float]

    @property
    def pays(self) -> bool:
        """True if the gain can be told from chance."""
        lower_is_better = self.metric == "cost"
        gains = self.value < self.default if lower_is_better else better(self.metric, self.value, self.default)
        return gains and self.p < 0.05


@dataclass(frozen=True, slots=True)
class Cuts:
    """Every way to cut the rows by probability: from none positive to all. Arrays of the same length.

    `positive_rows` and `other_rows` are those at or above each of `thresholds`.
    """

    thresholds: NDArray[Any]
    positive_rows: NDArray[Any]
    other_rows: NDArray[Any]
    positives: float
    others: float


def cuts(truth: NDArray[Any], scores: NDArray[Any]) -> Cuts:
    """All cuts that differ, thresholds half way between neighbouring probabilities, from above the highest to 0."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ordered, positive = scores[order], truth[order]
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    levels = ordered[last]
    between = np.r_[(levels[0] + max(1.0, levels[0])) / 2, (levels[:-1] + levels[1:]) / 2, 0.0]
    found, alarms = np.r_[0, positive.cumsum()[last]], np.r_[0, (1 - positive).cumsum()[last]]
    return Cuts(between, found, alarms, float(truth.sum()), float((1 - truth).sum()))


def objective(metric: str, costs: Costs | None, positive: int) -> Callable[[Cuts], NDArray[Any]]:
    """What each cut is worth; more is better. `positive`: the position of the positive class."""
    import numpy as np

    def worth(c: Cuts) -> NDArray[Any]:
        hits, alarms = c.positive_rows, c.other_rows
        missed, rejected = c.positives - hits, c.others - alarms
        total = c.positives + c.others
        f1 = 2 * hits / np.maximum(2 * hits + alarms + missed, 1)
        if costs is not None:
            m, other = costs.array(), 1 - positive
            mistakes = missed * m[positive, other] + alarms * m[other, positive]
            value = -(mistakes + hits * m[positive, positive] + rejected * m[other, other]) / total
        elif metric == "accuracy":
            value = (hits + rejected) / total
        elif metric == "balanced_accuracy":
            value = (hits / c.positives + rejected / c.others) / 2
        elif metric == "f1_macro":
            value = (f1 + 2 * rejected / np.maximum(2 * rejected + alarms + missed, 1)) / 2
        elif metric == "mcc":
            spread = (hits + alarms) * (hits + missed) * (rejected + alarms) * (rejected + missed)
            value = (hits * rejected - alarms * missed) / np.sqrt(np.maximum(spread, 1))
        else:
            value = f1
        return np.asarray(value)

    return worth


def best_threshold(
    outcome: Outcome, metric: str, costs: Costs | None = None, *, resamples: int = 500, seed: int = 20
) -> Threshold | None:
    """The best threshold for the costs if given, else for the metric, or for F1 if the metric does not depend on one.

    None for other tasks than binary, and with fewer than 10 rows of either class.
    """
    if outcome.task != "binary" or not set(outcome.truth) <= set(outcome.classes):
        return None
    truth, scores = binary_scores(outcome)
    if min(truth.sum(), (1 - truth).sum()) < FEWEST_OF_A_CLASS:
        return None
    chosen = "cost" if costs else metric if metric in DECIDED_BY_THRESHOLD else "f1"
    worth = objective(chosen, costs, outcome.classes.index(outcome.positive))

    def best(rows: NDArray[Any] | slice) -> float:
        possible = cuts(truth[rows], scores[rows])
        values = worth(possible)
        # of equally good ones the nearest to 0.5: the least change
        ties = possible.thresholds[values >= values.max() - 1e-12]
        return float(ties[abs(ties - 0.5).argmin()])

    fitted = _decided(outcome, _cross_fitted(truth, scores, best, seed))
    default = _decided(outcome, scores >= 0.5)
    now, then, p = _compared(fitted, default, chosen, costs, resamples, seed)
    return Threshold(
        metric=chosen, threshold=best(slice(None)), value=now, default=then, p=p,
        metrics={m: METRICS[m].compute(fitted) for m in _TOLD},
        default_metrics={m: METRICS[m].compute(default) for m in _TOLD},
    )  # fmt: skip


def _cross_fitted(
    truth: NDArray[Any], scores: NDArray[Any], best: Callable[[NDArray[Any]], float], seed: int
) -> NDArray[Any]:
    """Which rows are positive, each decided by rows of other folds."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    said = np.zeros(len(truth), bool)
    for rest, part in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(scores, truth):
        said[part] = scores[part] >= best(rest)
    return said


def _decided(outcome: Outcome, positive: NDArray[Any]) -> Outcome:
    import numpy as np

    other = next(c for c in outcome.classes if c != outcome.positive)
    predicted = np.where(positive, outcome.positive, other).astype("object")
    return Outcome("binary", outcome.truth, predicted, outcome.probabilities, outcome.classes, outcome.positive)


def _compared(
    one: Outcome, other: Outcome, metric: str, costs: Costs | None, resamples: int, seed: int
) -> tuple[float, float, float]:
    """The value of both, and the p-value of their difference."""
    import numpy as np

    from agentkit_ml.assess.costs import row_costs
    from agentkit_ml.assess.intervals import bootstrap
    from agentkit_ml.assess.significance import paired_bootstrap
    from agentkit_ml.assess.statistics import mean

    def statistic(o: Outcome) -> Statistic:
        if costs is None:
            return METRICS[metric].statistic(o)
        return mean(row_costs(costs, o, np.array([o.classes.index(p) for p in o.predicted])))

    def both(rows: NDArray[Any]) -> dict[str, Statistic]:
        return {"one": statistic(one.take(rows)), "other": statistic(other.take(rows))}

    count = len(one.truth)
    made = bootstrap(both, count, strata=one.truth, resamples=resamples, seed=seed)
    test = paired_bootstrap(made.drawn["one"] - made.drawn["other"], count)
    return made.whole["one"], made.whole["other"], test.p
