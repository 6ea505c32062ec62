"""Rates of a model between groups of people that must be treated alike."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agentkit_ml.assess.slices import SMALL, bins
from agentkit_ml.metrics import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import Series


class GroupRates(BaseModel):
    """Rates of one group: `rates` as named in `Fairness.metrics`."""

    model_config = ConfigDict(frozen=True)

    group: str
    rows: int
    rates: dict[str, float | None]
    small: bool


class Fairness(BaseModel):
    """Rates by group of a sensitive column, and over all groups with at least 30 rows the largest difference and the
    smallest ratio (smallest over largest rate) of each."""

    model_config = ConfigDict(frozen=True)

    column: str
    groups: list[GroupRates]
    differences: dict[str, float]
    ratios: dict[str, float]


def fairness(column: Series, seen: Outcome) -> Fairness:
    """Rates by group with fairlearn's MetricFrame.

    Two classes: selection rate, true and false positive rate, accuracy, for the positive class. More classes: accuracy
    and balanced accuracy. Numbers: mean error (true minus predicted; its ratio says nothing and is left out) and mean
    absolute error. Source of the measures: Hardt, Price and Srebro (2016).
    """
    from fairlearn.metrics import MetricFrame  # type: ignore[import-untyped]

    groups, order = bins(column)
    truth, predicted, rates = _rates(seen)
    with warnings.catch_warnings():
        # groups without positives have no true positive rate: they get None
        warnings.simplefilter("ignore")
        framed = MetricFrame(metrics=rates, y_true=truth, y_pred=predicted, sensitive_features=list(groups))
        table = framed.by_group
    made = []
    for group in order:
        rows = groups == group
        # fairlearn says 0 for a rate of no rows
        undefined = _undefined(seen.truth[rows] == seen.positive) if seen.task == "binary" else ()
        values = {r: None if r in undefined else float(table.loc[group, r]) for r in rates}
        made.append(GroupRates(group=group, rows=int(rows.sum()), rates=values, small=bool(rows.sum() < SMALL)))
    compared = [g for g in made if not g.small]
    spread = {r: [v for g in compared if (v := g.rates[r]) is not None] for r in rates}
    differences = {r: max(v) - min(v) for r, v in spread.items() if len(v) > 1}
    ratios = {
        r: min(v) / max(v) for r, v in spread.items() if len(v) > 1 and min(v) >= 0 and max(v) > 0 and r != "mean error"
    }
    return Fairness(column=str(column.name), groups=made, differences=differences, ratios=ratios)


def _rates(seen: Outcome) -> tuple[NDArray[Any], NDArray[Any], dict[str, Any]]:
    from fairlearn.metrics import false_positive_rate, selection_rate, true_positive_rate
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, mean_absolute_error

    if seen.task == "regression":
        return (
            seen.truth,
            seen.predicted,
            {"mean error": lambda t, p: float((t - p).mean()), "mean absolute error": mean_absolute_error},
        )
    if seen.task == "multiclass":
        rates = {"accuracy": accuracy_score, "balanced accuracy": balanced_accuracy_score}
        return seen.truth.astype(str), seen.predicted.astype(str), rates
    rates = {
        "selection rate": selection_rate, "true positive rate": true_positive_rate,
        "false positive rate": false_positive_rate, "accuracy": accuracy_score,
    }  # fmt: skip
    return (seen.truth == seen.positive).astype(int), (seen.predicted == seen.positive).astype(int), rates


def _undefined(positive: NDArray[Any]) -> tuple[str, ...]:
    return ("true positive rate",) * (not positive.any()) + ("false positive rate",) * bool(positive.all())
