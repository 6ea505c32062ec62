"""How good a model is now: measured where labels arrived, estimated where they have not.

The estimate is confidence-based (CBPE, NannyML's term): probabilities are calibrated on the reference, and each metric
is what it would be on average if the true classes were drawn from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentkit.prediction_profiles import ROWS_A_BIN, CalibrationBin, PredictionProfile
from agentkit_drift.prediction_result import CalibrationNow, Change, Measured
from agentkit_drift.thresholds import FEWEST_ROWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentkit_drift.answers import Answers

LOWER_IS_BETTER = ("log_loss", "brier", "rmse", "mae", "median_ae", "mape")
FEWEST_BINS = 4
"""Bins of the reference's calibration, of 25 rows each, below which nothing is estimated."""

_RESAMPLES = 100
_DRAWS = 40
_SAMPLE = 4_000
_MOST_ROWS = 50_000
_Z = 1.96
_LOWEST = {"r2": -math.inf}
_UNBOUNDED = ("log_loss", "rmse", "mae", "median_ae")
_SMALL_CHANGE = 0.01

ASSUMPTIONS = (
    "the target depends on the columns as it did in the reference (only labels can show that it does not)",
    "rows like the current ones were in the reference, so that its calibration holds for them",
)


def measure(now: Answers, before: PredictionProfile | None) -> dict[str, Measured]:
    """Metrics of rows whose true values are known, each with the interval of a bootstrap. {} for too few of them."""
    import numpy as np

    rows = len(now.predicted)
    if rows < FEWEST_ROWS:
        return {}
    values = metrics(now)
    random = np.random.default_rng(0)
    size = min(rows, _SAMPLE)
    # of many rows a part is drawn: the spread is then larger by the root of the ratio
    scale = math.sqrt(size / rows)
    drawn = [metrics(now.take(random.integers(0, rows, size))) for _ in range(_RESAMPLES)]
    return _told(values, {n: scale * _spread(drawn, n) for n in values}, before)


def metrics(now: Answers, weights: NDArray[Any] | None = None) -> dict[str, float]:
    """The metrics that these labels allow, by scikit-learn, named as at training."""
    from sklearn import metrics as m

    truth, predicted, w = now.truth, now.predicted, {"sample_weight": weights}
    assert truth is not None
    if now.task == "regression":
        found = {"rmse": m.root_mean_squared_error(truth, predicted, **w),
                 "mae": m.mean_absolute_error(truth, predicted, **w),
                 "median_ae": m.median_absolute_error(truth, predicted, **w)}  # fmt: skip
        return {n: float(v) for n, v in found.items()} | ({"r2": float(m.r2_score(truth, predicted, **w))}
                                                          if truth.std() > 0 else {})  # fmt: skip
    truth = truth.astype("str")
    said = predicted.astype("str")
    found = {"accuracy": m.accuracy_score(truth, said, **w)}
    if now.task == "multiclass":
        found["f1_macro"] = m.f1_score(truth, said, average="macro", zero_division=0, **w)
        return {n: float(v) for n, v in found.items()}
    happened, chance = truth == now.positive, now.scores
    found |= _rates(happened, said == now.positive, weights)
    if happened.any() and not happened.all():
        found["roc_auc"] = m.roc_auc_score(happened, chance, **w)
        found["average_precision"] = m.average_precision_score(happened, chance, **w)
    if set(truth) <= set(now.classes):
        found["log_loss"] = m.log_loss(happened, chance, labels=[False, True], **w)
        found["brier"] = m.brier_score_loss(happened, chance, **w)
    return {n: float(v) for n, v in found.items()}


def _rates(happened: NDArray[Any], said: NDArray[Any], weights: NDArray[Any] | None) -> dict[str, float]:
    """Precision, recall and F1; 0 where nothing is there to divide by. scikit-learn's take five times as long."""
    import numpy as np

    w = np.ones(len(said)) if weights is None else weights
    hits, claims, cases = ((w * of).sum() for of in (happened & said, said, happened))
    found = {"f1": (2 * hits, claims + cases), "precision": (hits, claims), "recall": (hits, cases)}
    return {name: float(part / whole) if whole else 0.0 for name, (part, whole) in found.items()}


def calibration(now: Answers, before: PredictionProfile | None) -> CalibrationNow | None:
    """The calibration of rows whose true values are known; None for numbers and for too few rows."""
    bins = now.profile().calibration
    if len(bins) < 2:
        return None
    error, chance = calibration_error(bins)
    known = calibration_error(before.calibration)[0] if before and before.calibration else None
    return CalibrationNow(error=error, chance=chance, reference=known, bins=bins)


def calibration_error(bins: Sequence[CalibrationBin]) -> tuple[float, float]:
    """The mean distance of said and observed, weighted by rows, and what chance alone keeps it below 95% of the time.

    The latter for probabilities that are right, by the normal approximation (Broecker and Smith 2007).
    """
    import numpy as np

    rows = np.array([b.rows for b in bins])
    said, observed = np.array([b.said for b in bins]), np.array([b.observed for b in bins])
    error = float((abs(said - observed) * rows).sum() / rows.sum())
    draws = np.random.default_rng(0).normal(size=(2_000, len(bins))) * np.sqrt(rows * said * (1 - said))
    return error, float(np.quantile(abs(draws).sum(axis=1) / rows.sum(), 0.95))


