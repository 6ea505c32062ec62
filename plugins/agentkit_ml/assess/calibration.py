"""Calibration: of the rows given 70%, do 70% turn out so?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agentkit_ml.metrics import METRICS, Outcome, binary_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BINS = 10
FEWEST_ROWS = 50

_ROWS_A_BIN = 20
_DRAWS = 2_000


class CalibrationBin(BaseModel):
    """Rows of similar probability: the mean of what was said, the share that turned out so with its 95% interval."""

    model_config = ConfigDict(frozen=True)

    said: float
    observed: float
    low: float
    high: float
    rows: int


class Calibration(BaseModel):
    """How well probabilities fit what happened.

    `of`: the class that the probabilities are of; '' where they are of the predicted class, whichever it is. `error`
    is the expected calibration error: the mean distance of said and observed over bins of equal size, weighted by rows.
    `chance`: what a perfectly calibrated model stays below 95% of the time on so many rows (0 is not to be had).
    """

    model_config = ConfigDict(frozen=True)

    of: str
    bins: list[CalibrationBin]
    brier: float
    error: float
    chance: float

    @property
    def ok(self) -> bool:
        """True if the error is no larger than chance makes it."""
        return self.error <= self.chance

    @property
    def tendency(self) -> str:
        """What is wrong, in words: '' if nothing can be told."""
        if self.ok:
            return ""
        rows = sum(b.rows for b in self.bins)
        gap = sum((b.observed - b.said) * b.rows for b in self.bins) / rows
        if abs(gap) > 0.7 * self.error:
            return "too low" if gap > 0 else "too high"
        middle = sum(b.observed * b.rows for b in self.bins) / rows
        outward = sum((b.said - b.observed) * b.rows * (1 if b.said > middle else -1) for b in self.bins)
        return "too far from the middle" if outward > 0 else "too near to the middle"


def calibration(outcome: Outcome, seed: int = 20) -> Calibration | None:
    """The calibration of the positive class's probabilities, or of the predicted class's if there are more than two.

    Bins hold equally many rows (scikit-learn's strategy `quantile`), ten of them or fewer for few rows. None below 50
    rows, for numbers, and where rows have a class that the model does not know. Sources: Guo et al. (2017) for the
    error; Broecker and Smith (2007) for its size under perfect calibration, here by the normal approximation.
    """
    if outcome.probabilities is None or len(outcome.truth) < FEWEST_ROWS:
        return None
    if not set(outcome.truth) <= set(outcome.classes):
        return None
    if outcome.task == "binary":
        happened, said = binary_scores(outcome)
    else:
        happened, said = (outcome.truth == outcome.predicted).astype(float), outcome.probabilities.max(axis=1)
    bins, error, chance = _bins(happened, said, seed)
    brier = METRICS["brier"].compute(outcome)
    return Calibration(of=outcome.positive, bins=bins, brier=brier, error=error, chance=chance)


def _bins(happened: NDArray[Any], said: NDArray[Any], seed: int) -> tuple[list[CalibrationBin], float, float]:
    import numpy as np

    from agentkit_ml.assess.intervals import proportion

    count = max(2, min(MOST_BINS, len(said) // _ROWS_A_BIN))
    borders = np.quantile(said, np.linspace(0, 1, count + 1))
    place = np.searchsorted(borders[1:-1], said)
    rows = np.bincount(place, minlength=count)
    filled = rows > 0
    rows = rows[filled]

    def summed(values: NDArray[Any]) -> NDArray[Any]:
        return np.bincount(place, weights=values, minlength=count)[filled]

    hits, expected, variance = summed(happened), summed(said), summed(said * (1 - said))
    error = float(abs(hits - expected).sum() / len(said))
    draws = np.random.default_rng(seed).normal(size=(_DRAWS, len(rows))) * np.sqrt(variance)
    chance = float(np.quantile(abs(draws).sum(axis=1) / len(said), 0.95))
    made = []
    for n, hit, mean in zip(rows, hits, expected / rows, strict=True):
        low, high = proportion(int(hit), int(n))
        made.append(CalibrationBin(said=float(mean), observed=float(hit / n), low=low, high=high, rows=int(n)))
    return made, error, chance
