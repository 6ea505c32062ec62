"""How good predictions are, and how sure that is: metrics with intervals, against the baseline, and more.

A plain function of true and predicted values: `train` calls it for its held-back rows, `evaluate` for any others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from agentkit_ml.assess.calibration import Calibration, calibration
from agentkit_ml.assess.costs import CostResult, cost_result, read_costs
from agentkit_ml.assess.significance import SIGNIFICANT, p_text
from agentkit_ml.assess.threshold import Threshold, best_threshold
from agentkit_ml.metrics import METRICS, Outcome, Task, better, measurable, number, shown, unequal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentkit_ml.assess.intervals import Bootstrap
    from agentkit_ml.assess.statistics import Statistic

Change = Literal["none", "better", "worse", "unknown"]

_FEW_ROWS = 100
_WHOLE = "model"
_WITHOUT = "baseline"


class Measured(BaseModel):
    """One metric: its value with a 95% interval, and the same without a model.

    `p` and `test`: whether the difference can be told from chance. `low` and `high` are None for fewer than 2 rows.
    """

    model_config = ConfigDict(frozen=True)

    value: float
    low: float | None
    high: float | None
    baseline: float | None = None
    p: float | None = None
    test: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)


class Assessment(BaseModel):
    """What is known of some predictions. `metrics`: the one that counts first, accuracy last if classes are unequal.

    `class_rows`: rows of each true class. `resamples`: of the bootstrap that made the intervals. `notes`: what could
    not be measured, or must not be read too closely.
    """

    model_config = ConfigDict(frozen=True)

    task: Task
    metric: str
    rows: int
    class_rows: dict[str, int]
    metrics: dict[str, Measured]
    resamples: int
    calibration: Calibration | None = None
    threshold: Threshold | None = None
    costs: CostResult | None = None
    notes: list[str] = []

    @property
    def main(self) -> Measured:
        """The metric that counts."""
        return self.metrics[self.metric]

    @property
    def score(self) -> float:
        return self.main.value

    @property
    def values(self) -> dict[str, float]:
        """Metric -> value."""
        return {name: m.value for name, m in self.metrics.items()}

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Metric -> 95% interval, of those that have one."""
        return {name: m.interval for name, m in self.metrics.items() if m.interval}

    @property
    def beats_baseline(self) -> bool:
        """True if the model is better than none and the difference can be told from chance."""
        m = self.main
        gains = m.baseline is not None and better(self.metric, m.value, m.baseline)
        return gains and m.p is not None and m.p < SIGNIFICANT

    def line(self) -> str:
        """'ROC-AUC 0.993 (95% interval 0.985 to 0.998) on 80 rows; without a model 0.500 (p < 0.001).'"""
        m = self.main
        between = f" (95% interval {number(m.low)} to {number(m.high)})" if m.low is not None and m.high else ""
        text = f"{shown(self.metric, m.value)}{between} on {self.rows} rows"
        if m.baseline is None:
            return f"{text}."
        how = f" ({p_text(m.p)}, {m.test})" if m.p is not None else ""
        word = "" if self.beats_baseline else "; the difference can NOT be told from chance"
        if not better(self.metric, m.value, m.baseline):
            word = "; the model is NOT better"
        return f"{text}; without a model {number(m.baseline)}{how}{word}."


def assess(
    seen: Outcome,
    baseline: Outcome | None = None,
    *,
    metric: str,
    seed: int = 20,
    costs: Mapping[str, Any] | str | None = None,
    resamples: int | None = None,
) -> Assessment:
    """Measure predictions on rows that the model has not learned from.

    `baseline`: what would be said without a model for the same rows (`record.baseline_outcome`). `metric`: the one that
    counts; if these rows do not allow it, another does, and a note says so. `costs`: see `costs.read_costs`.
    `resamples`: of the bootstrap; by default 2,000, and fewer above 5,000 rows so that it takes a second or two. The
    resamples keep the number of rows of each class. The difference from the baseline is tested by McNemar's test for
    accuracy and by the paired bootstrap for the others. Raises BadInput for a cost matrix that is wrong.
    """
    import numpy as np

    from agentkit_ml.assess.intervals import bootstrap, resamples_for, strata

    notes: list[str] = []
    names = _ordered(seen, metric, notes)
    count = resamples or resamples_for(len(seen.truth), len(seen.classes))
    rows = len(seen.truth)

    def statistics(part: NDArray[Any]) -> dict[tuple[str, str], Statistic]:
        sides = {_WHOLE: seen, _WITHOUT: baseline} if baseline else {_WHOLE: seen}
        taken = {side: outcome.take(part) for side, outcome in sides.items() if outcome}
        return {(side, n): METRICS[n].statistic(o) for side, o in taken.items() for n in names}

    made = bootstrap(statistics, rows, strata=strata(seen), resamples=count, seed=seed)
    metrics = {name: _measured(name, made, seen, baseline) for name in names}
    labels, counts = np.unique(seen.truth.astype(str) if seen.classes else np.empty(0, str), return_counts=True)
    _warn(metrics[names[0]], names[0], rows, notes)
    known = not seen.classes or set(seen.truth) <= set(seen.classes)
    if costs and not known:
        notes.append("Costs were not computed: some rows have a class that the model does not know.")
    matrix = read_costs(costs, seen.classes) if costs and _takes_costs(seen, notes) else None
    return Assessment(
        task=seen.task, metric=names[0], rows=rows, metrics=metrics, resamples=count if rows > 1 else 0, notes=notes,
        class_rows={str(c): int(n) for c, n in zip(labels, counts, strict=True)},
        calibration=calibration(seen, seed),
        threshold=best_threshold(seen, metric, matrix, resamples=min(count, 500), seed=seed),
        costs=cost_result(matrix, seen, baseline or seen, count, seed) if matrix and known else None,
    )  # fmt: skip


