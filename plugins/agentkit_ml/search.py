"""Compare the candidates by cross-validation within a budget, refit the best on all training rows."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentkit.errors import TrainingError
from agentkit_ml.candidates import LABELS, Algorithm, estimator
from agentkit_ml.metrics import METRICS, Task, better
from agentkit_ml.record import Candidate, outcome
from agentkit_ml.runtime import fitting_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pandas import DataFrame

    from agentkit.context import ToolContext
    from agentkit_ml.splits import Pair

_PROBES = (1_000, 4_000)
_CAUTION = 1.3
_PROGRESS = 0.85  # of the whole training; the refit and the storing follow


@dataclass
class Problem:
    """Prepared training rows and what to learn from them. `encode` is the unfitted step before the estimator."""

    frame: DataFrame
    values: NDArray[Any]
    task: Task
    classes: tuple[str, ...]
    positive: str
    encode: Any
    metric: str
    seed: int

    def fit(self, algorithm: Algorithm, rows: NDArray[Any] | slice) -> Any:
        """A fitted pipeline of the encoding and the estimator."""
        from sklearn.base import clone
        from sklearn.pipeline import Pipeline

        values = self.values[rows]
        labels = values.astype(str).astype("object") if self.classes else values
        model = estimator(algorithm, self.task, len(values), self.seed)
        steps = Pipeline([("encode", clone(self.encode)), ("model", model)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return steps.fit(self.frame.iloc[rows], labels)

    def score(self, fitted: Any, rows: NDArray[Any]) -> float:
        """The metric on these rows."""
        truth = self.values[rows]
        seen = outcome(fitted, self.frame.iloc[rows], truth, self.task, self.classes, self.positive)
        return METRICS[self.metric].compute(seen)


@dataclass
class Search:
    """A running comparison. Seconds are wall time, `deadline` is of `time.perf_counter`."""

    problem: Problem
    folds: list[Pair]
    deadline: float
    ctx: ToolContext
    tried: list[Candidate] = field(default_factory=list)
    best: Algorithm | None = None
    _scores: dict[Algorithm, list[float]] = field(default_factory=dict)
    _refit: float = 0.0

    def run(self, algorithms: Sequence[Algorithm]) -> Algorithm:
        """Try each, and return the best: if one was asked for beside the baseline, that one.

        Raises TrainingError if the budget does not allow any but the baseline.
        """
        share = _PROGRESS / len(algorithms)
        for position, algorithm in enumerate(algorithms):
            with fitting_threads():
                self.tried.append(self._try(algorithm, share * position, share))
        serious = [c for c in self.tried if c.algorithm != "dummy"]
        if serious and all(c.score is None for c in serious):
            raise TrainingError(f"the budget is too short. {serious[0].skipped}")
        assert self.best is not None
        return algorithms[-1] if len(algorithms) == 2 else self.best

    def _leads(self, algorithm: Algorithm) -> bool:
        """Whether it beats the best so far, on the folds that both were scored on: a fold may be an easy one."""
        if self.best is None:
            return True
        mine, others = self._scores[algorithm], self._scores[self.best]
        common = min(len(mine), len(others))
        return better(self.problem.metric, sum(mine[:common]) / common, sum(others[:common]) / common)

    def _try(self, algorithm: Algorithm, done: float, share: float) -> Candidate:
        label = LABELS[algorithm]
        started = time.perf_counter()
        self.ctx.progress(f"Trying {label}", done)
        fold_cost, refit_cost = self._estimate(algorithm)
        if algorithm != "dummy" and fold_cost + max(refit_cost, self._refit) > self._left():
            return self._skipped(algorithm, fold_cost + refit_cost, started)
        scores: list[float] = []
        for train, test in self.folds:
            began = time.perf_counter()
            if scores and 1.1 * fold_cost + max(refit_cost, self._refit) > self._left():
                break
            part = len(scores) / len(self.folds)
            self.ctx.progress(f"Trying {label}, part {len(scores) + 1} of {len(self.folds)}", done + share * part)
            scores.append(self.problem.score(self.problem.fit(algorithm, train), test))
            fold_cost = time.perf_counter() - began
            refit_cost = fold_cost * len(self.problem.values) / len(train)
        self._scores[algorithm] = scores
        if self._leads(algorithm):
            self.best = algorithm
        score = sum(scores) / len(scores)
        self._refit = max(self._refit, refit_cost)
        return Candidate(algorithm=algorithm, score=score, folds=len(scores), seconds=time.perf_counter() - started)

    def _left(self) -> float:
        return self.deadline - time.perf_counter()

    def _skipped(self, algorithm: Algorithm, cost: float, started: float) -> Candidate:
        missing = max(1.0, 1.5 * cost + self._refit - self._left())
        why = f"For the {LABELS[algorithm]} about {missing:.0f} s more were needed: give a larger budget_seconds."
        return Candidate(algorithm=algorithm, score=None, folds=0, seconds=time.perf_counter() - started, skipped=why)

    def _estimate(self, algorithm: Algorithm) -> tuple[float, float]:
        """Seconds of one fold and of the refit, from two fits on few rows; 0 where there are few rows anyway."""
        rows = self.folds[-1][0]
        if algorithm == "dummy" or len(rows) < 2 * _PROBES[1]:
            return 0.0, 0.0
        took = []
        for size in _PROBES:
            began = time.perf_counter()
            self.problem.fit(algorithm, rows[:: len(rows) // size][:size])
            took.append(time.perf_counter() - began)
            if _PROBES[1] / _PROBES[0] * took[0] > self._left():
                break
        slope = max(took[-1] - took[0], 0.1 * took[-1]) / (_PROBES[1] - _PROBES[0])
        fold = _CAUTION * (took[-1] + slope * (len(rows) - _PROBES[1]))
        return fold, fold * len(self.problem.values) / len(rows)
