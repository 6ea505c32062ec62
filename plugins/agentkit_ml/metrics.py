"""Metrics: what each is called, which way is better, and how it is computed (scikit-learn's definitions)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import TrainingError
from agentkit_ml.assess import statistics as s

if TYPE_CHECKING:
    from numpy.typing import NDArray

Task = Literal["binary", "multiclass", "regression"]
MetricChoice = Literal[
    "auto", "roc_auc", "roc_auc_ovr", "average_precision", "log_loss", "brier", "accuracy", "balanced_accuracy", "f1",
    "precision", "recall", "mcc", "f1_macro", "rmse", "mae", "median_ae", "mape", "r2",
]  # fmt: skip

UNEQUAL = 1.5
"""Classes are unequal if the largest has this many times the rows of the smallest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """True and predicted values of some rows; classes as text, probabilities in the order of `classes`."""

    task: Task
    truth: NDArray[Any]
    predicted: NDArray[Any]
    probabilities: NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    positive: str = ""

    def take(self, rows: NDArray[Any]) -> Outcome:
        """The same of these rows only (positions or a mask)."""
        chances = None if self.probabilities is None else self.probabilities[rows]
        return Outcome(self.task, self.truth[rows], self.predicted[rows], chances, self.classes, self.positive)


@dataclass(frozen=True, slots=True)
class Metric:
    """`statistic` prepares the metric of some rows: given weights (resamples x rows) it computes one value each."""

    label: str
    tasks: tuple[Task, ...]
    statistic: Callable[[Outcome], s.Statistic]
    greater_is_better: bool = True

    def compute(self, outcome: Outcome) -> float:
        """The metric of these rows."""
        import numpy as np

        return float(self.statistic(outcome)(np.ones((1, len(outcome.truth))))[0])


def binary_scores(o: Outcome) -> tuple[NDArray[Any], NDArray[Any]]:
    """1 for the positive class, and its probability."""
    assert o.probabilities is not None
    return (o.truth == o.positive).astype(float), o.probabilities[:, o.classes.index(o.positive)]


def _roc_auc_ovr(o: Outcome) -> s.Statistic:
    import numpy as np

    assert o.probabilities is not None
    present = [i for i, c in enumerate(o.classes) if 0 < (o.truth == c).sum() < len(o.truth)]
    each = [s.roc_auc((o.truth == o.classes[i]).astype(float), o.probabilities[:, i]) for i in present]
    return lambda weights: np.mean([statistic(weights) for statistic in each], axis=0)


def _hits(o: Outcome) -> tuple[NDArray[Any], NDArray[Any]]:
    return (o.truth == o.positive).astype(float), (o.predicted == o.positive).astype(float)


def _codes(o: Outcome) -> tuple[NDArray[Any], NDArray[Any]]:
    """True and predicted classes as numbers; classes that only the rows know come after those of the model."""
    import numpy as np

    known = {c: i for i, c in enumerate(dict.fromkeys([*o.classes, *o.truth, *o.predicted]))}
    return np.array([known[c] for c in o.truth]), np.array([known[c] for c in o.predicted])


def _chances(o: Outcome) -> tuple[NDArray[Any], NDArray[Any]]:
    assert o.probabilities is not None
    return _codes(o)[0], o.probabilities


def _brier(o: Outcome) -> s.Statistic:
    return s.brier(*binary_scores(o)) if o.task == "binary" else s.brier_of_classes(*_chances(o))


_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
_NUMBERS: tuple[Task, ...] = ("regression",)

