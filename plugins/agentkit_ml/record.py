"""What is known of a training: stored beside the model, read by every tool that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from agentkit_ml.metrics import Outcome, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame


class Candidate(BaseModel):
    """One trial of the search. `score` is the mean of `scores`, one a fold; None if it was skipped or given up."""

    model_config = ConfigDict(frozen=True)

    algorithm: str
    score: float | None
    folds: int
    seconds: float
    skipped: str = ""
    params: dict[str, Any] = {}
    scores: list[float] = []


class Finding(BaseModel):
    """What a check of a training found: `gate` names the check, `value` is what it measured (in its own unit).

    `level`: `ok`, `warn` (a person should look) or `block` (the score cannot be believed).
    """

    model_config = ConfigDict(frozen=True)

    gate: str
    level: Literal["ok", "warn", "block"]
    text: str
    columns: list[str] = []
    value: float | None = None


class Baseline(BaseModel):
    """The answer without a model: the share of each class in training, or the mean."""

    model_config = ConfigDict(frozen=True)

    shares: list[float] = []
    mean: float | None = None


class Training(BaseModel):
    """A training's record. `columns`: those learned from -> number, category, date or text.

    Scores are on held-back rows, `train_score` is the metric on the training rows, `intervals` are 95% bootstrap
    intervals of `metrics`. `trials`: settings that the search tried; `members`: weights of an ensemble's models.
    `refit`: the model to use has learned from all rows with these settings, the held-back ones included; what is told
    of these is from a model that has not. `features`: what became of the columns, in sentences. `choice`: whether
    the best family can be told from the next one. `compared_rows`, `fitted_rows`: of `train_rows`, on how many settings
    were compared and from how many the model learned (None: an older model, on all).
    """

    model_config = ConfigDict(frozen=True)

    dataset: str
    digest: str
    target: str
    task: Task
    classes: list[str]
    positive: str
    algorithm: str
    metric: str
    metrics: dict[str, float]
    baseline: Baseline
    baseline_metrics: dict[str, float]
    columns: dict[str, str]
    left_out: dict[str, str]
    split: str
    seed: int
    train_rows: int
    compared_rows: int | None = None
    fitted_rows: int | None = None
    test_rows: int
    seconds: float
    candidates: list[Candidate]
    split_why: str = ""
    findings: list[Finding] = []
    train_score: float | None = None
    intervals: dict[str, tuple[float, float]] = {}
    trials: int = 0
    members: dict[str, float] = {}
    refit: bool = False
    features: list[str] = []
    choice: str = ""

    @property
    def learned_rows(self) -> int:
        """From how many rows the model learned that the held-back rows have judged."""
        return self.fitted_rows or self.train_rows

    @property
    def weights(self) -> dict[str, float]:
        """The algorithms that answer together and their weights, the weightiest first; of a single model its own."""
        members = self.members or {self.algorithm: 1.0}
        return dict(sorted(members.items(), key=lambda member: -member[1]))

    @property
    def together(self) -> str:
        """The names of these algorithms: 'lightgbm + linear'."""
        return " + ".join(self.weights)

    @property
    def score(self) -> float:
        return self.metrics[self.metric]


def outcome(
    pipeline: Any, frame: DataFrame, truth: NDArray[Any], task: Task, classes: tuple[str, ...], positive: str
) -> Outcome:
    """Predict and put truth and prediction side by side. A class that the pipeline never met gets probability 0."""
    import numpy as np

    if task == "regression":
        return Outcome(task, truth.astype(float), np.asarray(pipeline.predict(frame), dtype=float))
    probabilities = np.zeros((len(frame), len(classes)))
    known = [classes.index(str(c)) for c in pipeline.classes_]
    probabilities[:, known] = pipeline.predict_proba(frame)
    predicted = np.asarray(classes, dtype="object")[probabilities.argmax(axis=1)]
    return Outcome(task, truth, predicted, probabilities, classes, positive)


def baseline_of(truth: NDArray[Any], classes: tuple[str, ...]) -> Baseline:
    """The baseline that these training values make."""
    if not classes:
        return Baseline(mean=float(truth.mean()))
    return Baseline(shares=[float((truth == c).mean()) for c in classes])


def baseline_outcome(
    baseline: Baseline, truth: NDArray[Any], task: Task, classes: tuple[str, ...], positive: str
) -> Outcome:
    """What the baseline would have said for these rows."""
    import numpy as np

    if baseline.mean is not None:
        return Outcome(task, truth.astype(float), np.full(len(truth), baseline.mean))
    shares = np.asarray(baseline.shares)
    predicted = np.full(len(truth), classes[int(shares.argmax())], dtype="object")
    return Outcome(task, truth, predicted, np.tile(shares, (len(truth), 1)), classes, positive)
