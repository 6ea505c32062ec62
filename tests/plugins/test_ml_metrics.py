"""Metrics against scikit-learn's own, with all rows and with resampled ones; and which metric counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agentkit_ml.metrics import METRICS, Outcome, choose_metric, measurable, score, task_of
from agentkit_ml.record import baseline_of, baseline_outcome
from sklearn import metrics

from agentkit.errors import TrainingError


def binary(rows: int = 300, seed: int = 0, digits: int = 6) -> Outcome:
    """Predictions that know something; few `digits` make ties."""
    random = np.random.default_rng(seed)
    chance = np.round(1 / (1 + np.exp(-1.5 * random.normal(size=rows) + 1)), digits)
    truth = np.where(random.random(rows) < chance, "yes", "no").astype("object")
    said = np.where(chance >= 0.5, "yes", "no").astype("object")
    return Outcome("binary", truth, said, np.c_[1 - chance, chance], ("no", "yes"), "yes")


def several(rows: int = 300, classes: int = 4, seed: int = 0) -> Outcome:
    random = np.random.default_rng(seed)
    names = tuple(f"c{i}" for i in range(classes))
    chances = np.exp(random.normal(size=(rows, classes)) + np.arange(classes) / 2)
    chances /= chances.sum(axis=1, keepdims=True)
    drawn = np.array([random.choice(classes, p=p) for p in chances])
    labels = np.array(names, dtype="object")
    return Outcome("multiclass", labels[drawn], labels[chances.argmax(axis=1)], chances, names)


def numbers(rows: int = 300, seed: int = 0) -> Outcome:
    random = np.random.default_rng(seed)
    truth = random.normal(50, 10, rows)
    return Outcome("regression", truth, truth + random.normal(0, 5, rows))


def _of_two(o: Outcome) -> dict[str, float]:
    hit, chance, said = o.truth == "yes", o.probabilities[:, 1], o.predicted == "yes"  # type: ignore[index]
    return {
        "roc_auc": metrics.roc_auc_score(hit, chance),
        "average_precision": metrics.average_precision_score(hit, chance),
        "f1": metrics.f1_score(hit, said),
        "precision": metrics.precision_score(hit, said),
        "recall": metrics.recall_score(hit, said),
        "f1_macro": metrics.f1_score(hit, said, average="macro"),
        "balanced_accuracy": metrics.balanced_accuracy_score(hit, said),
        "mcc": metrics.matthews_corrcoef(hit, said),
        "log_loss": metrics.log_loss(hit, chance),
        "brier": metrics.brier_score_loss(hit, chance),
        "accuracy": metrics.accuracy_score(hit, said),
    }


def _of_several(o: Outcome) -> dict[str, float]:
    t, p, chances = o.truth.astype(str), o.predicted.astype(str), o.probabilities
    return {
        "f1_macro": metrics.f1_score(t, p, average="macro"),
        "balanced_accuracy": metrics.balanced_accuracy_score(t, p),
        "mcc": metrics.matthews_corrcoef(t, p),
        "roc_auc_ovr": metrics.roc_auc_score(t, chances, multi_class="ovr", labels=list(o.classes)),
        "log_loss": metrics.log_loss(t, chances, labels=list(o.classes)),
        "brier": metrics.brier_score_loss(t, chances, labels=list(o.classes)),
        "accuracy": metrics.accuracy_score(t, p),
    }


def _of_numbers(o: Outcome) -> dict[str, float]:
    return {
        "rmse": metrics.root_mean_squared_error(o.truth, o.predicted),
        "mae": metrics.mean_absolute_error(o.truth, o.predicted),
        "median_ae": metrics.median_absolute_error(o.truth, o.predicted),
        "mape": metrics.mean_absolute_percentage_error(o.truth, o.predicted),
        "r2": metrics.r2_score(o.truth, o.predicted),
    }


CASES: list[tuple[Outcome, Callable[[Outcome], dict[str, float]]]] = [
    (binary(), _of_two), (binary(digits=1), _of_two), (several(), _of_several), (several(700, 6), _of_several),
    (numbers(), _of_numbers), (numbers(301), _of_numbers),
]  # fmt: skip


@pytest.mark.parametrize(("made", "theirs"), CASES)
def test_every_metric_is_that_of_scikit_learn(made: Outcome, theirs: Callable[[Outcome], dict[str, float]]) -> None:
    assert score(made) == pytest.approx(theirs(made), rel=1e-9)
    assert list(score(made)) == list(theirs(made))


@pytest.mark.parametrize(("made", "theirs"), CASES)
def test_weights_count_like_repeated_rows(made: Outcome, theirs: Callable[[Outcome], dict[str, float]]) -> None:
    random = np.random.default_rng(1)
    for _ in range(3):
        drawn = random.integers(len(made.truth), size=len(made.truth))
        weights = np.bincount(drawn, minlength=len(made.truth)).astype(float)
        expected = theirs(made.take(drawn))
        weighted = {n: float(METRICS[n].statistic(made)(weights[None, :])[0]) for n in expected}
        assert weighted == pytest.approx(expected, rel=1e-9)


def test_a_baseline_without_a_model_scores_what_it_must() -> None:
    made = binary()
    share = float((made.truth == "yes").mean())
    guess = baseline_outcome(baseline_of(made.truth, made.classes), made.truth, "binary", made.classes, "yes")
    assert score(guess) == pytest.approx(_of_two_without_warnings(guess))
    assert score(guess)["roc_auc"] == 0.5
    assert score(guess)["average_precision"] == pytest.approx(share)
    assert (score(guess)["mcc"], score(guess)["precision"]) == (0, 0)


def _of_two_without_warnings(o: Outcome) -> dict[str, float]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _of_two(o)


def test_metrics_that_rows_do_not_allow_are_left_out() -> None:
    made = binary()
    assert not {"roc_auc", "average_precision"} & set(measurable(made.take(made.truth == "yes")))
    odd = Outcome("binary", np.array(["yes", "no", "maybe"], "object"), *_two_of(made))
    assert not {"log_loss", "brier"} & set(measurable(odd))
    zero = Outcome("regression", np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    assert "mape" not in measurable(zero)
    same = Outcome("regression", np.array([1.0, 1.0]), np.array([0.5, 0.5]))
    assert "r2" not in measurable(same)


def _two_of(o: Outcome) -> tuple[Any, Any, tuple[str, ...], str]:
    assert o.probabilities is not None
    return o.predicted[:3], o.probabilities[:3], o.classes, o.positive


def test_accuracy_is_not_chosen_for_unequal_classes() -> None:
    assert choose_metric("auto", "multiclass", [50, 50, 50]) == "accuracy"
    assert choose_metric("auto", "multiclass", [500, 50, 50]) == "f1_macro"
    assert choose_metric("auto", "binary", [500, 50]) == "roc_auc"
    with pytest.raises(TrainingError, match="does not fit a regression target"):
        choose_metric("f1", "regression")


def test_a_metric_of_amounts_settles_the_task() -> None:
    assert task_of("rmse") == task_of("mape") == "regression"
    assert task_of("roc_auc") == task_of("accuracy") == task_of("auto") == "auto"
