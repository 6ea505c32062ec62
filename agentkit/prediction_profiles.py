"""Profiles of a model's answers: how they were distributed and how they turned out, stored with the model.

Later answers are compared with them. No row of the data is kept: quantiles, shares and bins only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from agentkit.profiles import GRID

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREDICTIONS = "predictions.json"
"""The name under which a training stores its profile of the answers for the held-back rows."""

ROWS_A_BIN = 25
MOST_BINS = 20
"""Bins of a calibration: as many as `ROWS_A_BIN` rows fill, at most so many."""


class CalibrationBin(BaseModel):
    """Rows of like score: the mean of what was said, the share that turned out so, and how many they are."""

    model_config = ConfigDict(frozen=True)

    said: float
    observed: float
    rows: int


class PredictionProfile(BaseModel):
    """Answers of a model for `rows` rows that it had not learned from.

    The score is the number that is predicted; of two classes the probability of `positive`, of more that of the class
    that is predicted. `quantiles`: its grid of 257, ends included. `shares`: of the rows, by predicted class.
    `calibration`: empty for numbers. `metrics` and `intervals` (95%) are those of the same rows, by the names of the
    training; `metric` is the one that the model was chosen by. `digest`: SHA-256 of the training file.
    """

    model_config = ConfigDict(frozen=True)

    task: Literal["binary", "multiclass", "regression"]
    target: str
    classes: list[str] = []
    positive: str = ""
    rows: int
    mean: float
    std: float
    quantiles: list[float]
    shares: dict[str, float] = {}
    calibration: list[CalibrationBin] = []
    metric: str = ""
    metrics: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    digest: str = ""


def scores(
    task: str, predicted: NDArray[Any], probabilities: NDArray[Any] | None, classes: list[str], positive: str
) -> NDArray[Any]:
    """The score of each row, as `PredictionProfile` tells; probabilities are rows x classes."""
    if probabilities is None:
        return predicted.astype("float64")
    found: NDArray[Any] = probabilities[:, classes.index(positive)] if task == "binary" else probabilities.max(axis=1)
    return found.astype("float64")


def profile_predictions(
    task: Literal["binary", "multiclass", "regression"],
    target: str,
    predicted: NDArray[Any],
    probabilities: NDArray[Any] | None = None,
    *,
    classes: list[str] | None = None,
    positive: str = "",
    truth: NDArray[Any] | None = None,
    **known: Any,
) -> PredictionProfile:
    """The profile of answers; `truth` (classes as text, None where it is not known) gives the calibration.

    `known`: more fields of the profile, as they are.
    """
    import numpy as np

    names = list(classes or ())
    values = scores(task, predicted, probabilities, names, positive)
    grid = np.quantile(values, np.linspace(0, 1, GRID))
    bins: list[CalibrationBin] = []
    if truth is not None and probabilities is not None:
        seen = np.array([t is not None for t in truth])
        happened = (truth == positive) if task == "binary" else (truth == predicted)
        bins = _calibration(values[seen], happened[seen].astype(float))
    return PredictionProfile(
        task=task, target=target, classes=names, positive=positive, rows=len(values), mean=float(values.mean()),
        std=float(values.std(ddof=1)) if len(values) > 1 else 0.0, quantiles=[float(q) for q in grid],
        shares={name: float((predicted == name).mean()) for name in names}, calibration=bins, **known,
    )  # fmt: skip


def _calibration(said: NDArray[Any], happened: NDArray[Any]) -> list[CalibrationBin]:
    """Bins of equally many rows, in the order of the score."""
    import numpy as np

    count = min(MOST_BINS, len(said) // ROWS_A_BIN)
    if not count:
        return []
    parts = np.array_split(np.argsort(said, kind="stable"), count)
    return [CalibrationBin(said=float(said[p].mean()), observed=float(happened[p].mean()), rows=len(p)) for p in parts]
