"""Metrics: what each is called, which way is better, and how it is computed (scikit-learn's definitions)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Task = Literal["binary", "multiclass", "regression"]
MetricChoice = Literal[
    "auto", "roc_auc", "average_precision", "log_loss", "accuracy", "balanced_accuracy", "f1", "precision", "recall",
    "f1_macro", "rmse", "mae", "r2",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """True and predicted values of some rows; classes as text, probabilities in the order of `classes`."""

    task: Task
    truth: NDArray[Any]
    predicted: NDArray[Any]
    probabilities: NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    positive: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    label: str
    tasks: tuple[Task, ...]
    compute: Callable[[Outcome], float]
    greater_is_better: bool = True


def _binary(o: Outcome) -> tuple[NDArray[Any], NDArray[Any]]:
    """1 for the positive class, and its probability."""
    assert o.probabilities is not None
    return (o.truth == o.positive).astype(int), o.probabilities[:, o.classes.index(o.positive)]


def _roc_auc(o: Outcome) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*_binary(o)))


def _average_precision(o: Outcome) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(*_binary(o)))


def _log_loss(o: Outcome) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(o.truth, o.probabilities, labels=list(o.classes)))


def _accuracy(o: Outcome) -> float:
    return float((o.truth == o.predicted).mean())


def _balanced_accuracy(o: Outcome) -> float:
    return float(sum((o.predicted[o.truth == c] == c).mean() for c in set(o.truth)) / len(set(o.truth)))


def _f1_macro(o: Outcome) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(o.truth, o.predicted, average="macro", labels=sorted(set(o.truth)), zero_division=0))


def _hits(o: Outcome) -> tuple[int, int, int]:
    """True positives, predicted positives, positives."""
    truth, predicted = o.truth == o.positive, o.predicted == o.positive
    return int((truth & predicted).sum()), int(predicted.sum()), int(truth.sum())


def _precision(o: Outcome) -> float:
    hits, predicted, _ = _hits(o)
    return hits / predicted if predicted else 0.0


def _recall(o: Outcome) -> float:
    hits, _, positives = _hits(o)
    return hits / positives if positives else 0.0


def _f1(o: Outcome) -> float:
    hits, predicted, positives = _hits(o)
    return 2 * hits / (predicted + positives) if predicted + positives else 0.0


def _rmse(o: Outcome) -> float:
    return float(((o.truth - o.predicted) ** 2).mean() ** 0.5)


def _mae(o: Outcome) -> float:
    return float(abs(o.truth - o.predicted).mean())


def _r2(o: Outcome) -> float:
    spread = float(((o.truth - o.truth.mean()) ** 2).sum())
    return 1 - float(((o.truth - o.predicted) ** 2).sum()) / spread if spread else 0.0


_CLASSES: tuple[Task, ...] = ("binary", "multiclass")

METRICS: dict[str, Metric] = {
    "roc_auc": Metric("ROC-AUC", ("binary",), _roc_auc),
    "average_precision": Metric("average precision", ("binary",), _average_precision),
    "accuracy": Metric("accuracy", _CLASSES, _accuracy),
    "balanced_accuracy": Metric("balanced accuracy", _CLASSES, _balanced_accuracy),
    "f1": Metric("F1", ("binary",), _f1),
    "precision": Metric("precision", ("binary",), _precision),
    "recall": Metric("recall", ("binary",), _recall),
    "f1_macro": Metric("macro F1", _CLASSES, _f1_macro),
    "log_loss": Metric("log loss", _CLASSES, _log_loss, greater_is_better=False),
    "rmse": Metric("RMSE", ("regression",), _rmse, greater_is_better=False),
    "mae": Metric("MAE", ("regression",), _mae, greater_is_better=False),
    "r2": Metric("R2", ("regression",), _r2),
}
_DEFAULT: dict[Task, str] = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "rmse"}
_NEED_BOTH_CLASSES = ("roc_auc", "average_precision")


def choose_metric(wanted: str, task: Task) -> str:
    """The metric to select by: ROC-AUC for two classes, accuracy for more, RMSE for numbers, unless one is wanted.

    Raises TrainingError if the wanted one does not fit the task.
    """
    if wanted == "auto":
        return _DEFAULT[task]
    if task not in METRICS[wanted].tasks:
        fitting = ", ".join(n for n, m in METRICS.items() if task in m.tasks)
        raise TrainingError(f"metric {wanted!r} does not fit a {task} target. Choose one of: {fitting}, or auto.")
    return wanted


def score(outcome: Outcome) -> dict[str, float]:
    """Every metric of the task that these rows allow.

    ROC-AUC and average precision need rows of both classes, log loss no class that the model does not know.
    """
    names = [n for n, m in METRICS.items() if outcome.task in m.tasks]
    if outcome.task != "regression":
        seen = set(outcome.truth)
        names = [n for n in names if len(seen) > 1 or n not in _NEED_BOTH_CLASSES]
        names = [n for n in names if seen <= set(outcome.classes) or n != "log_loss"]
    return {n: METRICS[n].compute(outcome) for n in names}


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