def changed(now: Assessment, before: float | None, interval: tuple[float, float] | None) -> Change:
    """Whether the metric that counts differs from what it was on other rows (`before`, with its 95% interval).

    Worse or better if the difference is beyond 1.96 standard errors, taken from the widths of both intervals.
    """
    between = now.main.interval
    if before is None or between is None:
        return "unknown"
    widths = [high - low for low, high in (between, interval or (before, before))]
    if abs(now.score - before) <= sum(w**2 for w in widths) ** 0.5 / 2:
        return "none"
    return "better" if better(now.metric, now.score, before) else "worse"


def _takes_costs(seen: Outcome, notes: list[str]) -> bool:
    if seen.classes:
        return True
    notes.append("Costs are of mistaken classes; this model predicts numbers, so they were left out.")
    return False


def _ordered(seen: Outcome, metric: str, notes: list[str]) -> list[str]:
    """The metrics that these rows allow: the one that counts first, accuracy last where it would flatter."""
    possible = measurable(seen)
    first = metric
    if metric not in possible:
        first = "accuracy" if "accuracy" in possible else possible[0]
        why = "have one class only" if len(set(seen.truth)) < 2 and seen.classes else "do not allow it"
        told = METRICS[first].label
        notes.append(f"{METRICS[metric].label} cannot be measured: these rows {why}. {told} is told instead.")
    rest = [n for n in possible if n != first]
    counts = [int((seen.truth == c).sum()) for c in set(seen.truth)] if seen.classes else []
    if not unequal(counts) and "accuracy" in rest:
        # with equal classes it is the plainest of all
        rest = ["accuracy", *(n for n in rest if n != "accuracy")]
    return [first, *rest]


def _measured(
    name: str,
    made: Bootstrap[tuple[str, str]],
    seen: Outcome,
    baseline: Outcome | None,
) -> Measured:
    from agentkit_ml.assess.intervals import percentile
    from agentkit_ml.assess.significance import mcnemar, paired_bootstrap

    value, drawn, without = made.whole[_WHOLE, name], made.drawn, made.whole.get((_WITHOUT, name))
    if len(seen.truth) < 2:
        return Measured(value=value, low=None, high=None, baseline=without)
    low, high = _exact(name, seen) or percentile(drawn[_WHOLE, name])
    if baseline is None:
        return Measured(value=value, low=low, high=high)
    if name == "accuracy":
        test = mcnemar(seen.truth == seen.predicted, baseline.truth == baseline.predicted)
    else:
        test = paired_bootstrap(drawn[_WHOLE, name] - drawn[_WITHOUT, name], len(seen.truth))
    return Measured(value=value, low=low, high=high, baseline=without, p=test.p, test=test.name)


def _exact(name: str, seen: Outcome) -> tuple[float, float] | None:
    """The exact interval of a share that is 0 or 1: every resample repeats it, as if there were no doubt."""
    from agentkit_ml.assess.intervals import proportion

    if name not in ("accuracy", "precision", "recall"):
        return None
    counted = slice(None)
    if name != "accuracy":
        counted = (seen.predicted if name == "precision" else seen.truth) == seen.positive
    right = (seen.truth == seen.predicted)[counted]
    hits = int(right.sum())
    return proportion(hits, len(right)) if hits in (0, len(right)) else None


def _warn(main: Measured, name: str, rows: int, notes: list[str]) -> None:
    """What must not be read too closely."""
    if main.low is not None and main.low == main.high:
        notes.append(
            f"{METRICS[name].label} is the same in every resample of these {rows} rows: the interval has no width, "
            "which is no proof that other rows would give the same."
        )
    if rows < _FEW_ROWS:
        notes.append(f"{_rows(rows)} few: the interval itself is rough.")


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"