METRICS: dict[str, Metric] = {
    "roc_auc": Metric("ROC-AUC", ("binary",), lambda o: s.roc_auc(*binary_scores(o))),
    "average_precision": Metric("average precision", ("binary",), lambda o: s.average_precision(*binary_scores(o))),
    "f1": Metric("F1", ("binary",), lambda o: s.f1(*_hits(o))),
    "precision": Metric("precision", ("binary",), lambda o: s.precision(*_hits(o))),
    "recall": Metric("recall", ("binary",), lambda o: s.recall(*_hits(o))),
    "f1_macro": Metric("macro F1", _CLASSES, lambda o: s.f1_macro(*_codes(o))),
    "balanced_accuracy": Metric("balanced accuracy", _CLASSES, lambda o: s.balanced_accuracy(*_codes(o))),
    "mcc": Metric("MCC", _CLASSES, lambda o: s.matthews(*_codes(o))),
    "roc_auc_ovr": Metric("ROC-AUC, one class against the rest", ("multiclass",), _roc_auc_ovr),
    "log_loss": Metric("log loss", _CLASSES, lambda o: s.log_loss(*_chances(o)), greater_is_better=False),
    "brier": Metric("Brier score", _CLASSES, _brier, greater_is_better=False),
    "accuracy": Metric("accuracy", _CLASSES, lambda o: s.mean((o.truth == o.predicted).astype(float))),
    "rmse": Metric("RMSE", _NUMBERS, lambda o: s.root_mean_square(o.truth - o.predicted), greater_is_better=False),
    "mae": Metric("MAE", _NUMBERS, lambda o: s.mean(abs(o.truth - o.predicted)), greater_is_better=False),
    "median_ae": Metric(
        "median absolute error", _NUMBERS, lambda o: s.median(abs(o.truth - o.predicted)), greater_is_better=False
    ),
    "mape": Metric("MAPE", _NUMBERS, lambda o: s.mean(abs((o.truth - o.predicted) / o.truth)), greater_is_better=False),
    "r2": Metric("R2", _NUMBERS, lambda o: s.r2(o.truth, o.predicted)),
}
"""In the order in which they are told. `mape` is a fraction: 0.1 is 10%."""

_DEFAULT: dict[Task, str] = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "rmse"}
_NEED_BOTH_CLASSES = ("roc_auc", "average_precision", "roc_auc_ovr")
_NEED_KNOWN_CLASSES = ("log_loss", "brier")


def task_of(metric: str) -> Literal["auto", "regression"]:
    """The task that a wanted metric leaves no doubt of: one of numbers alone says that the target is amounts."""
    return "regression" if metric in METRICS and METRICS[metric].tasks == ("regression",) else "auto"


def choose_metric(wanted: str, task: Task, class_rows: Sequence[int] = ()) -> str:
    """The metric to select by, unless one is wanted: ROC-AUC for two classes, RMSE for numbers, accuracy for more
    classes, or macro F1 if the rows of each class (`class_rows`) are unequal. `roc_auc` of more classes is that of
    each class against the rest.

    Raises TrainingError if the wanted one does not fit the task.
    """
    if wanted == "auto":
        return "f1_macro" if task == "multiclass" and unequal(class_rows) else _DEFAULT[task]
    if (wanted, task) == ("roc_auc", "multiclass"):
        return "roc_auc_ovr"
    if task not in METRICS[wanted].tasks:
        fitting = ", ".join(n for n, m in METRICS.items() if task in m.tasks)
        raise TrainingError(f"metric {wanted!r} does not fit a {task} target. Choose one of: {fitting}, or auto.")
    return wanted


def unequal(class_rows: Sequence[int]) -> bool:
    """True if accuracy would mostly tell how well the large classes do."""
    return bool(class_rows) and max(class_rows) >= UNEQUAL * min(class_rows)


def measurable(outcome: Outcome) -> list[str]:
    """The metrics of the task that these rows allow, in the order in which they are told.

    ROC-AUC and average precision need rows of both classes, log loss and Brier no class that the model does not know,
    MAPE true values other than 0, R2 true values that differ.
    """
    names = [n for n, m in METRICS.items() if outcome.task in m.tasks]
    if outcome.task == "regression":
        left_out = {"mape"} if (outcome.truth == 0).any() else set()
        left_out |= {"r2"} if (outcome.truth == outcome.truth[0]).all() else set()
        return [n for n in names if n not in left_out]
    seen = set(outcome.truth)
    names = [n for n in names if len(seen) > 1 or n not in _NEED_BOTH_CLASSES]
    return [n for n in names if seen <= set(outcome.classes) or n not in _NEED_KNOWN_CLASSES]


def score(outcome: Outcome) -> dict[str, float]:
    """Every metric of the task that these rows allow (see `measurable`)."""
    return {n: METRICS[n].compute(outcome) for n in measurable(outcome)}


def better(metric: str, one: float, other: float) -> bool:
    """True if `one` is the better value of the metric."""
    return one > other if METRICS[metric].greater_is_better else one < other


def shown(metric: str, value: float) -> str:
    """'ROC-AUC 0.993', with as many digits as tell something."""
    return f"{METRICS[metric].label} {number(value)}"


def number(value: float) -> str:
    """Three decimals below 10, fewer above."""
    size = abs(value)
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 10_000 else f"{value:,.0f}"
