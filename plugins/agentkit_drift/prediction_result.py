"""What `check_predictions` gives back."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agentkit.prediction_profiles import CalibrationBin
from agentkit.results import Artifact, Table, ToolResult
from agentkit_drift.result import Histogram, Verdict
from agentkit_drift.thresholds import CALIBRATION, Level

Change = Literal["worse", "better", "same"]

_WORDS = {"none": "NO CHANGE", "watch": "WATCH", "drift": "DRIFT"}


class ScoreShift(BaseModel):
    """How the scores moved. `mean_shift`: in standard deviations of the reference, None if all of its scores are equal.

    `psi`: natural logarithm, on the reference's deciles; `p_value`: that chance alone makes a PSI so large.
    """

    model_config = ConfigDict(frozen=True)

    of: str
    mean_reference: float
    mean_current: float
    std_reference: float
    mean_shift: float | None
    psi: float
    p_value: float
    level: Level
    histogram: Histogram


class ClassShift(BaseModel):
    """Shares of the rows by predicted class, before and now, with their PSI."""

    model_config = ConfigDict(frozen=True)

    reference: dict[str, float]
    current: dict[str, float]
    psi: float
    p_value: float
    level: Level


class Measured(BaseModel):
    """A metric now, its 95% interval, and on the reference. `change`: 'same' if chance could make the difference."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    reference: float | None = None
    change: Change | None = None


class CalibrationNow(BaseModel):
    """How well probabilities fit the labels that arrived.

    `error`: mean distance of said and observed over the bins, weighted by rows; `chance`: what a perfectly calibrated
    model stays below 95% of the time on so many rows; `reference`: the error at training, None if it is not known.
    """

    model_config = ConfigDict(frozen=True)

    error: float
    chance: float
    reference: float | None = None
    bins: list[CalibrationBin]

    @property
    def ok(self) -> bool:
        """True if chance alone could make the error, or it is hardly more than the reference's."""
        return self.error <= max(self.chance, (self.reference or 0.0) + CALIBRATION)


class PredictionCheck(ToolResult):
    """What a model says of new data, against what it said of rows that it had not learned from.

    `metrics`: on the `labelled` rows whose true value is known. `estimated`: without labels, valid only under the
    `assumptions`. `reference_rows` is 0, and `score` and `classes` are None, where there is nothing to compare with.
    """

    model: str
    dataset: str
    reference: str
    task: Literal["binary", "multiclass", "regression"]
    target: str
    metric: str
    rows: int
    reference_rows: int
    verdict: Verdict
    recommendation: str
    findings: list[str] = Field(default_factory=list)
    score: ScoreShift | None = None
    classes: ClassShift | None = None
    labelled: int = 0
    metrics: dict[str, Measured] = Field(default_factory=dict)
    calibration: CalibrationNow | None = None
    estimated: dict[str, Measured] = Field(default_factory=dict)
    assumptions: list[str] = Field(default_factory=list)
    seconds: float = 0.0

    def brief(self) -> str:
        lines = [f"{_WORDS[self.verdict]}: what {self.model} says of {self.dataset} ({self.rows:,} rows)."]
        lines += [f"- {finding}" for finding in self.findings[:6]]
        lines.append(f"Next: {self.recommendation}")
        return "\n".join(lines)

    @property
    def artifacts(self) -> list[Artifact]:
        made: list[Artifact] = []
        for title, measured in (
            (f"On {self.labelled:,} rows with labels", self.metrics),
            ("Estimated without labels", self.estimated),
        ):
            rows = [[name, m.value, m.low, m.high, m.reference, m.change] for name, m in measured.items()]
            heads = ["metric", "now", "95% from", "to", "reference", "change"]
            made += [Table(title=title, columns=heads, rows=rows)] if rows else []
        if self.classes:
            found = self.classes
            shares = [[name, found.reference.get(name, 0.0), share] for name, share in found.current.items()]
            made.append(Table(title="Predicted classes", columns=["class", "reference", "now"], rows=shares))
        return made