def estimate(now: Answers, before: PredictionProfile) -> tuple[dict[str, Measured], str]:
    """Metrics without labels, and why there are none ('' if there are).

    The interval holds the uncertainty of the calibration and of the labels that chance would give; it does not hold
    that an assumption may be wrong.
    """
    import numpy as np

    if before.task == "regression":
        return {}, "A number that is predicted says nothing of its own error: performance needs labels."
    if len(now.predicted) < FEWEST_ROWS:
        return {}, ""
    if len(before.calibration) < FEWEST_BINS:
        return {}, (
            f"Performance without labels needs at least {FEWEST_BINS * ROWS_A_BIN} rows of the reference with labels."
        )
    random = np.random.default_rng(0)
    part, offsets, rows = _part(now, _SAMPLE, random), _offsets(before), len(now.predicted)
    values = _expected(_part(now, _MOST_ROWS, random), before, offsets)
    curves = [_expected(part, before, offsets + _noise(before, random)) for _ in range(_DRAWS)]
    labels = [_drawn(part, before, offsets, random) for _ in range(_DRAWS)]
    scale = math.sqrt(len(part.predicted) / rows)
    errors = {n: math.hypot(_spread(curves, n), scale * _spread(labels, n)) for n in values}
    return _told(values, errors, before), ""


def _part(now: Answers, most: int, random: Any) -> Answers:
    rows = len(now.predicted)
    return now if rows <= most else now.take(random.choice(rows, most, replace=False))


def _expected(now: Answers, before: PredictionProfile, offsets: NDArray[Any]) -> dict[str, float]:
    """Each row stands twice, as one and as the other class, weighted by their probabilities."""
    import numpy as np

    chance = _calibrated(now.scores, before, offsets)
    if now.task == "multiclass":
        return {"accuracy": float(chance.mean())}
    rows = np.arange(len(chance))
    both = now.take(np.concatenate([rows, rows]))
    truth = np.repeat(np.array([now.positive, _other(now)], dtype="object"), len(rows))
    return metrics(both.with_truth(truth), np.concatenate([chance, 1 - chance]))


def _noise(before: PredictionProfile, random: Any) -> NDArray[Any]:
    """How far the observed shares of the bins may be off, as few as their rows are."""
    import numpy as np

    hits = ((b.observed * b.rows, b.rows) for b in before.calibration)
    drawn = [random.beta(hit + 0.5, rows - hit + 0.5) - (hit + 0.5) / (rows + 1) for hit, rows in hits]
    return np.array(drawn)


def _drawn(now: Answers, before: PredictionProfile, offsets: NDArray[Any], random: Any) -> dict[str, float]:
    """The metrics for one draw of labels."""
    import numpy as np

    chance = _calibrated(now.scores, before, offsets)
    happens = random.random(len(chance)) < chance
    if now.task == "multiclass":
        return {"accuracy": float(happens.mean())}
    return metrics(now.with_truth(np.where(happens, now.positive, _other(now)).astype("object")))


def _other(now: Answers) -> str:
    return next((c for c in now.classes if c != now.positive), "")


def _offsets(before: PredictionProfile) -> NDArray[Any]:
    """How much more often than said it turned out so, by bin; 0 where chance alone could make the difference."""
    import numpy as np

    bins = before.calibration
    found = np.array([b.observed - b.said for b in bins])
    error, chance = calibration_error(bins)
    return found if error > chance else 0.0 * found


def _calibrated(said: NDArray[Any], before: PredictionProfile, offsets: NDArray[Any]) -> NDArray[Any]:
    """Scores as probabilities: corrected by the offsets of the bins between which they lie."""
    import numpy as np

    places = np.array([b.said for b in before.calibration])
    made: NDArray[Any] = np.clip(said + np.interp(said, places, offsets), 0.0, 1.0)
    return made


def _spread(drawn: list[dict[str, float]], name: str) -> float:
    """The standard deviation of a metric over draws; those that could not be computed are left out."""
    import numpy as np

    values = [d[name] for d in drawn if name in d]
    return float(np.std(values)) if len(values) > 1 else 0.0


def _told(values: dict[str, float], errors: dict[str, float], before: PredictionProfile | None) -> dict[str, Measured]:
    return {
        name: Measured(
            value=value, low=max(value - _Z * errors[name], _LOWEST.get(name, 0.0)),
            high=min(value + _Z * errors[name], math.inf if name in _UNBOUNDED else 1.0),
            reference=None if before is None else before.metrics.get(name),
            change=None if before is None else _changed(name, value, errors[name], before),
        )
        for name, value in values.items()
    }  # fmt: skip


def _changed(name: str, value: float, error: float, before: PredictionProfile) -> Change | None:
    """Against the reference, whose own interval counts too. 'same' also if it is less than 1% of the metric."""
    old = before.metrics.get(name)
    if old is None:
        return None
    low, high = before.intervals.get(name, (old, old))
    both = math.hypot(error, (high - low) / (2 * _Z))
    if abs(value - old) <= max(_Z * both, _SMALL_CHANGE * abs(old)):
        return "same"
    return "better" if (value < old) == (name in LOWER_IS_BETTER) else "worse"
