"""Try settings on the folds until the time or the number of trials is used up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentkit.context import cancellation
from agentkit.errors import Cancelled, TrainingError
from agentkit_ml.engine.families import FAMILIES, Algorithm, Data, OutOfTime, Params, Setting, Watch, fit, predicted
from agentkit_ml.engine.folds import Folds
from agentkit_ml.engine.trials import Proposal, in_order, proposals
from agentkit_ml.metrics import number
from agentkit_ml.record import Candidate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentkit.context import ToolContext

FITS = 2
"""What is chosen is fitted twice in the end: on the training rows, whose held-back rows score it, and on all rows."""
_ROOM = 1.2
_SHARE = 3
_TOGETHER = 0.4
_PROGRESS = 0.85  # of the whole training; the last fits and the storing follow


@dataclass(frozen=True)
class Trial:
    """A setting that was scored on all folds. `scores`: greater is better. `predictions` of each fold's other rows.

    `rounds`: of a boosted model, the mean over the folds. `refit`: seconds that a fit on all training rows takes.
    """

    algorithm: Algorithm
    params: Params
    scores: tuple[float, ...]
    predictions: tuple[NDArray[Any], ...]
    rounds: int | None
    refit: float

    @property
    def score(self) -> float:
        return sum(self.scores) / len(self.scores)


@dataclass
class Search:
    """A running comparison. `deadline`: of `time.perf_counter`, for the last fits too; None to count trials alone.

    `measure(fold, predictions)` is a fold's score, greater is better; `told` shows it as people know the metric.
    """

    folds: Folds
    setting: Setting
    measure: Callable[[int, NDArray[Any]], float]
    told: Callable[[float], float]
    ctx: ToolContext
    deadline: float | None
    most: int | None = None
    trials: list[Trial] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    interrupted: bool = False
    _over: bool = False
    _started: float = 0.0
    _fold_seconds: dict[Algorithm, float] = field(default_factory=dict)
    _partial: list[tuple[float, ...]] = field(default_factory=list)

    def run(self, algorithms: Sequence[Algorithm]) -> None:
        """Fill `trials`. Ctrl-C ends it with what there is. Raises TrainingError if only the baseline fits in."""
        from agentkit_ml.features.words import remembered_words

        try:
            with remembered_words():
                self._run(algorithms)
        except (Cancelled, KeyboardInterrupt):
            # a person at a tool wants the best so far; one in a conversation wants it to stop
            if self.ctx.by_model or not self.serious:
                raise
            self.interrupted = True
        if not self.serious and len(algorithms) > 1:
            raise TrainingError(
                f"the budget is too short. {self.candidates[-1].skipped or 'Give more budget_seconds.'}"
            )

    @property
    def best(self) -> Trial:
        """The trial with the greatest score, the first of equals; the baseline only if it is alone."""
        return max(self.serious or self.trials, key=lambda t: t.score)

    @property
    def serious(self) -> list[Trial]:
        """All trials but the baseline's."""
        return [t for t in self.trials if t.algorithm != "dummy"]

    @property
    def runner_up(self) -> Trial | None:
        """The best trial of another family than the best one's."""
        others = [t for t in self.serious if t.algorithm != self.best.algorithm]
        return max(others, key=lambda t: t.score, default=None)

    def _run(self, algorithms: Sequence[Algorithm]) -> None:
        proposed = proposals(in_order(algorithms, self.setting.trees), len(self.folds.values), self.setting.seed)
        score: float | None = None
        started = self._started = time.perf_counter()
        while (self.most is None or len(self.candidates) < self.most) and not (self._over and self.serious):
            try:
                proposal = next(proposed) if not self.candidates else proposed.send(score)
            except StopIteration:
                return
            self._tell(proposal, started)
            score = self._tried(proposal)

    def _tried(self, proposal: Proposal) -> float | None:
        """The score of a proposal; None if it was given up. Notes what came of it."""
        began = time.perf_counter()
        try:
            trial, folds = self._try(proposal)
            skipped = "" if trial else "Given up: most other settings did better on the same folds."
        except OutOfTime as error:
            trial, folds, skipped = None, 0, str(error)
            # a family that is too dear leaves time for others; after the defaults there is none left
            self._over = proposal.prunable
        seconds = time.perf_counter() - began
        if trial:
            self.trials.append(trial)
        self.candidates.append(
            Candidate(
                algorithm=proposal.algorithm, score=self.told(trial.score) if trial else None, folds=folds,
                seconds=seconds, skipped=skipped, params=proposal.params,
                scores=[self.told(s) for s in trial.scores] if trial else [],
            )
        )  # fmt: skip
        return trial.score if trial else None

    def _try(self, proposal: Proposal) -> tuple[Trial | None, int]:
        """The trial, or None after as many folds if it was pruned. Raises OutOfTime."""
        algorithm = proposal.algorithm
        encoding = FAMILIES[algorithm].encoding
        scores: list[float] = []
        predictions, rounds, refits = [], [], []
        for fold in range(len(self.folds)):
            self._check_time(algorithm)
            # the baseline looks at no column: nothing is encoded for it
            train, other = self.folds.plain(fold) if algorithm == "dummy" else self.folds.get(fold, encoding)
            watch = self._watch(algorithm, other)
            watch.check()
            began = time.perf_counter()
            fitted = fit(algorithm, proposal.params, train, self.setting, watch)
            seen = predicted(fitted.model, other.features, self.setting)
            seconds = time.perf_counter() - began
            self._fold_seconds[algorithm] = max(seconds, 0.5 * self._fold_seconds.get(algorithm, 0.0))
            refits.append(seconds * len(self.folds.values) / len(train.values))
            scores.append(self.measure(fold, seen))
            predictions.append(seen)
            rounds += [fitted.rounds] if fitted.rounds else []
            if proposal.prunable and self._hopeless(scores):
                return None, len(scores)
        self._partial.append(tuple(scores))
        mean_rounds = round(statistics.mean(rounds)) if rounds else None
        return Trial(
            algorithm, proposal.params, tuple(scores), tuple(predictions), mean_rounds, statistics.mean(refits)
        ), len(scores)

    def _hopeless(self, scores: Sequence[float]) -> bool:
        """Median pruning (Golovin et al. 2017, Google Vizier): worse so far than most trials at the same fold."""
        done = len(scores)
        others = [sum(s[:done]) / done for s in self._partial[1:]]
        return done < len(self.folds) and len(others) >= 3 and sum(scores) / done < statistics.median(others)

    def room(self) -> float:
        """Seconds until the deadline."""
        return float("inf") if self.deadline is None else self.deadline - time.perf_counter()

    def _left(self) -> float:
        """Seconds until the last fits of the best so far must begin."""
        return self.room() - self._kept()

    def _kept(self) -> float:
        """Seconds for the last fits of the best so far, and of the best of another family, to be put together.

        For the latter only where both fit into a part of all the time: it is better spent on the search otherwise.
        """
        if self.deadline is None or not self.serious:
            return 0.0
        second = self.runner_up
        alone = _ROOM * FITS * self.best.refit
        both = alone + _ROOM * FITS * (second.refit if second else 0.0)
        return both if both < _TOGETHER * (self.deadline - self._started) else alone

    def _check_time(self, algorithm: Algorithm) -> None:
        cost = self._fold_seconds.get(algorithm, 0.0)
        if algorithm != "dummy" and cost > self._left():
            raise OutOfTime(self._too_dear(algorithm, cost))

    def _watch(self, algorithm: Algorithm, other: Data) -> Watch:
        stopped = cancellation.get()
        # a fit whose cost nobody knew leaves time for its own last fits, or for other families
        share = 1 if algorithm in self._fold_seconds else _SHARE
        end = None if self.deadline is None else time.perf_counter() + max(0.0, self._left()) / share

        def check() -> None:
            if stopped is not None and stopped.is_set():
                raise Cancelled("the training was stopped.")
            if end is not None and time.perf_counter() > end:
                raise OutOfTime(self._too_dear(algorithm, 0.0))

        def afford(seconds: float) -> None:
            known = self._fold_seconds.get(algorithm)
            if known is None and end is not None and time.perf_counter() + seconds > end:
                raise OutOfTime(self._too_dear(algorithm, seconds))

        return Watch(other, check=check, afford=afford)

    def _too_dear(self, algorithm: Algorithm, cost: float) -> str:
        more = f"about {max(1.0, cost * len(self.folds) - self._left()):.0f} s more" if cost else "more time"
        return f"For {FAMILIES[algorithm].label} {more} would be needed: give a larger budget_seconds."

    def _tell(self, proposal: Proposal, started: float) -> None:
        label = FAMILIES[proposal.algorithm].label
        best = f", best so far {number(self.told(self.best.score))}" if self.serious else ""
        if self.deadline is not None:
            part = (time.perf_counter() - started) / max(1e-9, self.deadline - started)
        else:
            part = len(self.candidates) / (self.most or 1)
        self.ctx.progress(f"Trial {len(self.candidates) + 1}: {label}{best}", _PROGRESS * min(1.0, part))
